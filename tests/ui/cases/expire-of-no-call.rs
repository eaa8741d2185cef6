//! `expire!` takes the call of a cached function.

use cacheado::expire;

fn main() {
    let _ = expire!();
    let _ = expire!(5);
}

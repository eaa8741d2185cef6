//! Options that are not there yet are refused, each at its name.

use cacheado::cache;

#[cache(ttl = 5, idle = "5m")]
fn later(x: u64) -> u64 {
    x
}

fn main() {}

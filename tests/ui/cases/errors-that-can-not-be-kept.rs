//! Only a `Result` has errors, and only what is `Clone` is kept.

use cacheado::cache;

#[cache(err_ttl = 5)]
fn plain(x: u64) -> u64 {
    x
}

#[derive(Debug)]
struct Broken;

#[cache(err_ttl = 5)]
fn not_clone(x: u64) -> Result<u64, Broken> {
    Ok(x)
}

fn main() {}

//! A function that can return no error has none for a body that takes too long.

use cacheado::cache;

#[cache(hard_timeout = 5)]
fn plain(x: u64) -> u64 {
    x
}

#[cache(hard_timeout = 5)]
fn other(x: u64) -> Result<u64, String> {
    Ok(x)
}

fn main() {}

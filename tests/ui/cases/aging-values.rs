//! Values of the options of age that are none.

use cacheado::cache;

#[cache(ttl = 5, stale = 0)]
fn zero(x: u64) -> u64 {
    x
}

#[cache(ttl = 5, stale = "five")]
fn no_duration(x: u64) -> u64 {
    x
}

#[cache(ttl = 5, refresh_after = 1.0)]
fn whole(x: u64) -> u64 {
    x
}

#[cache(ttl = 5, refresh_after = "4s")]
fn text(x: u64) -> u64 {
    x
}

#[cache(ttl = 5, jitter = -0.1)]
fn negative(x: u64) -> u64 {
    x
}

#[cache(ttl = 5, timeout = |value| std::time::Duration::from_secs(*value))]
fn closure(x: u64) -> u64 {
    x
}

fn main() {}

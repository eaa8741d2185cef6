//! What is said of a lifetime needs one.

use cacheado::cache;

#[cache(stale = 5)]
fn stale(x: u64) -> u64 {
    x
}

#[cache(refresh_after = 0.5)]
fn refreshed(x: u64) -> u64 {
    x
}

#[cache(jitter = 0.5)]
fn spread(x: u64) -> u64 {
    x
}

#[cache(xfetch = 1.0)]
fn eager(x: u64) -> u64 {
    x
}

#[cache(timeout = 5)]
fn waited_for(x: u64) -> u64 {
    x
}

#[cache(timeout = "2s", hard_timeout = "5s")]
async fn waited_for_twice(x: u64) -> Result<u64, cacheado::Error> {
    Ok(x)
}

#[cache(idle = 5)]
fn idle(x: u64) -> u64 {
    x
}

fn main() {}

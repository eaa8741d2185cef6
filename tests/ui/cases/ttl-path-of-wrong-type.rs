//! A path of `ttl` is that of a `Duration`, or of a function of what is stored.

use std::time::Duration;

use cacheado::cache;

const MINUTES: u64 = 5;

fn of_text(text: &String) -> Duration {
    Duration::from_secs(text.len() as u64)
}

fn seconds(value: &usize) -> u64 {
    *value as u64
}

#[cache(ttl = MINUTES)]
fn constant(limit: usize) -> usize {
    limit
}

#[cache(ttl = of_text)]
fn other_argument(limit: usize) -> usize {
    limit
}

#[cache(ttl = seconds)]
async fn other_result(limit: usize) -> usize {
    limit
}

#[cache(ttl = crate::missing)]
fn not_there(limit: usize) -> usize {
    limit
}

fn main() {}

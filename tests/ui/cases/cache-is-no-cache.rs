use std::sync::OnceLock;

use cacheado::{Cache, cache};

#[cache(cache = limit)]
fn orders(limit: usize) -> usize {
    limit
}

static CACHE: OnceLock<Cache> = OnceLock::new();

#[cache(cache = CACHE.get())]
fn stock(id: u32) -> u32 {
    id
}

fn main() {}

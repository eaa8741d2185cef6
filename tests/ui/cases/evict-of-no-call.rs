use cacheado::{cache, cache_evict};

#[cache]
fn orders(limit: usize) -> usize {
    limit
}

#[cache_evict(orders)]
fn rename(limit: usize) {
    let _ = limit;
}

fn main() {}

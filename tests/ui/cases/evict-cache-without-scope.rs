use cacheado::{cache, cache_evict};

#[cache]
fn orders(limit: usize) -> usize {
    limit
}

#[cache_evict(orders(limit), cache = cacheado::default_cache())]
fn rename(limit: usize) {
    let _ = limit;
}

fn main() {}

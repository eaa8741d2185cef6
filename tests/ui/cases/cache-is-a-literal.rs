use cacheado::{cache, cache_evict};

#[cache(cache = 5)]
fn orders(limit: usize) -> usize {
    limit
}

#[cache_evict(scope = "global", cache = "storefront")]
fn forget() {}

fn main() {}

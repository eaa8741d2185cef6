use cacheado::cache;

#[cache(cache_none = false)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

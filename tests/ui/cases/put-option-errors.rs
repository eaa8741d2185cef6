use cacheado::cache_put;

#[cache_put(tll = 5)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

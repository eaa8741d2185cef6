use cacheado::cache;

#[cache(ttl)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

use cacheado::cache;

#[cache(cache = limit)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

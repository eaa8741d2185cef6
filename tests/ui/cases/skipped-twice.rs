use cacheado::cache;

#[cache(skip(limit, limit))]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

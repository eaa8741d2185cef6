use cacheado::cache;

#[cache(skip = limit)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

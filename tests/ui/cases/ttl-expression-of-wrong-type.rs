use cacheado::cache;

const MINUTES: u64 = 5;

#[cache(ttl = 2 * MINUTES)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

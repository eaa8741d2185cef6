use cacheado::cache;

#[cache(stale = 30)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

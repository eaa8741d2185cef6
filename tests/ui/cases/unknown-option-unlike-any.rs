use cacheado::cache;

#[cache(backend = "redis")]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

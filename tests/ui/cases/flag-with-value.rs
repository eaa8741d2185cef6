use cacheado::cache;

#[cache(local = true)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

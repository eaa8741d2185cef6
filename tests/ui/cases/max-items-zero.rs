use cacheado::cache;

#[cache(max_items = 0)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

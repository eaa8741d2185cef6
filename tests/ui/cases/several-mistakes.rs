use cacheado::cache;

#[cache(tll = 60, max_items = 0, skip(limt))]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

use cacheado::cache;

const NONE: usize = 0;

#[cache(max_items = NONE)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {
    orders(3);
}

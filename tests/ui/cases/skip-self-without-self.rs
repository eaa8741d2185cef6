use cacheado::cache;

#[cache(skip(self))]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

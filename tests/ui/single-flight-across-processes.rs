use cacheado::cache;

#[cache(single_flight = "cluster")]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

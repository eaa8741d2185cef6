use cacheado::cache;

#[cache(ttl = 60, skip(limit), ttl = "1m")]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {}

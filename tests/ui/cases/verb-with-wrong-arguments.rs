use cacheado::{cache, evict, peek};

#[cache]
fn orders(org: &str, limit: usize) -> usize {
    org.len() + limit
}

fn main() {
    let _ = evict!(orders(3, "acme"));
    let _ = peek!(orders("acme"));
}

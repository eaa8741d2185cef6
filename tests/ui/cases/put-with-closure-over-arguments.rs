use cacheado::{cache, put};

#[cache(when = |value| *value > limit)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {
    let _ = put!(orders(3), 4);
}

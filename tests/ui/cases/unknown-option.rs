use cacheado::{cache, put};

#[cache(tll = 60)]
fn orders(limit: usize) -> usize {
    limit
}

fn main() {
    let _ = put!(orders(3), 4);
}

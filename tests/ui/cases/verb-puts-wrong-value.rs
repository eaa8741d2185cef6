use cacheado::{cache, put};

#[cache]
fn orders(limit: usize) -> Option<u64> {
    Some(limit as u64)
}

fn main() {
    let _ = put!(orders(3), "many");
}

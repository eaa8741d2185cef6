use cacheado::cache;

#[cache]
fn orders(limit: usize) -> impl Iterator<Item = usize> {
    0..limit
}

#[cache]
fn later(limit: usize) -> impl Future<Output = usize> {
    async move { limit }
}

fn main() {}

use cacheado::{cache, cache_evict};

#[cache]
fn name(id: u32) -> u32 {
    id
}

#[cache_evict(name(id))]
fn below(id: u32) -> impl Iterator<Item = u32> {
    0..id
}

#[cache_evict(name(id))]
fn rename(id: u32) -> impl Future<Output = u32> {
    std::future::ready(id)
}

fn main() {}

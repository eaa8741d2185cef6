use cacheado::{cache, cache_evict};

#[cache]
fn orders(limit: usize) -> usize {
    limit
}

#[cache_evict(orders)]
fn rename(limit: usize) {
    let _ = limit;
}

#[cache]
async fn stock(item: u32) -> u32 {
    item
}

#[cache_evict(stock(item).await)]
async fn sell(item: u32) {
    let _ = item;
}

#[cache_evict("organization")]
fn close(org_id: &str) {
    let _ = org_id;
}

fn main() {}

use cacheado::{cache, cache_evict, cache_impl, cache_put, evict};

#[cache = 5]
fn orders(limit: usize) -> usize {
    limit
}

#[cache_put = local]
fn set_orders(limit: usize) -> usize {
    limit
}

#[cache_evict = "global"]
fn forget() {}

struct Shop;

#[cache_impl = true]
impl Shop {
    #[cache = 60]
    fn open(&self) -> bool {
        true
    }
}

fn main() {
    let _ = evict!(orders(3));
}

//! A method of many ids has no verbs, in any impl.
use std::collections::HashMap;

use cacheado::{cache, cache_evict, cache_impl, peek, put};

struct Shop;

#[cache_impl]
impl Shop {
    #[cache(ttl = 60, skip(self), batch(ids))]
    fn prices(&self, ids: &[u32]) -> HashMap<u32, u64> {
        ids.iter().map(|id| (*id, 1)).collect()
    }
}

#[cache_evict(Shop::prices(shop, ids))]
fn change(shop: &Shop, ids: &[u32]) {
    let _ = (shop, ids);
}

fn main() {
    let _ = peek!(Shop.prices(&[1]));
    let _ = put!(Shop.prices(&[1]), HashMap::new());
    change(&Shop, &[1]);
}

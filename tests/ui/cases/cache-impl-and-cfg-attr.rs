//! What stands in `cfg_attr` is no attribute yet when `#[cache_impl]` looks.

use cacheado::{cache, cache_impl, cache_put, evict};

struct Shop;

#[cache_impl]
impl Shop {
    #[cfg_attr(all(), cache(ttl = 5, skip(self)))]
    fn price(&self, id: u32) -> u32 {
        id
    }

    #[cfg_attr(not(test), must_use, cacheado::cache)]
    fn count() -> u32 {
        3
    }

    #[cfg_attr(all(), cache_put(name = "stock"))]
    fn put(id: u32) -> u32 {
        id
    }

    #[cfg_attr(all(), must_use)]
    #[cache]
    fn stock(id: u32) -> u32 {
        id
    }
}

fn main() {
    let _ = evict!(Shop.price(1));
    let _ = evict!(Shop::count());
    let _ = evict!(Shop::stock(Shop::put(1)));
}

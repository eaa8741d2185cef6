use cacheado::{cache, cache_impl, evict};

struct Shop;

#[cache_impl]
impl Shop {
    #[cache]
    fn price(id: u32) -> u32 {
        id
    }

    #[cache(ttl = 60)]
    fn price(id: u32) -> u32 {
        id + 1
    }

    #[cfg(target_pointer_width = "8")]
    #[cache]
    fn stock(id: u32) -> u32 {
        id
    }

    #[cfg(not(target_pointer_width = "8"))]
    #[cache]
    fn stock(id: u32) -> u32 {
        id + 1
    }
}

fn main() {
    let _ = evict!(Shop::price(3));
    let _ = evict!(Shop::stock(3));
}

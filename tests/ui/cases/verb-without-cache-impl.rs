use cacheado::{cache, cache_evict, evict, peek};

struct Shop;

impl Shop {
    #[cache(skip(self))]
    fn price(&self, id: u32) -> u32 {
        id
    }

    #[cache(skip(self))]
    async fn stock(&self, id: u32) -> u32 {
        id
    }
}

#[cache_evict(Shop::price(shop, id))]
fn change(shop: &Shop, id: u32) {
    let _ = (shop, id);
}

fn main() {
    let _ = evict!(Shop.price(1));
    let _ = peek!(Shop.stock(1));
    change(&Shop, 1);
}

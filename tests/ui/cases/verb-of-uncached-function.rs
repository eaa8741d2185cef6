use cacheado::{cache_evict, evict, peek};

mod shop {
    pub fn price(id: u32) -> u32 {
        id
    }
}

fn orders(limit: usize) -> usize {
    limit
}

#[cache_evict(shop::price(id))]
fn change(id: u32) {
    let _ = id;
}

fn main() {
    let _ = evict!(orders(3));
    let _ = evict!(invoice(3));
    let _ = peek!(shop::price(3));
    change(shop::price(orders(3) as u32));
}

use cacheado::cache;

#[cache(max_items = 0)]
fn price(price: u32) -> u32 {
    price
}

fn main() {
    price(3);
}

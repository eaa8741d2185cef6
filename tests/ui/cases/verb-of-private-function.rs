use cacheado::evict;

mod shop {
    #[cacheado::cache(ttl = 60)]
    fn price(item: u32) -> u32 {
        item
    }
}

fn main() {
    let _ = evict!(shop::price(3));
}

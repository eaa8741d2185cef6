//! What a crate forbids, the generated code does not allow.
#![forbid(deprecated, unreachable_pub, unused_variables, unused_mut, clippy::all)]

use cacheado::{cache, cache_evict, cache_put};

#[cache(ttl = 60, name = "price")]
fn price(item: u32) -> u32 {
    item
}

#[cache_put(ttl = 60, name = "price")]
fn set_price(item: u32) -> u32 {
    item + 1
}

#[cache_evict(price(item))]
fn sell(item: u32) -> u32 {
    item
}

fn main() {
    assert_eq!(price(3), 3);
    assert_eq!(set_price(3), 4);
    assert_eq!(price(3), 4);
    assert_eq!(sell(3), 3);
    assert_eq!(price(3), 3);
}

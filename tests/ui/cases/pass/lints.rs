//! What the author of a function allows is allowed in all that is written of it.
#![deny(warnings)]

use cacheado::{cache, cache_evict, cache_impl};
use serde::Serialize;

#[deprecated]
#[derive(Clone, Copy, Serialize)]
struct Old(u32);

#[cache]
#[allow(deprecated)]
fn of_old(old: Old) -> u32 {
    old.0
}

#[cache]
#[allow(non_camel_case_types)]
fn of_t<t: Serialize>(of: t) -> u32 {
    let _ = of;
    1
}

#[cache]
#[allow(unused_parens)]
fn in_parens(x: (u32)) -> u32 {
    x
}

#[cache(skip(log))]
#[forbid(unused_variables)]
#[warn(clippy::pedantic)]
fn strict(x: u32, log: &mut Vec<u32>) -> u32 {
    log.push(x);
    x
}

struct Shop;

#[cache_impl]
impl Shop {
    #[cache(skip(self))]
    #[allow(deprecated)]
    fn sells(&self, old: Old) -> u32 {
        old.0
    }
}

#[cache_evict(in_parens(x))]
#[expect(dead_code)]
fn unused(x: u32) {
    let _ = x;
}

#[allow(deprecated)]
fn main() {
    assert_eq!(of_old(Old(3)), 3);
    assert_eq!(of_t(3), 1);
    assert_eq!(in_parens(3), 3);
    assert_eq!(strict(3, &mut Vec::new()), 3);
    assert_eq!(Shop.sells(Old(3)), 3);
}

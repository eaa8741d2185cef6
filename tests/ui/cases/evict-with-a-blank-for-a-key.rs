use cacheado::{cache, cache_evict};

#[cache(skip(locale))]
fn price(org: &str, locale: &str) -> String {
    format!("{org}{locale}")
}

#[cache]
fn stock(id: u32) -> u32 {
    id
}

#[cache_evict(price(locale, _), price(_, locale))]
fn changed(locale: &str) {
    let _ = locale;
}

#[cache_evict(stock(_))]
fn sold() {}

fn main() {}

use cacheado::{cache, cache_evict, cache_impl};

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

struct Shop;

#[cache_impl]
impl Shop {
    #[cache(skip(self))]
    fn open(&self, id: u32) -> u32 {
        id
    }

    #[cache]
    fn count(id: u32) -> u32 {
        id
    }

    #[cache_evict(Self::count(_), self.open(_))]
    fn close(&self) {}
}

fn main() {}

use cacheado::{cache, cache_evict, cache_impl, cache_put, evict};

#[cache]
fn orders(limit: usize) -> _ {
    limit
}

#[cache]
fn of_any(limit: _) -> usize {
    limit
}

#[cache(ttl = 60)]
async fn some_orders(limit: usize) -> Option<_> {
    Some(limit)
}

#[cache_put]
fn set_orders(limit: usize) -> _ {
    limit
}

#[cache_evict(scope = "global")]
fn forget() -> _ {
    3
}

struct Shop;

#[cache_impl]
impl Shop {
    #[cache(skip(self))]
    fn open(&self) -> _ {
        true
    }

    #[cache]
    fn name() -> Option<_> {
        Some(String::new())
    }
}

fn main() {
    let limit: usize = orders(3);
    let _ = evict!(orders(limit));
    let _ = evict!(of_any(3));
    let _ = some_orders(3);
    let _ = evict!(Shop.open());
    let _ = evict!(Shop::name());
    let _ = forget() + 1;
}

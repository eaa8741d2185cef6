//! A cached function that nobody uses is warned of as any other, and what it alone calls; one that verbs use is not.
#![deny(dead_code)]

cacheado::scopes! { organization(org_id) }

#[cacheado::cache(ttl = 60)]
fn unused(id: u64) -> u64 {
    called_by_it(id)
}

fn called_by_it(id: u64) -> u64 {
    id
}

#[cacheado::cache(ttl = 60, scope = "organization")]
async fn unused_too(org_id: u64) -> u64 {
    org_id
}

#[cacheado::cache(ttl = 60)]
fn refreshed<T: ToString + serde::Serialize>(id: T) -> String {
    id.to_string()
}

#[cacheado::cache(ttl = 60)]
#[deprecated]
fn peeked(id: u64) -> u64 {
    id
}

#[cacheado::cache(ttl = |_| std::time::Duration::from_secs(60))]
fn put(id: u64) -> u64 {
    id
}

#[cacheado::cache(ttl = 60)]
fn lonely(lonely: u64) -> u64 {
    lonely
}

#[cacheado::cache(ttl = 60, skip(shop))]
fn evicted(shop: &Shop, id: u64) -> u64 {
    let _ = shop;
    id
}

#[cacheado::cache(ttl = 60, skip(shop))]
fn evicted_with_a_blank(shop: &Shop, id: u64) -> u64 {
    let _ = shop;
    id
}

#[cacheado::cache(ttl = 60)]
fn unused_of_any(id: impl ToString + serde::Serialize) -> String {
    id.to_string()
}

#[cacheado::cache(ttl = 60)]
async unsafe fn refreshed_of_any<T: ToString>(id: &(impl AsRef<[T]> + serde::Serialize + Sync)) -> String {
    id.as_ref().iter().map(ToString::to_string).collect()
}

#[cacheado::cache(ttl = 60, skip(load))]
#[deprecated]
fn evicted_of_any<'a, T: serde::Serialize>(load: &'a mut impl FnMut(&T) -> u64, key: T) -> Result<u64, &'a str> {
    Ok(load(&key))
}

#[cacheado::cache_evict(evicted(id), evicted_with_a_blank(_, id), evicted_of_any::<u64, fn(&u64) -> u64>(id))]
fn change(id: u64) {
    let _ = id;
}

struct Shop;

#[cacheado::cache_impl]
impl Shop {
    #[cacheado::cache(ttl = 60)]
    fn unused(id: u64) -> u64 {
        id
    }

    #[cacheado::cache(ttl = 60)]
    fn refreshed(id: u64) -> u64 {
        id
    }

    #[cacheado::cache(ttl = 60, skip(self))]
    fn unused_of_any(&self, id: impl Into<u64> + serde::Serialize) -> u64 {
        id.into()
    }

    #[cacheado::cache(ttl = 60, skip(self))]
    async fn unused_generic<T: Into<u64> + serde::Serialize>(&mut self, id: T) -> u64 {
        id.into()
    }

    #[cacheado::cache(ttl = 60, skip(self))]
    async fn evicted_generic<T: Into<u64> + serde::Serialize>(&mut self, id: T) -> u64 {
        id.into()
    }

    #[cacheado::cache(ttl = 60, skip(self))]
    fn peeked_of_any(&self, id: impl Into<u64> + serde::Serialize) -> u64 {
        id.into()
    }

    #[cacheado::cache(ttl = 60, skip(self))]
    fn unused_method(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    let _ = cacheado::refresh!(refreshed(1));
    let _ = cacheado::peek!(peeked(1));
    let _ = cacheado::put!(put(1), 1);
    let _ = cacheado::refresh!(Shop::refreshed(1));
    let _ = cacheado::evict!(Shop.evicted_generic(1_u8));
    let _ = cacheado::peek!(Shop.peeked_of_any(1_u8));
    let _ = unsafe { cacheado::refresh!(refreshed_of_any::<u8>(&[1])) };
    change(1);
    let _ = Shop;
}

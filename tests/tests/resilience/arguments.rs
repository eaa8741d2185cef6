//! A body that may outlive its call keeps the arguments it needs, in whatever form they come.

use std::sync::Arc;

use async_trait::async_trait;
use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, cache_impl, peek};

use crate::source::{SECOND, cache, comes};

/// Makes a call, lets its entry age, calls again, and waits for the new value.
fn refreshes<T: PartialEq + std::fmt::Debug>(
    clock: &ManualClock,
    cache: &Cache,
    call: impl Fn() -> T,
    expected: &T,
) {
    let refreshes = cache.stats().refreshes;
    assert_eq!(call(), *expected);
    clock.advance(90 * SECOND);
    assert_eq!(call(), *expected);
    comes("the refresh", || cache.stats().refreshes == refreshes + 1);
    clock.advance(20 * SECOND);
    assert_eq!(call(), *expected);
    comes("all of it", || cache.stats().misses <= refreshes + 2);
}

#[derive(Clone)]
struct Db {
    prefix: String,
}

#[cache(ttl = 100, refresh_after = 0.8, cache = cache, skip(cache, db))]
fn references(cache: &Cache, db: &Db, name: &str, ids: &[u32], path: &std::path::Path) -> String {
    format!("{}{name}{ids:?}{}", db.prefix, path.display())
}

#[cache(ttl = 100, refresh_after = 0.8, cache = cache, skip(cache))]
fn values(cache: &Cache, mut name: String, shared: Arc<str>, (one, other): (u8, u8)) -> String {
    name.push_str(&shared);
    name.push_str(&(one + other).to_string());
    name
}

#[cache(ttl = 100, refresh_after = 0.8, cache = cache, skip(cache, text))]
fn generic<T>(cache: &Cache, value: T, text: &(impl AsRef<str> + Clone + Send + 'static)) -> String
where
    T: serde::Serialize + std::fmt::Debug + Send + 'static,
{
    format!("{value:?}{}", text.as_ref())
}

#[cache(ttl = |value| std::time::Duration::from_secs(value.len() as u64 + extra), refresh_after = 0.5,
    when = |value| value.starts_with(name), cache = cache, skip(cache))]
fn closures(cache: &Cache, name: &str, extra: u64) -> String {
    format!("{name}{}", extra + 1)
}

#[test]
fn of_every_form() {
    let (cache, clock) = cache();
    let db = Db {
        prefix: "db:".to_owned(),
    };
    let path = std::path::Path::new("/here");
    let call = || references(&cache, &db, "name", &[1, 2], path);
    refreshes(&clock, &cache, call, &"db:name[1, 2]/here".to_owned());
    let call = || values(&cache, "a".to_owned(), "b".into(), (1, 2));
    refreshes(&clock, &cache, call, &"ab3".to_owned());
}

#[test]
fn closures_over_them_as_well() {
    let (cache, clock) = cache();
    assert_eq!(closures(&cache, "name", 94), "name95");
    clock.advance(50 * SECOND);
    assert_eq!(closures(&cache, "name", 94), "name95");
    comes("the refresh", || cache.stats().refreshes == 1);
    clock.advance(99 * SECOND);
    comes("its value", || {
        peek!(closures(&cache, "name", 94)).unwrap().is_some()
    });
}

#[derive(Clone)]
struct Shop {
    cache: Cache,
    name: String,
}

#[cache_impl]
impl Shop {
    #[cache(ttl = 100, refresh_after = 0.8, cache = self.cache)]
    fn price(&self, item: &str) -> String {
        let of = |item: &str| format!("{}:{item}", self.name);
        of(item)
    }

    #[cache(ttl = 100, refresh_after = 0.8, cache = self.cache)]
    fn shared(self: Arc<Self>, item: &str) -> String {
        format!("{}:{item}", self.name)
    }

    #[cache(ttl = 100, refresh_after = 0.8, cache = self.cache)]
    async fn price_async(&self, item: &str) -> String {
        let price = self.price(item);
        format!("{}-{price}", Self::mark())
    }

    fn mark() -> &'static str {
        "async"
    }
}

#[test]
fn methods() {
    let (cache, clock) = cache();
    let shop = Shop {
        cache: cache.clone(),
        name: "shop".to_owned(),
    };
    refreshes(&clock, &cache, || shop.price("tea"), &"shop:tea".to_owned());
    let shared = Arc::new(shop);
    let call = || Arc::clone(&shared).shared("tea");
    refreshes(&clock, &cache, call, &"shop:tea".to_owned());
}

#[async_trait]
trait Priced {
    async fn priced(&self, item: &str) -> String;
}

#[async_trait]
impl Priced for Shop {
    #[cache(ttl = 100, refresh_after = 0.8, cache = self.cache)]
    async fn priced(&self, item: &str) -> String {
        format!("{}:{item}", self.name)
    }
}

#[tokio::test]
async fn async_methods() {
    let (cache, clock) = cache();
    let shop = Shop {
        cache: cache.clone(),
        name: "shop".to_owned(),
    };
    assert_eq!(shop.priced("tea").await, "shop:tea");
    assert_eq!(shop.price_async("tea").await, "async-shop:tea");
    clock.advance(90 * SECOND);
    assert_eq!(shop.priced("tea").await, "shop:tea");
    assert_eq!(shop.price_async("tea").await, "async-shop:tea");
    while cache.stats().refreshes < 3 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn generic_ones() {
    let (cache, clock) = cache();
    let call = || generic(&cache, vec![1, 2], &"text".to_owned());
    refreshes(&clock, &cache, call, &"[1, 2]text".to_owned());
}

//! `#[cache_put]` and `#[cache_evict]`: what they store and remove, when, and what they leave.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use cacheado::{Cache, cache, cache_evict, cache_impl, cache_put, evict, peek, put, scopes};
use futures::FutureExt;
use futures::executor::block_on;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

mod puts {
    use super::*;

    #[cache(cache = cache, skip(cache), name = "price list")]
    pub(super) fn price(cache: &Cache, item: u32) -> u32 {
        let _ = cache;
        item
    }

    #[cache_put(cache = cache, skip(cache, price), name = "price list")]
    pub(super) fn set_price(cache: &Cache, item: u32, price: u32) -> u32 {
        let _ = (cache, item);
        price
    }

    #[cache_put(cache = cache, skip(cache, price), name = "price list", when = |price| *price > 0)]
    pub(super) async fn set_positive(cache: &Cache, item: u32, price: i32) -> Result<u32, String> {
        let _ = (cache, item);
        u32::try_from(price).map_err(|error| error.to_string())
    }

    #[cache(cache = cache, skip(cache), name = "bounded list", max_items = 2)]
    pub(super) fn bounded(cache: &Cache, item: u32) -> u32 {
        let _ = cache;
        item
    }

    #[cache_put(cache = cache, skip(cache, price), name = "bounded list")]
    pub(super) fn set_bounded(cache: &Cache, item: u32, price: u32) -> u32 {
        let _ = (cache, item);
        price
    }

    #[cache(cache = cache, skip(cache), name = "late bound", max_items = 5)]
    pub(super) fn bounded_late(cache: &Cache, item: u32) -> u32 {
        let _ = cache;
        item
    }

    #[cache_put(cache = cache, skip(cache, price), name = "late bound")]
    pub(super) fn set_bounded_late(cache: &Cache, item: u32, price: u32) -> u32 {
        let _ = (cache, item);
        price
    }

    #[cache(cache = cache, skip(cache), name = "late bound", max_items = 7)]
    pub(super) fn bounded_otherwise(cache: &Cache, item: u32) -> u32 {
        let _ = cache;
        item
    }

    #[cache_put(cache = cache, skip(cache, price), name = "price list")]
    pub(super) fn set_price_late(cache: &Cache, item: u32, price: u32) -> u32 {
        assert!(put!(self::price(cache, item), 70).unwrap());
        price
    }

    #[cache_put(cache = cache, skip(cache, dry), bypass = dry)]
    pub(super) fn dry(cache: &Cache, x: u32, dry: bool) -> u32 {
        let _ = (cache, dry);
        x
    }
}

#[test]
fn a_put_always_runs_and_stores() {
    let cache = cache();
    assert_eq!(puts::price(&cache, 1), 1);
    assert_eq!(puts::set_price(&cache, 1, 50), 50);
    assert_eq!(puts::price(&cache, 1), 50);
    assert_eq!(puts::set_price(&cache, 1, 60), 60);
    assert_eq!(puts::price(&cache, 1), 60);
    assert_eq!(puts::price(&cache, 2), 2);
}

/// Which of the two values the source holds is unknown.
#[test]
fn of_two_puts_that_overlap_neither_stays() {
    let cache = cache();
    assert_eq!(puts::set_price_late(&cache, 1, 50), 50);
    assert_eq!(peek!(puts::price(&cache, 1)).unwrap(), None);
    assert_eq!(puts::price(&cache, 1), 1);
}

#[test]
fn a_put_for_a_bounded_function_counts_in_its_bound() {
    let cache = cache();
    assert_eq!(puts::bounded(&cache, 1), 1);
    assert_eq!(puts::set_bounded(&cache, 1, 50), 50);
    assert_eq!(puts::bounded(&cache, 1), 50);
    for item in 2..10 {
        puts::set_bounded(&cache, item, 7);
    }
    assert_eq!(puts::bounded(&cache, 9), 7);
    assert_eq!(cache.stats().total_keys, 2);
}

/// Whichever of the functions with shared entries is called first, the bound applies to the entries of all, from when it is known.
#[test]
fn a_put_ahead_of_its_bounded_function_is_found_and_counts_in_its_bound() {
    let cache = cache();
    for item in 0..10 {
        assert_eq!(puts::set_bounded_late(&cache, item, 50), 50);
    }
    assert_eq!(cache.stats().total_keys, 10);
    assert_eq!(puts::bounded_late(&cache, 9), 50);
    assert!(evict!(puts::bounded_late(&cache, 9)).unwrap());
    // entries over the bound are evicted at the next insert: any of the earlier ones, but not the new one
    assert_eq!(puts::bounded_late(&cache, 100), 100);
    assert_eq!(cache.stats().total_keys, 5);
    for item in 101..105 {
        puts::set_bounded_late(&cache, item, 60);
    }
    assert_eq!(cache.stats().total_keys, 5);
    for item in 101..105 {
        assert_eq!(puts::bounded_late(&cache, item), 60);
    }
    assert_eq!(peek!(puts::bounded_late(&cache, 100)).unwrap(), Some(100));
    // another bound for the same entries can't hold, so this function runs uncached
    puts::bounded_otherwise(&cache, 101);
    assert_eq!(peek!(puts::bounded_otherwise(&cache, 101)).unwrap(), None);
}

#[test]
fn a_put_that_fails_stores_nothing_and_removes_nothing() {
    let cache = cache();
    assert_eq!(block_on(puts::set_positive(&cache, 1, 50)), Ok(50));
    assert!(block_on(puts::set_positive(&cache, 1, -1)).is_err());
    assert_eq!(puts::price(&cache, 1), 50);
}

/// A put value is newer than the stored one, even if it is not to be stored.
#[test]
fn a_put_of_what_is_not_to_be_stored_removes_the_older_value() {
    let cache = cache();
    assert_eq!(block_on(puts::set_positive(&cache, 1, 50)), Ok(50));
    assert_eq!(block_on(puts::set_positive(&cache, 1, 0)), Ok(0));
    assert_eq!(peek!(puts::price(&cache, 1)).unwrap(), None);
}

#[test]
fn a_put_can_be_bypassed() {
    let cache = cache();
    puts::dry(&cache, 1, true);
    assert_eq!(cache.stats().total_keys, 0);
    puts::dry(&cache, 1, false);
    assert_eq!(peek!(puts::dry(&cache, 1, false)).unwrap(), Some(1));
    assert!(put!(puts::dry(&cache, 2, false), 3).unwrap());
    // `put!` is not a call, so `bypass` does not apply
    assert!(put!(puts::dry(&cache, 3, true), 4).unwrap());
    assert_eq!(peek!(puts::dry(&cache, 3, true)).unwrap(), Some(4));
}

mod shop {
    use super::*;

    #[cache(cache = cache, skip(cache), scope = "user")]
    pub(super) fn profile(cache: &Cache, org_id: &str, user_id: u32) -> String {
        let _ = cache;
        format!("{org_id} {user_id}")
    }

    #[cache(cache = cache, skip(cache), scope = "organization")]
    pub(super) async fn members(cache: &Cache, org_id: &str, page: u32) -> u32 {
        let _ = (cache, org_id);
        page
    }

    #[cache(cache = cache, skip(trace), key = text.len())]
    pub(super) fn search(text: String, trace: u8, cache: &Cache) -> usize {
        let _ = (cache, trace);
        text.len()
    }
}

/// Which of the three entries is cached: a profile, a first page of members, a search.
fn held(cache: &Cache) -> [bool; 3] {
    [
        peek!(shop::profile(cache, "acme", 7)).unwrap().is_some(),
        peek!(shop::members(cache, "acme", 1))
            .now_or_never()
            .unwrap()
            .unwrap()
            .is_some(),
        peek!(shop::search("text".to_owned(), 0, cache))
            .unwrap()
            .is_some(),
    ]
}

/// A cache that holds all three.
fn filled() -> Cache {
    let cache = cache();
    shop::profile(&cache, "acme", 7);
    block_on(shop::members(&cache, "acme", 1));
    shop::search("text".to_owned(), 0, &cache);
    assert_eq!(held(&cache), [true; 3]);
    cache
}

/// Fails if `fail` is true, and records how many entries are cached while it runs.
fn body(cache: &Cache, fail: bool, seen: &AtomicU32) -> Result<u32, String> {
    let count = held(cache).into_iter().filter(|held| *held).count();
    seen.store(u32::try_from(count).unwrap(), Ordering::SeqCst);
    if fail {
        Err("failed".to_owned())
    } else {
        Ok(1)
    }
}

mod evicts {
    use super::*;

    #[cache_evict(shop::profile(cache, org_id, user_id))]
    pub(super) fn rename(
        cache: &Cache,
        org_id: &str,
        user_id: u32,
        fail: bool,
        seen: &AtomicU32,
    ) -> Result<u32, String> {
        body(cache, fail, seen)
    }

    #[cache_evict(shop::profile(cache, org_id, user_id), before)]
    pub(super) fn rename_before(
        cache: &Cache,
        org_id: &str,
        user_id: u32,
        fail: bool,
        seen: &AtomicU32,
    ) -> Result<u32, String> {
        body(cache, fail, seen)
    }

    #[cache_evict(
        shop::profile(cache, org_id, user_id),
        shop::members(cache, org_id, 1),
        shop::search(text, _, cache)
    )]
    pub(super) async fn all(
        cache: &Cache,
        org_id: &str,
        user_id: u32,
        text: String,
        fail: bool,
        seen: &AtomicU32,
    ) -> Result<u32, String> {
        body(cache, fail, seen)
    }

    #[cache_evict(scope = "organization", cache = cache)]
    pub(super) fn close(cache: &Cache, org_id: &str) -> Result<u32, String> {
        let _ = org_id;
        body(cache, false, &AtomicU32::new(0))
    }

    #[cache_evict(scope("user", org_id = "acme", user_id = number / 2), cache = cache, before)]
    pub(super) async fn scoped(
        cache: &Cache,
        number: u32,
        seen: &AtomicU32,
    ) -> Result<u32, String> {
        body(cache, true, seen)
    }

    #[cache_evict(scope = "global", cache = cache)]
    pub(super) fn everything(cache: &Cache) {
        let _ = cache;
    }

    #[cache_evict(scope = "user", shop::members(cache, org_id, 1), cache = cache)]
    pub(super) fn both(cache: &Cache, user_id: u32, org_id: &str) -> Option<u32> {
        let _ = (cache, org_id, user_id);
        None
    }

    #[cache_evict(shop::search(text, cache))]
    pub(super) fn consumes(text: String, cache: &Cache) -> String {
        let _ = cache;
        text + "!"
    }
}

#[test]
fn an_eviction_comes_after_the_body_has_succeeded() {
    let (cache, seen) = (filled(), AtomicU32::new(9));
    assert_eq!(evicts::rename(&cache, "acme", 7, false, &seen), Ok(1));
    assert_eq!(seen.into_inner(), 3, "not before the body");
    assert_eq!(held(&cache), [false, true, true]);
}

#[test]
fn an_err_evicts_nothing() {
    let (cache, seen) = (filled(), AtomicU32::new(9));
    assert!(evicts::rename(&cache, "acme", 7, true, &seen).is_err());
    assert_eq!(held(&cache), [true; 3]);
    let failed = evicts::all(&cache, "acme", 7, "text".to_owned(), true, &seen);
    assert!(block_on(failed).is_err());
    assert_eq!(held(&cache), [true; 3]);
}

#[test]
fn before_evicts_ahead_of_the_body_whatever_that_says() {
    for fail in [false, true] {
        let (cache, seen) = (filled(), AtomicU32::new(9));
        let renamed = evicts::rename_before(&cache, "acme", 7, fail, &seen);
        assert_eq!(renamed.is_err(), fail);
        assert_eq!(seen.into_inner(), 2, "before the body");
        assert_eq!(held(&cache), [false, true, true]);
    }
}

#[test]
fn an_eviction_is_of_that_call_alone() {
    let (cache, seen) = (filled(), AtomicU32::new(9));
    evicts::rename(&cache, "acme", 8, false, &seen).unwrap();
    evicts::rename(&cache, "initech", 7, false, &seen).unwrap();
    assert_eq!(held(&cache), [true; 3]);
}

/// With `_` for a skipped argument, and with an argument by value that both the eviction and the body need.
#[test]
fn several_calls_are_evicted_at_once() {
    let (cache, seen) = (filled(), AtomicU32::new(9));
    let done = evicts::all(&cache, "acme", 7, "text".to_owned(), false, &seen);
    assert_eq!(block_on(done), Ok(1));
    assert_eq!(seen.into_inner(), 3);
    assert_eq!(held(&cache), [false; 3]);
}

#[test]
fn a_skipped_argument_may_be_left_out() {
    let cache = filled();
    assert_eq!(evicts::consumes("1234".to_owned(), &cache), "1234!");
    assert_eq!(held(&cache), [true, true, false]);
}

#[test]
fn a_scope_is_evicted_with_all_that_is_below() {
    let cache = filled();
    shop::profile(&cache, "initech", 7);
    evicts::close(&cache, "acme").unwrap();
    assert_eq!(held(&cache), [false, false, true]);
    let other = peek!(shop::profile(&cache, "initech", 7)).unwrap();
    assert_eq!(other.as_deref(), Some("initech 7"));
}

#[test]
fn a_scope_can_be_named_by_expressions() {
    let (cache, seen) = (filled(), AtomicU32::new(9));
    assert!(block_on(evicts::scoped(&cache, 14, &seen)).is_err());
    assert_eq!(seen.into_inner(), 2);
    assert_eq!(held(&cache), [false, true, true]);
}

#[test]
fn the_global_scope_is_everything() {
    let cache = filled();
    evicts::everything(&cache);
    assert_eq!(cache.stats().total_keys, 0);
}

/// Only an `Err` is a failure.
#[test]
fn scopes_and_calls_go_together_and_none_is_no_failure() {
    let cache = filled();
    assert_eq!(evicts::both(&cache, 7, "acme"), None);
    assert_eq!(held(&cache), [false, false, true]);
}

struct Users {
    cache: Cache,
    org: String,
}

#[cache_impl]
impl Users {
    #[cache(cache = self.cache, scope("user", org_id = self.org))]
    fn name(&self, user_id: u32) -> String {
        format!("{} {user_id}", self.org)
    }

    #[cache(cache = self.cache, key = (&self.org, prefix))]
    async fn list(&self, prefix: &str) -> Vec<String> {
        vec![prefix.to_owned()]
    }

    #[cache_put(cache = self.cache, scope("user", org_id = self.org), skip(name))]
    fn put_name(&self, user_id: u32, name: &str) -> String {
        let _ = user_id;
        name.to_owned()
    }

    #[cache_evict(self.name(user_id))]
    fn rename(&self, user_id: u32) {
        let _ = user_id;
    }

    #[cache_evict(self.name(user_id), self.list(""))]
    async fn remove(&mut self, user_id: u32) -> Result<(), String> {
        self.org.push_str(" (changed)");
        if user_id == 0 {
            Err("nobody".to_owned())
        } else {
            Ok(())
        }
    }

    #[cache_evict(scope("organization", org_id = self.org), cache = self.cache)]
    fn close(&self) {}
}

fn users() -> Users {
    let users = Users {
        cache: cache(),
        org: "acme".to_owned(),
    };
    users.name(1);
    users.name(2);
    block_on(users.list(""));
    users
}

#[test]
fn methods_evict_calls_of_methods() {
    let users = users();
    users.rename(1);
    assert_eq!(peek!(users.name(1)).unwrap(), None);
    assert!(peek!(users.name(2)).unwrap().is_some());
    users.close();
    assert_eq!(peek!(users.name(2)).unwrap(), None);
    assert_eq!(users.cache.stats().total_keys, 1);
}

/// The evicted entry is determined by the arguments as passed, not by what the body makes of them.
#[test]
fn what_is_evicted_is_settled_before_the_body_runs() {
    let mut users = users();
    block_on(users.remove(1)).unwrap();
    assert_eq!(users.cache.stats().total_keys, 1);
    users.org = "acme".to_owned();
    assert!(peek!(users.name(2)).unwrap().is_some());
    assert!(block_on(users.remove(0)).is_err());
    assert_eq!(users.cache.stats().total_keys, 1);
}

#[test]
fn a_method_can_put() {
    let users = users();
    assert_eq!(users.put_name(1, "Ada"), "Ada");
    assert_eq!(
        peek!(users.put_name(1, "")).unwrap().as_deref(),
        Some("Ada")
    );
    assert_eq!(
        users.name(1),
        "acme 1",
        "another function, without a name in common"
    );
}

#[async_trait]
trait Store {
    async fn save(&self, org_id: &str, user_id: u32) -> Result<(), String>;
    fn drop_all(&self, org_id: String);
}

#[async_trait]
impl Store for Cache {
    #[cache_evict(shop::profile(self, org_id, user_id))]
    async fn save(&self, org_id: &str, user_id: u32) -> Result<(), String> {
        std::future::ready(()).await;
        if user_id == 0 {
            return Err(org_id.to_owned());
        }
        Ok(())
    }

    #[cache_evict(scope = "organization", cache = self)]
    fn drop_all(&self, org_id: String) {
        drop(org_id);
    }
}

#[test]
fn methods_of_trait_impls_evict() {
    let cache = filled();
    block_on(cache.save("acme", 7)).unwrap();
    assert_eq!(held(&cache), [false, true, true]);
    let store: &dyn Store = &cache;
    assert!(block_on(store.save("acme", 0)).is_err());
    store.drop_all("acme".to_owned());
    assert_eq!(held(&cache), [false, false, true]);
}

/// The evicted entry is the one of the caller's arguments, whatever the body makes of them before it returns its future.
#[test]
fn a_boxed_future_evicts_by_what_it_was_called_with() {
    #[cache_evict(shop::profile(cache, &org_id, user_id))]
    #[allow(clippy::needless_pass_by_value, reason = "the future is to have it")]
    fn save(
        cache: &Cache,
        org_id: String,
        mut user_id: u32,
    ) -> Pin<Box<dyn Future<Output = String> + '_>> {
        user_id += 1;
        let org_id = org_id.to_uppercase();
        let _ = cache;
        Box::pin(async move { format!("{org_id} {user_id}") })
    }

    #[cache_evict(scope = "user", cache = cache, before)]
    fn remove<'a>(
        cache: &'a Cache,
        org_id: &'a str,
        user_id: u32,
    ) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
        let _ = (cache, org_id, user_id);
        let (org_id, user_id) = ("nobody", 0);
        Box::pin(async { assert_eq!((org_id, user_id), ("nobody", 0)) })
    }

    let cache = filled();
    assert_eq!(block_on(save(&cache, "acme".to_owned(), 7)), "ACME 8");
    assert_eq!(held(&cache), [false, true, true]);
    let cache = filled();
    block_on(remove(&cache, "acme", 7));
    assert_eq!(held(&cache), [false, true, true]);
}

#[test]
fn a_body_that_panics_evicts_nothing() {
    #[cache_evict(scope = "global", cache = cache)]
    fn panics(cache: &Cache) {
        let _ = cache;
        panic!("on purpose");
    }

    let cache = filled();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panics(&cache)));
    assert!(caught.is_err());
    assert_eq!(held(&cache), [true; 3]);
}

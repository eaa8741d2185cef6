//! Bulk operations.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cacheado::rules::MaxItems;
use cacheado::testing::ManualClock;
use cacheado::{Cache, Error, scopes};
use cacheado_tests::store::Client;
use futures::FutureExt;

scopes! {
    organization(org_id)
}

fn now<T>(operation: impl IntoFuture<Output = T>) -> T {
    operation.into_future().now_or_never().expect("it waits")
}

fn squares(missing: Vec<u32>) -> Vec<(u32, u64)> {
    let square = |n: u32| (n, u64::from(n) * u64::from(n));
    missing.into_iter().rev().map(square).collect()
}

#[test]
fn values_come_in_the_order_of_their_keys() {
    let cache = Cache::builder().build().unwrap();
    cache.set_many([(1, &1_u64), (3, &9)]).run().unwrap();
    for _ in 0..2 {
        let got = cache.get_many([3, 2, 1, 3]).run().unwrap();
        assert_eq!(got, [Some(9_u64), None, Some(1), Some(9)]);
        assert_eq!(now(cache.get_many([3, 2, 1, 3])).unwrap(), got);
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.loads), (12, 4, 0));
}

#[test]
fn only_what_is_missing_is_loaded_and_each_once() {
    let cache = Cache::builder().build().unwrap();
    cache.set(2_u32, &4_u64).run().unwrap();
    let load = |missing: Vec<u32>| {
        assert_eq!(missing, [3, 1]);
        squares(missing)
    };
    let got = cache.get_or_load_many([3_u32, 2, 1, 3], load).run();
    assert_eq!(got.unwrap(), [Some(9), Some(4), Some(1), Some(9)]);
    let none = |_: Vec<u32>| -> Vec<(u32, u64)> { panic!("all are there") };
    assert_eq!(
        cache.get_or_load_many([1, 2, 3], none).run().unwrap(),
        [Some(1), Some(4), Some(9)]
    );
    assert_eq!(cache.get(3_u32).run().unwrap(), Some(9_u64));
    let stats = cache.stats();
    assert_eq!(
        (stats.hits, stats.misses, stats.loads),
        (5, 3, 2),
        "{stats}"
    );
}

#[test]
fn keys_may_be_borrowed() {
    let cache = Cache::builder().build().unwrap();
    let names = ["one".to_owned(), "three".to_owned()];
    let keys = || names.iter().map(String::as_str);
    let loading = cache.get_or_load_many(keys(), |missing| {
        missing.into_iter().map(|it| (it, it.len()))
    });
    assert_eq!(loading.run().unwrap(), [Some(3), Some(5)]);
    let loading = cache.get_or_load_many(["one", "four"], |missing: Vec<&str>| async move {
        missing.into_iter().map(|it| (it, it.len()))
    });
    assert_eq!(now(loading).unwrap(), [Some(3), Some(4)]);
}

#[test]
fn a_loader_may_lack_some_and_bring_others() {
    let cache = Cache::builder().build().unwrap();
    let load = |_: Vec<u32>| HashMap::from([(1_u32, 1_u64), (9, 81)]);
    assert_eq!(
        cache.get_or_load_many([1, 2], load).run().unwrap(),
        [Some(1), None]
    );
    assert_eq!(cache.stats().total_keys, 1, "nobody asked for 9");
    let load = |missing: Vec<u32>| async move { squares(missing) };
    assert_eq!(
        now(cache.get_or_load_many([1, 2], load)).unwrap(),
        [Some(1), Some(4)]
    );
}

#[test]
fn scope_lifetime_and_rules_count_for_each() {
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone()).rule(MaxItems::new(2));
    let cache = builder.build().unwrap();
    let acme = || scope::organization("acme");
    let minute = Duration::from_secs(60);
    let set = cache.set_many([(1, &1_u64), (2, &4), (3, &9)]);
    assert_eq!(
        set.scope(acme()).ttl(minute).run().unwrap(),
        [true, true, false]
    );
    assert_eq!(
        cache.get_many::<u64, _>([1, 2]).run().unwrap(),
        [None, None],
        "of no tenant"
    );
    assert_eq!(
        cache.get_many::<u64, _>([1]).scope(acme()).run().unwrap(),
        [Some(1)]
    );
    clock.advance(minute);
    assert_eq!(
        cache.get_many::<u64, _>([1]).scope(acme()).run().unwrap(),
        [None]
    );
    let load = cache
        .get_or_load_many([1], squares)
        .scope(acme())
        .ttl(Duration::ZERO);
    assert_eq!(load.run().unwrap(), [Some(1)]);
    assert_eq!(cache.stats().total_keys, 0);
}

#[test]
fn a_store_is_asked_once_and_told_once() {
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    assert_eq!(
        here.set_many([(1_u32, &1_u64), (2, &4)]).run().unwrap(),
        [true, true]
    );
    client.asked();
    let got = there.get_or_load_many([1, 2, 3, 4], squares).run().unwrap();
    assert_eq!(got, [Some(1), Some(4), Some(9), Some(16)]);
    // a store with bulk operations takes one round trip each; this one's default implementations call once per key
    assert_eq!(client.asked(), ["get", "get", "get", "get", "fill", "fill"]);
    assert_eq!(
        now(here.get_many([1_u32, 3, 5])).unwrap(),
        [Some(1), Some(9_u64), None]
    );
    assert_eq!(client.asked(), ["get", "get"], "the process has the first");
    let stats = there.stats();
    assert_eq!(
        (stats.hits, stats.misses, stats.loads),
        (2, 2, 2),
        "{stats}"
    );
    now(here.set_many([(1_u32, &100_u64)])).unwrap();
    assert_eq!(
        there.get_many::<u64, _>([1_u32]).run().unwrap(),
        [Some(100)]
    );
}

#[test]
fn what_is_evicted_elsewhere_during_a_load_of_many_is_not_left() {
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    let load = |missing: Vec<u32>| {
        there.evict(2_u32).run().unwrap();
        squares(missing)
    };
    let got = here.get_or_load_many([1, 2, 3], load).run().unwrap();
    assert_eq!(got, [Some(1), Some(4), Some(9)]);
    assert_eq!(client.len(), 2);
    assert_eq!(
        there.get_many::<u64, _>([1_u32, 2]).run().unwrap(),
        [Some(1), None]
    );
    assert_eq!(
        here.get_many::<u64, _>([1_u32, 2]).run().unwrap(),
        [Some(1), None]
    );
}

#[test]
fn a_store_that_is_down_is_in_nobodys_way() {
    let client = Client::new();
    let cache = client.cache();
    client.store().down.store(true, Ordering::SeqCst);
    let got = cache.get_or_load_many([1, 2], squares).run().unwrap();
    assert_eq!(got, [Some(1), Some(4)]);
    assert_eq!(
        cache.get_many::<u64, _>([1_u32, 2, 3]).run().unwrap(),
        [Some(1), Some(4), None]
    );
    assert!(cache.set_many([(7_u32, &49_u64)]).run().is_err());
    assert_eq!(
        cache.get(7_u32).run().unwrap(),
        Some(49_u64),
        "the process has it"
    );
}

#[test]
fn another_type_is_an_error() {
    let cache = Cache::builder().build().unwrap();
    cache.set(1_u32, &"one".to_owned()).run().unwrap();
    let error = cache.get_many::<u64, _>([1_u32]).run().unwrap_err();
    assert!(matches!(error, Error::TypeMismatch { .. }), "{error}");
    let error = now(cache.get_or_load_many([1_u32], |it| async { squares(it) })).unwrap_err();
    assert!(matches!(error, Error::TypeMismatch { .. }), "{error}");
}

#[test]
fn a_disabled_cache_has_none_and_loads_all() {
    let cache = Cache::disabled();
    assert_eq!(cache.set_many([(1_u32, &1_u64)]).run().unwrap(), [false]);
    assert_eq!(cache.get_many::<u64, _>([1_u32]).run().unwrap(), [None]);
    assert_eq!(
        cache.get_or_load_many([2], squares).run().unwrap(),
        [Some(4)]
    );
    assert_eq!(cache.stats().total_keys, 0);
}

/// No other call loads a programmatic key, so its values are kept as they are.
#[test]
fn what_was_loaded_at_once_is_found_one_by_one() {
    let builder = Cache::builder().stale(Duration::from_secs(600));
    let cache = builder.refresh_after(0.5).build().unwrap();
    let load = |missing: Vec<u64>| missing.into_iter().map(|id| (id, id * 10));
    let loaded = cache.get_or_load_many([1, 2], load);
    let loaded = loaded.ttl(Duration::from_secs(60)).run().unwrap();
    assert_eq!(loaded, [Some(10), Some(20)]);
    assert_eq!(cache.get::<u64>(1_u64).run().unwrap(), Some(10));
}

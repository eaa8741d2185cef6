//! A cache that keeps no values in the process: its rules decide on what is in the store.

use std::time::Duration;

use cacheado::rule::{Reads, Verdict};
use cacheado::rules::{Lru, MaxItems, Ttl, WTinyLfu};
use cacheado::{Cache, Error, Key, Rule, cache};
use cacheado_tests::store::Client;
use futures::FutureExt;

/// A cache over `client` by `rules`, and which of the keys up to 9 it has.
fn shared_only(
    client: &Client,
    rules: impl Fn(cacheado::CacheBuilder) -> cacheado::CacheBuilder,
) -> Cache {
    rules(client.builder().in_process(false)).build().unwrap()
}

fn set(cache: &Cache, key: u32) -> bool {
    cache.set(key, &key).run().unwrap()
}

fn get(cache: &Cache, key: u32) -> Option<u32> {
    cache.get(key).run().unwrap()
}

/// What the store has, asked by one who leaves no trace.
fn stored(client: &Client) -> Vec<u32> {
    let other = client.builder().in_process(false).build().unwrap();
    (0..10).filter(|key| get(&other, *key).is_some()).collect()
}

#[test]
fn the_least_recently_used_goes_from_the_store() {
    let client = Client::new();
    let cache = shared_only(&client, |builder| builder.rule(Lru::new(3)));
    for key in 0..3 {
        assert!(set(&cache, key));
    }
    assert_eq!(get(&cache, 0), Some(0), "used last");
    assert!(set(&cache, 3));
    assert_eq!(stored(&client), [0, 2, 3]);
    assert_eq!(cache.get_or_load(4_u32, || 4_u32).run().unwrap(), 4);
    assert_eq!(stored(&client), [0, 3, 4]);
    let load = cache.get_or_load(5_u32, || async { 5_u32 }).into_future();
    assert_eq!(load.now_or_never().unwrap().unwrap(), 5);
    assert_eq!(stored(&client), [3, 4, 5]);
    assert!(cache.evict(4_u32).run().unwrap());
    assert!(set(&cache, 6));
    assert_eq!(stored(&client), [3, 5, 6], "what is evicted takes no room");
    cache.set_many([(7_u32, &7_u32), (8, &8)]).run().unwrap();
    assert_eq!(stored(&client), [6, 7, 8]);
    assert_eq!(
        (cache.stats().total_keys, cache.stats().evictions),
        (3, 5 + 1)
    );
}

#[test]
fn what_another_process_has_stored_is_met_and_counts() {
    let client = Client::new();
    let other = client.builder().in_process(false).build().unwrap();
    let cache = shared_only(&client, |builder| builder.rule(Lru::new(2)));
    for key in 0..3 {
        set(&other, key);
        assert_eq!(get(&cache, key), Some(key));
    }
    assert_eq!(stored(&client), [1, 2]);
    assert!(other.evict(1_u32).run().unwrap());
    set(&cache, 3);
    assert_eq!(stored(&client), [2, 3], "it heard that one had gone");
}

#[test]
fn when_it_is_full_new_keys_are_rejected() {
    let client = Client::new();
    let cache = shared_only(&client, |builder| builder.rule(MaxItems::new(2)));
    assert!(set(&cache, 0) && set(&cache, 1));
    assert!(!set(&cache, 2));
    assert!(set(&cache, 1), "it is no new one");
    assert_eq!(stored(&client), [0, 1]);
    assert_eq!(cache.get_or_load(3_u32, || 3_u32).run().unwrap(), 3);
    assert_eq!(stored(&client), [0, 1]);
}

#[test]
fn lifetimes_are_limited_in_the_store() {
    let client = Client::new();
    let limit = Duration::from_secs(10);
    let cache = shared_only(&client, |builder| builder.rule(Ttl::new().max(limit)));
    cache.set(1_u32, &1_u32).ttl(2 * limit).run().unwrap();
    client
        .store()
        .clock
        .advance(limit - Duration::from_nanos(1));
    assert_eq!(get(&cache, 1), Some(1));
    client.store().clock.advance(Duration::from_nanos(1));
    assert_eq!(get(&cache, 1), None);
    assert_eq!(cache.stats().total_keys, 0);
}

#[test]
fn frequency_decides_there_too() {
    let client = Client::new();
    let cache = shared_only(&client, |builder| builder.rule(WTinyLfu::new(100)));
    for key in 0..1000_u32 {
        cache.get_or_load(key, || key).run().unwrap();
    }
    assert_eq!(client.len(), 100);
}

#[cache(cache = cache, skip(cache), max_items = 2)]
fn bounded(cache: &Cache, n: u32) -> u32 {
    let _ = cache;
    n
}

#[test]
fn a_functions_own_bound_holds_in_the_store() {
    let client = Client::new();
    let cache = shared_only(&client, |builder| builder);
    for n in 0..5 {
        bounded(&cache, n);
    }
    assert_eq!(client.len(), 2);
    bounded(&cache, 4);
    assert_eq!(cache.stats().hits, 1);
}

#[test]
fn another_type_is_told_by_the_store() {
    let client = Client::new();
    let cache = shared_only(&client, |builder| builder.rule(Lru::new(2)));
    set(&cache, 1);
    let error = cache.get::<String>(1_u32).run().unwrap_err();
    assert!(
        matches!(&error, Error::TypeMismatch { stored, .. } if stored == "u32"),
        "{error}"
    );
}

#[test]
fn what_lives_for_no_time_is_stored_nowhere() {
    let client = Client::new();
    let cache = client.builder().in_process(false).build().unwrap();
    let set = cache.set("key", &1_u8).ttl(Duration::ZERO);
    assert!(!set.run().unwrap());
    let set = cache.set_many([("key", &1_u8)]).ttl(Duration::ZERO);
    assert_eq!(set.run().unwrap(), [false]);
    assert!(client.is_empty());
}

/// Drops whatever is found.
struct Once;

impl Rule for Once {
    fn name(&self) -> &'static str {
        "Once"
    }

    fn reads(&self) -> Reads {
        Reads::Call
    }

    fn on_get(&self, _: &Key) -> Verdict {
        Verdict::Drop
    }
}

#[cache(cache = cache, skip(cache, new))]
fn newest(cache: &Cache, new: u32) -> u32 {
    new
}

#[test]
fn what_a_rule_drops_is_a_miss() {
    let client = Client::new();
    let cache = shared_only(&client, |builder| builder.rule(Once));
    let look_ups: [fn(&Cache) -> Option<u32>; 6] = [
        |cache| get(cache, 1),
        |cache| {
            let get = cache.get(1_u32).into_future();
            get.now_or_never().unwrap().unwrap()
        },
        |cache| cache.get_many([1_u32]).run().unwrap()[0],
        |cache| {
            let get = cache.get_many([1_u32]).into_future();
            get.now_or_never().unwrap().unwrap()[0]
        },
        |cache| {
            let load = cache.get_or_load(1_u32, || 7_u32).run().unwrap();
            (load != 7).then_some(load)
        },
        |cache| {
            let loaded = newest(cache, 7);
            (loaded != 7).then_some(loaded)
        },
    ];
    for (nth, look_up) in look_ups.into_iter().enumerate() {
        set(&cache, 1);
        newest(&cache, 1);
        cache.reset_stats();
        assert_eq!(look_up(&cache), None, "{nth}");
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses), (0, 1), "{nth}");
        if nth < 4 {
            assert_eq!(stored(&client), [0; 0], "{nth}");
        }
        cache.clear().run().unwrap();
    }
}

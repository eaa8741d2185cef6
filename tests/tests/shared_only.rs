//! A cache that keeps no values in the process: its rules decide what is in the store.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheado::backends::{Backend, BackendFuture, BackendResult, Lookup, Payload};
use cacheado::rule::{Reads, Verdict};
use cacheado::rules::{Lru, MaxItems, Ttl, WTinyLfu};
use cacheado::{Cache, CacheBuilder, Error, Key, Rule, Scope, cache, peek};
use cacheado_tests::store::Client;
use futures::FutureExt;

/// A shared-only cache over `client` with `rules`.
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

/// The keys below 10 in the store, read by a cache that leaves no trace.
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

/// Drops every entry that is found.
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

/// A store for which the remaining lifetime of a value costs extra, so it reports it only on request.
struct Costly {
    client: Client,
    /// The lookups so far.
    looked_up: Arc<Mutex<Vec<&'static str>>>,
}

impl Costly {
    fn look_up(&self, how: &'static str) {
        self.looked_up.lock().unwrap().push(how);
    }

    fn without_lifetime(found: Lookup) -> Lookup {
        match found {
            Lookup::Hit(payload) => Lookup::Hit(Payload {
                lifetime: None,
                ..payload
            }),
            miss @ Lookup::Miss(_) => miss,
        }
    }
}

impl Backend for Costly {
    fn name(&self) -> &'static str {
        "costly"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.look_up("get");
        self.client.get(key)
    }

    fn get_value(&self, key: &Key) -> BackendResult<Lookup> {
        self.look_up("get_value");
        self.client.get(key).map(Self::without_lifetime)
    }

    fn get_value_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        Box::pin(ready(self.get_value(key)))
    }

    fn get_many(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        self.look_up("get_many");
        self.client.get_many(keys)
    }

    fn get_values(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        self.look_up("get_values");
        let found = self.client.get_many(keys)?.into_iter();
        Ok(found.map(Self::without_lifetime).collect())
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.client.set(key, payload)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.client.evict(key)
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.client.evict_by_scope(scope)
    }

    fn clear(&self) -> BackendResult<()> {
        self.client.clear()
    }
}

/// A cache over a [`Costly`] store, and the lookups there since the last call.
fn costly(
    client: &Client,
    with: impl Fn(CacheBuilder) -> CacheBuilder,
) -> (Cache, impl Fn() -> Vec<&'static str>) {
    let looked_up = Arc::<Mutex<Vec<_>>>::default();
    let store = Costly {
        client: client.clone(),
        looked_up: Arc::clone(&looked_up),
    };
    let builder = Cache::builder().clock(client.store().clock.clone());
    let cache = with(builder.backend(store)).build().unwrap();
    (cache, move || {
        std::mem::take(&mut *looked_up.lock().unwrap())
    })
}

#[cache(ttl = 60, name = "rate", cache = cache, skip(cache, body))]
fn rate(cache: &Cache, body: u32) -> u32 {
    body
}

#[cache(ttl = 60, stale = 60, name = "rate", cache = cache, skip(cache, body))]
fn rate_that_may_be_stale(cache: &Cache, body: u32) -> u32 {
    body
}

#[cache(ttl = 60, refresh_after = 0.8, name = "early", cache = cache, skip(cache))]
fn early(cache: &Cache) -> u32 {
    1
}

#[cache(ttl = 60, max_items = 3, name = "bound", cache = cache, skip(cache))]
fn bound(cache: &Cache) -> u32 {
    1
}

#[test]
fn where_no_copy_is_kept_nobody_asks_how_long_a_value_still_lives() {
    let client = Client::new();
    let (cache, looked_up) = costly(&client, |builder| builder.in_process(false));
    assert_eq!((rate(&cache, 1), rate(&cache, 2)), (1, 1));
    assert_eq!(peek!(rate(&cache, 0)).unwrap(), Some(1));
    assert_eq!(looked_up(), ["get_value"; 3]);
    assert!(set(&cache, 7));
    assert_eq!(get(&cache, 7), Some(7));
    assert_eq!(
        cache
            .get(7_u32)
            .into_future()
            .now_or_never()
            .unwrap()
            .unwrap(),
        Some(7_u32)
    );
    assert_eq!(looked_up(), ["get_value"; 2]);
    assert_eq!(
        cache.get_many::<u32, _>([7_u32, 8]).run().unwrap(),
        [Some(7), None]
    );
    assert_eq!(looked_up(), ["get_values"]);
}

#[test]
fn whoever_goes_by_what_is_left_of_a_lifetime_asks_for_it() {
    let client = Client::new();
    let clock = &client.store().clock;
    let looks_up = |with: &dyn Fn(CacheBuilder) -> CacheBuilder, call: fn(&Cache) -> u32| {
        client.forget();
        let (other, _) = costly(&client, |builder| builder.in_process(false));
        call(&other);
        let (cache, looked_up) = costly(&client, with);
        assert_eq!(call(&cache), 1);
        looked_up()
    };
    let only: &dyn Fn(CacheBuilder) -> CacheBuilder = &|builder| builder.in_process(false);
    let plain: fn(&Cache) -> u32 = |cache| rate(cache, 1);
    assert_eq!(looks_up(only, plain), ["get_value"]);
    // a copy ends with its value; a rule then forgets it; so does the function's bound; a refresh is due after a part of the lifetime
    assert_eq!(looks_up(&|builder| builder, plain), ["get"]);
    assert_eq!(
        looks_up(&|builder| only(builder).rule(Lru::new(3)), plain),
        ["get"]
    );
    assert_eq!(looks_up(only, bound), ["get"]);
    assert_eq!(looks_up(only, early), ["get"]);
    assert_eq!(
        looks_up(only, |cache| rate_that_may_be_stale(cache, 1)),
        ["get"]
    );

    let (cache, _) = costly(&client, |builder| builder);
    let (other, _) = costly(&client, |builder| builder.in_process(false));
    client.forget();
    rate(&other, 1);
    clock.advance(Duration::from_secs(59));
    assert_eq!(rate(&cache, 2), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(rate(&cache, 2), 2, "its copy lives no longer than it does");
}

/// Two builds, or two functions of one name, may differ in how their values age.
#[test]
fn what_only_stands_in_for_another_is_no_value_to_who_keeps_no_copy() {
    let client = Client::new();
    let clock = &client.store().clock;
    let (cache, looked_up) = costly(&client, |builder| builder.in_process(false));
    assert_eq!(rate_that_may_be_stale(&cache, 1), 1);
    looked_up();
    clock.advance(Duration::from_secs(59));
    assert_eq!(rate(&cache, 2), 1);
    assert_eq!(looked_up(), ["get_value", "get"]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(peek!(rate(&cache, 0)).unwrap(), None);
    assert_eq!(rate(&cache, 2), 2);

    assert_eq!(rate_of(&cache, 7, 1), 1);
    clock.advance(Duration::from_secs(59));
    looked_up();
    assert_eq!(rates_of(&cache, &[7], 2)[&7], 1);
    assert_eq!(looked_up(), ["get_values", "get_many"]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(rates_of(&cache, &[7], 2)[&7], 2);
}

#[cache(ttl = 60, stale = 60, name = "rates", cache = cache, skip(cache, body))]
fn rate_of(cache: &Cache, id: u32, body: u32) -> u32 {
    body
}

#[cache(ttl = 60, name = "rates", cache = cache, skip(cache, body), batch(ids))]
fn rates_of(cache: &Cache, ids: &[u32], body: u32) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, body)).collect()
}

//! The cache itself: its operations, blocking and async, its handles, and its error messages.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cacheado::backends::Redis;
use cacheado::rules::{Lru, MaxItems, Ttl};
use cacheado::testing::ManualClock;
use cacheado::{Cache, Error, Key, cache, scopes};
use futures::executor::block_on;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

#[test]
fn set_get_and_evict() {
    let cache = cache();
    assert_eq!(cache.get::<String>("key").run().unwrap(), None);
    assert!(cache.set("key", &"one".to_owned()).run().unwrap());
    assert!(cache.set("key", &"two".to_owned()).run().unwrap());
    assert_eq!(cache.get("key").run().unwrap(), Some("two".to_owned()));
    assert!(cache.evict("key").run().unwrap());
    assert!(!cache.evict("key").run().unwrap());
    assert_eq!(cache.get::<String>("key").run().unwrap(), None);
}

#[test]
fn each_operation_can_be_awaited() {
    block_on(async {
        let cache = cache();
        let user = || scope::user("acme", 7);
        let ttl = Duration::from_mins(1);
        assert!(
            cache
                .set("key", &1_u8)
                .ttl(ttl)
                .scope(user())
                .await
                .unwrap()
        );
        assert_eq!(cache.get("key").scope(user()).await.unwrap(), Some(1_u8));
        assert_eq!(cache.get::<u8>("key").await.unwrap(), None);
        assert_eq!(cache.keys().scope(user()).await.unwrap().len(), 1);
        assert!(cache.evict("key").scope(user()).await.unwrap());
        cache.set("key", &1_u8).scope(user()).await.unwrap();
        let organization = scope::organization("acme");
        assert_eq!(cache.evict_by_scope(organization).await.unwrap(), 1);
        cache.set("key", &1_u8).await.unwrap();
        cache.clear().await.unwrap();
        assert_eq!(cache.keys().await.unwrap(), [] as [Key; 0]);
        let loaded = cache
            .get_or_load("key", || async { 5_u8 })
            .scope(user())
            .await;
        assert_eq!(loaded.unwrap(), 5);
        let failed = cache.try_get_or_load("other", || async { Err::<u8, _>("no") });
        assert_eq!(failed.await, Err("no"));
    });
}

#[test]
fn an_operation_does_nothing_until_it_is_carried_out() {
    let cache = cache();
    drop(cache.set("key", &1_u8));
    drop(cache.set("key", &1_u8).into_future());
    drop(cache.get_or_load("key", || 1_u8));
    assert_eq!(cache.stats().total_keys, 0);
    cache.set("key", &1_u8).run().unwrap();
    drop(cache.evict("key"));
    drop(cache.evict("key").into_future());
    drop(cache.clear());
    assert_eq!(cache.stats().total_keys, 1);
}

/// The futures of operations, with the loaders they take, can be awaited on another thread than the one that made them.
#[test]
fn futures_are_send() {
    fn send<T>(future: impl Future<Output = T> + Send) -> T {
        block_on(future)
    }

    let cache = cache();
    send(cache.set("key", &1_u8).into_future()).unwrap();
    assert_eq!(send(cache.get("key").into_future()).unwrap(), Some(1_u8));
    let load = || async {
        tokio::task::yield_now().await;
        2_u8
    };
    assert_eq!(
        send(cache.get_or_load("other", load).into_future()).unwrap(),
        2
    );
    let load = || async { Ok::<u8, String>(3) };
    assert_eq!(
        send(cache.try_get_or_load("third", load).into_future()),
        Ok(3)
    );
    send(cache.evict("key").into_future()).unwrap();
    send(cache.evict_by_scope(scope::global()).into_future()).unwrap();
    send(cache.clear().into_future()).unwrap();
}

/// A `Result` can be stored, but a failed one is not kept.
#[test]
fn get_or_load_keeps_no_failure() {
    type Price = Result<u32, String>;

    /// Has the variants of a `Result`, but is none.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    enum Answer {
        Ok(u32),
        Err(String),
    }

    let cache = Cache::builder().build().unwrap();
    let runs = AtomicU32::new(0);
    let fails = || -> Price {
        runs.fetch_add(1, Ordering::Relaxed);
        Err("no".to_owned())
    };
    for _ in 0..2 {
        let price: Price = cache.get_or_load("price", fails).run().unwrap();
        assert_eq!(price, Err("no".to_owned()));
        let price: Price = block_on(
            cache
                .get_or_load("price", || async { fails() })
                .into_future(),
        )
        .unwrap();
        assert_eq!(price, Err("no".to_owned()));
    }
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    let price: Price = cache.get_or_load("price", || Ok(7)).run().unwrap();
    assert_eq!(price, Ok(7));
    assert_eq!(cache.get_or_load("price", fails).run().unwrap(), Ok(7));
    let answer = cache.get_or_load("answer", || Answer::Err("no".to_owned()));
    assert_eq!(answer.run().unwrap(), Answer::Err("no".to_owned()));
    let answer = cache.get_or_load("answer", || Answer::Ok(1));
    assert_eq!(answer.run().unwrap(), Answer::Err("no".to_owned()));
}

#[test]
fn get_or_load_loads_once() {
    let cache = cache();
    let runs = Cell::new(0);
    let load = || {
        runs.set(runs.get() + 1);
        runs.get()
    };
    assert_eq!(cache.get_or_load("key", load).run().unwrap(), 1);
    assert_eq!(cache.get_or_load("key", load).run().unwrap(), 1);
    assert_eq!(cache.get("key").run().unwrap(), Some(1));
    let user = scope::user("acme", 7);
    assert_eq!(cache.get_or_load("key", load).scope(user).run().unwrap(), 2);
    let awaited = cache.get_or_load("key", || async { 9 });
    assert_eq!(block_on(awaited.into_future()).unwrap(), 1);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.loads), (3, 2, 2));
}

#[test]
fn get_or_load_has_a_lifetime() {
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).build().unwrap();
    let ttl = Duration::from_secs(1);
    assert_eq!(cache.get_or_load("key", || 1).ttl(ttl).run().unwrap(), 1);
    let load = || async { Ok::<_, String>(2) };
    block_on(cache.try_get_or_load("other", load).ttl(ttl).into_future()).unwrap();
    assert_eq!(cache.stats().total_keys, 2);
    clock.advance(ttl);
    assert_eq!(cache.stats().total_keys, 0);
    assert_eq!(cache.get_or_load("key", || 3).run().unwrap(), 3);
}

#[test]
fn try_get_or_load_does_not_store_an_err() {
    let cache = cache();
    let failed = cache.try_get_or_load("key", || Err::<u8, _>("no")).run();
    assert_eq!(failed, Err("no"));
    let loaded = cache.try_get_or_load("key", || Ok::<_, ()>(1_u8)).run();
    assert_eq!(loaded, Ok(1));
    let kept = cache.try_get_or_load("key", || Err::<u8, _>("no")).run();
    assert_eq!(kept, Ok(1));
    assert_eq!(cache.stats().loads, 2);
}

#[test]
fn a_loader_may_use_the_cache() {
    let cache = cache();
    let outer = || {
        let inner = || cache.get_or_load("key", || 1).run().unwrap() + 1;
        cache.get_or_load("inner", inner).run().unwrap() + 1
    };
    assert_eq!(cache.get_or_load("key", outer).run().unwrap(), 3);
    assert_eq!(cache.get("inner").run().unwrap(), Some(2));
}

#[test]
fn a_value_read_as_another_type_is_an_err_that_names_both() {
    let cache = cache();
    cache.set("settings", &7_u32).run().unwrap();
    let error = cache.get::<String>("settings").run().unwrap_err();
    let message = error.to_string();
    for part in ["settings", "u32", "String"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(matches!(error, Error::TypeMismatch { .. }));
    let awaited = block_on(cache.get::<i32>("settings").into_future());
    assert!(matches!(awaited, Err(Error::TypeMismatch { .. })));
    assert_eq!(
        cache.get("settings").run().unwrap(),
        Some(7_u32),
        "it stays"
    );
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (1, 2));
}

#[test]
fn a_value_of_another_type_is_a_miss_for_get_or_load() {
    let cache = cache();
    cache.set("key", &7_u32).run().unwrap();
    let loaded: String = cache
        .get_or_load("key", || "text".to_owned())
        .run()
        .unwrap();
    assert_eq!(loaded, "text");
    assert_eq!(cache.get("key").run().unwrap(), Some("text".to_owned()));
}

#[test]
fn set_answers_false_if_a_rule_refuses() {
    let cache = Cache::builder().rule(MaxItems::new(1)).build().unwrap();
    assert!(cache.set("a", &1).run().unwrap());
    assert!(!cache.set("b", &1).run().unwrap());
    assert!(!block_on(cache.set("b", &1).into_future()).unwrap());
    assert_eq!(cache.get_or_load("b", || 2).run().unwrap(), 2);
    assert_eq!(cache.get::<i32>("b").run().unwrap(), None);
}

#[test]
fn clones_are_one_cache() {
    let one = Cache::builder().rule(Lru::new(2)).build().unwrap();
    let two = one.clone();
    one.set("key", &1).run().unwrap();
    assert_eq!(two.get("key").run().unwrap(), Some(1));
    assert_eq!(one.stats(), two.stats());
    two.clear().run().unwrap();
    assert_eq!(one.stats().total_keys, 0);
    two.reset_stats();
    assert_eq!(one.stats().hits, 0);
    drop(one);
    two.set("key", &2).run().unwrap();
    assert_eq!(two.get("key").run().unwrap(), Some(2));
}

#[cache(cache = cache, skip(cache), scope = "organization")]
fn counted(cache: &Cache, org_id: &str, runs: &Runs) -> u32 {
    let _ = (cache, org_id);
    runs.0.fetch_add(1, Ordering::SeqCst)
}

/// Serializes as nothing, so it does not add to the key.
#[derive(Default)]
struct Runs(AtomicU32);

impl serde::Serialize for Runs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

#[test]
fn several_caches_stand_side_by_side() {
    let (one, two) = (cache(), cache());
    let runs = Runs::default();
    assert_eq!(counted(&one, "acme", &runs), 0);
    assert_eq!(counted(&two, "acme", &runs), 1);
    assert_eq!(counted(&one, "acme", &runs), 0);
    one.set("key", &"one".to_owned()).run().unwrap();
    assert_eq!(two.get::<String>("key").run().unwrap(), None);
    let organization = scope::organization("acme");
    assert_eq!(one.evict_by_scope(organization).run().unwrap(), 1);
    assert_eq!(counted(&two, "acme", &runs), 1);
    one.clear().run().unwrap();
    assert_eq!((one.stats().total_keys, two.stats().total_keys), (0, 1));
    assert_eq!((one.stats().hits, two.stats().hits), (1, 1));
}

#[test]
fn a_disabled_cache_runs_everything_and_keeps_nothing() {
    let cache = Cache::disabled();
    assert!(!cache.is_enabled());
    let runs = Runs::default();
    for expected in 0..3 {
        assert_eq!(counted(&cache, "acme", &runs), expected);
    }
    assert!(!cache.set("key", &1).run().unwrap());
    assert!(!block_on(cache.set("key", &1).into_future()).unwrap());
    assert_eq!(cache.get::<i32>("key").run().unwrap(), None);
    assert_eq!(cache.get_or_load("key", || 1).run().unwrap(), 1);
    assert_eq!(cache.get_or_load("key", || 2).run().unwrap(), 2);
    let awaited = cache.get_or_load("key", || async { 3 });
    assert_eq!(block_on(awaited.into_future()).unwrap(), 3);
    let failed = cache.try_get_or_load("key", || Err::<u8, _>("no")).run();
    assert_eq!(failed, Err("no"));
    assert!(!cache.evict("key").run().unwrap());
    assert_eq!(cache.evict_by_scope(scope::global()).run().unwrap(), 0);
    cache.clear().run().unwrap();
    assert_eq!(cache.keys().run().unwrap().len(), 0);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.loads), (0, 8, 7));
    assert_eq!((stats.total_keys, &*stats.storage_type), (0, "disabled"));
}

#[test]
fn keys_lists_what_is_there_and_where() {
    let cache = cache();
    cache
        .set("theme", &1)
        .scope(scope::user("acme", 7))
        .run()
        .unwrap();
    cache.set(("a", 1), &1).run().unwrap();
    counted(&cache, "acme", &Runs::default());
    let shown =
        |keys: Vec<Key>| -> BTreeSet<String> { keys.iter().map(ToString::to_string).collect() };
    let all = shown(cache.keys().run().unwrap());
    let expected = [
        "global (programmatic)((\"a\", 1))",
        "organization=acme cache_api::counted(())",
        "organization=acme/user=7 (programmatic)(\"theme\")",
    ];
    assert_eq!(all, expected.map(str::to_owned).into());
    let organization = cache.keys().scope(scope::organization("acme"));
    assert_eq!(organization.run().unwrap().len(), 2);
    let user = shown(cache.keys().scope(scope::user("acme", 7)).run().unwrap());
    assert_eq!(user.len(), 1);
    assert!(user.first().unwrap().contains("theme"));
    let other = cache.keys().scope(scope::organization("acm"));
    assert_eq!(other.run().unwrap().len(), 0);
}

#[test]
fn clear_empties_and_counts_on() {
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .clock(clock.clone())
        .rule(Lru::new(9))
        .build()
        .unwrap();
    let held = Arc::new(1);
    let minute = Duration::from_mins(1);
    cache.set("key", &held).ttl(minute).run().unwrap();
    cache
        .set("key", &held)
        .scope(scope::user("acme", 7))
        .run()
        .unwrap();
    cache.get::<Arc<i32>>("key").run().unwrap();
    cache.clear().run().unwrap();
    assert_eq!(Arc::strong_count(&held), 1);
    clock.advance(minute);
    let stats = cache.stats();
    assert_eq!((stats.total_keys, stats.hits), (0, 1));
    assert_eq!((stats.evictions, stats.expirations), (0, 0));
    assert_eq!(cache.evict_by_scope(scope::global()).run().unwrap(), 0);
    assert!(cache.set("key", &held).run().unwrap());
    assert_eq!(cache.stats().total_keys, 1);
}

#[test]
fn the_name_is_the_builders() {
    let named = Cache::builder().name("storefront").build().unwrap();
    assert_eq!(named.name(), "storefront");
    assert!(named.is_enabled());
    assert_eq!(cache().name(), "cacheado");
    assert!(format!("{named:?}").contains("storefront"));
}

#[test]
fn rules_of_the_builder_apply_to_every_operation() {
    let clock = ManualClock::new();
    let second = Duration::from_secs(1);
    let cache = Cache::builder()
        .clock(clock.clone())
        .rule(Ttl::new().default(second))
        .rule(Lru::new(2))
        .build()
        .unwrap();
    cache.set("a", &1).run().unwrap();
    cache.get_or_load("b", || 1).run().unwrap();
    counted(&cache, "acme", &Runs::default());
    assert_eq!(cache.get::<i32>("a").run().unwrap(), None);
    assert_eq!(cache.stats().total_keys, 2);
    clock.advance(second);
    assert_eq!(cache.stats().total_keys, 0);
}

/// Dropping a value runs user code, which may call the cache.
#[test]
fn a_value_may_use_the_cache_when_it_is_dropped() {
    struct Nosy(Cache);

    impl Drop for Nosy {
        fn drop(&mut self) {
            self.0.set("dropped", &1_u32).run().unwrap();
            self.0.evict("anything").run().unwrap();
            let _ = self.0.stats();
        }
    }

    #[cache(cache = cache, skip(cache), local, scope = "organization")]
    fn nosy(cache: &Cache, org_id: &str) -> Arc<Nosy> {
        let _ = org_id;
        Arc::new(Nosy(cache.clone()))
    }

    let dropped = |cache: &Cache| {
        let found = cache.get::<u32>("dropped").run().unwrap().is_some();
        cache.evict("dropped").run().unwrap();
        found
    };
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone()).rule(Lru::new(3));
    let builder = builder.rule(Ttl::new().max(Duration::from_secs(1)));
    let cache = builder.build().unwrap();
    nosy(&cache, "acme");
    cache
        .evict_by_scope(scope::organization("acme"))
        .run()
        .unwrap();
    assert!(dropped(&cache), "by scope");
    nosy(&cache, "acme");
    clock.advance(Duration::from_secs(1));
    assert!(dropped(&cache), "by expiry");
    for org in ["a", "b", "c", "d"] {
        nosy(&cache, org);
    }
    assert!(dropped(&cache), "by a rule");
    cache.evict_by_scope(scope::global()).run().unwrap();
    assert!(dropped(&cache), "by the root scope");
}

#[test]
fn a_builder_shows_what_it_was_told_and_no_secret() {
    let redis = Redis::new("redis://ada:hunter2@cache.example:6379").unwrap();
    let builder = Cache::builder()
        .name("storefront")
        .rule(Ttl::new().max(Duration::from_secs(77)))
        .max_items(10_000)
        .backend(redis)
        .secret_key([171; 32]);
    let shown = format!("{builder:?}");
    for part in [
        "CacheBuilder",
        "storefront",
        "redis",
        "Ttl",
        "max_items",
        "10000",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for secret in ["ada", "hunter2", "cache.example", "171"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

//! Bad input: settings that make no sense are refused with an `Err` that names them, and nothing panics.

use std::cell::Cell;
use std::time::Duration;

use cacheado::backends::{Backend, BackendResult, Lookup, Memcached, MongoDb, Payload, Redis};
use cacheado::rules::{Lru, MaxItems, Ttl, WTinyLfu};
use cacheado::testing::Chaos;
use cacheado::{Cache, CacheBuilder, Error, Key, Scope, cache, evict, peek, put, refresh, scopes};
use futures::executor::block_on;
use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};

scopes! { organization(org_id) }

const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

/// The message with which the builder refuses.
fn refusal(builder: CacheBuilder) -> String {
    let error = builder.build().expect_err("it has no sense");
    assert!(matches!(error, Error::Config { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn rules_without_sense_are_refused_by_name() {
    for (builder, named) in [
        (Cache::builder().rule(Lru::new(0)), "Lru::new(0)"),
        (Cache::builder().rule(MaxItems::new(0)), "MaxItems::new(0)"),
        (Cache::builder().rule(WTinyLfu::new(0)), "WTinyLfu::new(0)"),
        (
            Cache::builder().rule(Ttl::new().default(ZERO)),
            "Ttl::default(0)",
        ),
        (Cache::builder().rule(Ttl::new().max(ZERO)), "Ttl::max(0)"),
        (
            Cache::builder().rule(Ttl::new().sweep(ZERO)),
            "Ttl::sweep(0)",
        ),
    ] {
        let refusal = refusal(builder);
        assert!(refusal.starts_with(named), "{refusal}");
        assert!(
            refusal.len() > named.len() + 10,
            "it says what to do: {refusal}"
        );
    }
}

#[test]
fn a_default_longer_than_the_maximum_is_refused() {
    let rule = Ttl::new().default(2 * SECOND).max(SECOND);
    let refusal = refusal(Cache::builder().rule(rule));
    for part in ["Ttl", "default", "2s", "maximum", "1s"] {
        assert!(refusal.contains(part), "{refusal}");
    }
    let equal = Ttl::new().default(SECOND).max(SECOND);
    assert!(Cache::builder().rule(equal).build().is_ok());
}

#[test]
fn a_rule_is_checked_wherever_it_stands() {
    let builder = Cache::builder().rule(Lru::new(1)).rule(MaxItems::new(1));
    assert!(refusal(builder.rule(Lru::new(0))).starts_with("Lru::new(0)"));
}

#[test]
fn a_builder_without_sense_is_refused() {
    for (builder, named) in [
        (Cache::builder().in_process(false), "in_process(false)"),
        (Cache::builder().name(""), "name(\"\")"),
        (Cache::builder().flight_timeout(ZERO), "flight_timeout(0)"),
    ] {
        let refusal = refusal(builder);
        assert!(refusal.starts_with(named), "{refusal}");
        assert!(
            refusal.len() > named.len() + 10,
            "it says what to do: {refusal}"
        );
    }
}

#[test]
fn a_backend_without_sense_is_refused() {
    let redis = || Redis::new("redis://127.0.0.1:1").unwrap();
    let mongo = || MongoDb::new("mongodb://127.0.0.1:1").unwrap();
    let memcached = || Memcached::new("127.0.0.1:1").unwrap();
    let with = |backend| Cache::builder().backend(Chaos::new(backend));
    for (builder, named) in [
        (with(redis().timeout(ZERO)), "Redis::timeout(0)"),
        (with(redis().load_limit(ZERO)), "Redis::load_limit(0)"),
        (
            Cache::builder().backend(mongo().timeout(ZERO)),
            "MongoDb::timeout(0)",
        ),
        (
            Cache::builder().backend(mongo().load_limit(ZERO)),
            "MongoDb::load_limit(0)",
        ),
        (
            Cache::builder().backend(memcached().timeout(ZERO)),
            "Memcached::timeout(0)",
        ),
        (
            Cache::builder().backend(memcached().load_limit(ZERO)),
            "Memcached::load_limit(0)",
        ),
    ] {
        let refusal = refusal(builder);
        assert!(refusal.starts_with(named), "{refusal}");
        assert!(refusal.contains("longer than zero"), "{refusal}");
    }
}

/// A malformed address is refused with an error that shows the expected form.
#[test]
fn an_address_that_is_none_is_answered_by_how_one_looks() {
    let refused = [
        Redis::new("localhost").map(drop).unwrap_err(),
        MongoDb::new("localhost").map(drop).unwrap_err(),
        Memcached::new("local host").map(drop).unwrap_err(),
    ];
    for (error, form) in refused
        .iter()
        .zip(["redis://", "mongodb://", "memcached://"])
    {
        assert!(error.to_string().contains(form), "{error}");
    }
}

/// Nothing listens on port 1.
#[test]
fn what_can_not_be_reached_is_named() {
    fn said(backend: impl Backend) -> String {
        let cache = Cache::builder().backend(backend).build().unwrap();
        cache.set("key", &1_u8).run().unwrap_err().to_string()
    }
    let url = "redis://127.0.0.1:1";
    let errors = [
        said(Redis::new(url).unwrap()),
        said(Redis::cluster([url]).unwrap()),
        said(Redis::sentinel([url], "main").unwrap()),
        said(Memcached::new("127.0.0.1:1").unwrap()),
        said(Memcached::several(["127.0.0.1:1", "127.0.0.1:2"]).unwrap()),
    ];
    for error in errors {
        assert!(error.contains("127.0.0.1:1"), "{error}");
    }
}

/// A panic of a cached function can be caught by its caller.
#[test]
fn a_cache_can_be_used_where_panics_are_caught() {
    #[cache(cache = cache, skip(cache))]
    fn odd(cache: &Cache, n: u32) -> u32 {
        let _ = cache;
        assert!(n % 2 == 1, "{n} is even");
        n
    }
    let cache = Cache::builder().build().unwrap();
    assert!(std::panic::catch_unwind(|| odd(&cache, 2)).is_err());
    assert_eq!(std::panic::catch_unwind(|| odd(&cache, 3)).unwrap(), 3);
    assert_eq!(cache.stats().total_keys, 1);
}

type Bound = fn(CacheBuilder, u64) -> CacheBuilder;

/// The builder's bounds, each with the given limit.
const BOUNDS: [(&str, Bound); 3] = [
    ("max_items", CacheBuilder::max_items),
    ("max_bytes", CacheBuilder::max_bytes),
    ("max_weight", |builder, most| {
        builder.max_weight(most, |_| 1)
    }),
];

#[test]
fn a_bound_of_nothing_is_refused_by_name() {
    for (name, bound) in BOUNDS {
        let refusal = refusal(bound(Cache::builder(), 0));
        assert!(refusal.starts_with(&format!("{name}(0)")), "{refusal}");
        assert!(refusal.contains("Cache::disabled()"), "{refusal}");
        for most in [1, u64::MAX] {
            let cache = bound(Cache::builder(), most).build();
            assert!(cache.is_ok(), "{name}({most})");
        }
    }
}

#[test]
fn two_bounds_are_refused_and_both_named() {
    for (first, one) in BOUNDS {
        for (second, other) in BOUNDS {
            // two bounds are the mistake, whatever their values
            for most in [10, 0] {
                let refusal = refusal(other(one(Cache::builder(), 10), most));
                let named = format!("{first} and {second}");
                assert!(refusal.starts_with(&named), "{refusal}");
                assert!(refusal.contains("leave out one"), "{refusal}");
            }
        }
    }
}

#[test]
fn two_rules_that_keep_an_order_are_refused_and_both_named() {
    let rule = || WTinyLfu::new(10);
    for (name, bound) in BOUNDS {
        for builder in [
            bound(Cache::builder().rule(rule()), 10),
            bound(Cache::builder(), 10).rule(rule()),
        ] {
            let refusal = refusal(builder);
            assert!(refusal.contains("WTinyLfu"), "{name}: {refusal}");
            assert!(refusal.contains("leave out one"), "{name}: {refusal}");
        }
        // the other rules keep no order
        let beside = bound(Cache::builder().rule(Ttl::new()), 10).rule(Lru::new(5));
        assert!(beside.build().is_ok(), "{name}");
    }
    let twice = refusal(Cache::builder().rule(rule()).rule(rule()));
    assert!(twice.contains("WTinyLfu and WTinyLfu"), "{twice}");
}

#[test]
fn a_weigher_beside_a_bound_is_refused_and_both_named() {
    for (name, bound) in BOUNDS {
        for builder in [
            bound(Cache::builder().weigher(|_| 1), 10),
            bound(Cache::builder(), 10).weigher(|_| 1),
        ] {
            let refusal = refusal(builder);
            let named = format!("{name} and weigher");
            assert!(refusal.starts_with(&named), "{refusal}");
            assert!(refusal.contains("max_weight"), "{refusal}");
        }
    }
    let shared_only = Cache::builder().backend(Nothing).in_process(false);
    let refusal = refusal(shared_only.weigher(|_| 1));
    assert!(
        refusal.contains("weigher and in_process(false)"),
        "{refusal}"
    );
}

#[test]
fn a_weigher_that_nothing_asks_is_refused() {
    let alone = refusal(Cache::builder().weigher(|_| 1));
    assert!(alone.starts_with("weigher without a rule"), "{alone}");
    assert!(alone.contains("max_weight"), "{alone}");
    let twice = refusal(
        Cache::builder()
            .rule(WTinyLfu::new(10))
            .weigher(|_| 1)
            .weigher(|_| 2),
    );
    assert!(twice.starts_with("weigher and weigher"), "{twice}");
    let asked = Cache::builder().rule(WTinyLfu::new(10)).weigher(|_| 1);
    assert!(asked.build().is_ok());
}

#[test]
fn what_is_about_the_shared_tier_is_refused_without_one() {
    type Setting = fn(CacheBuilder) -> CacheBuilder;
    let settings: [(&str, Setting); 3] = [
        ("circuit_breaker", |builder| {
            builder.circuit_breaker(3, SECOND)
        }),
        ("coherence", |builder| builder.coherence(SECOND)),
        ("compress_above", |builder| builder.compress_above(1_000)),
    ];
    for (name, setting) in settings {
        let refusal = refusal(setting(Cache::builder()));
        assert!(refusal.starts_with(name), "{refusal}");
        assert!(refusal.contains("backend(…)"), "{refusal}");
        let shared = setting(Cache::builder()).backend(Nothing);
        assert!(shared.build().is_ok(), "{name}");
    }
    // a secret key without a backend is fine: a program may always set one
    assert!(Cache::builder().secret_key([1; 32]).build().is_ok());
}

#[test]
fn a_bound_of_a_cache_that_keeps_nothing_in_the_process_is_refused() {
    for (name, bound) in BOUNDS {
        let shared_only = Cache::builder().backend(Nothing).in_process(false);
        let refusal = refusal(bound(shared_only, 10));
        assert!(refusal.contains("in_process(false)"), "{name}: {refusal}");
        assert!(refusal.contains("leave out one"), "{name}: {refusal}");
        let both = bound(Cache::builder().backend(Nothing), 10).build();
        assert!(both.is_ok(), "{name}");
    }
}

/// A shared tier that stores nothing.
struct Nothing;

impl Backend for Nothing {
    fn name(&self) -> &'static str {
        "Nothing"
    }

    fn get(&self, _: &Key) -> BackendResult<Lookup> {
        Ok(None.into())
    }

    fn set(&self, _: &Key, _: &Payload) -> BackendResult<()> {
        Ok(())
    }

    fn evict(&self, _: &Key) -> BackendResult<bool> {
        Ok(false)
    }

    fn evict_by_scope(&self, _: &Scope) -> BackendResult<u64> {
        Ok(0)
    }

    fn clear(&self) -> BackendResult<()> {
        Ok(())
    }
}

#[test]
fn extreme_numbers_have_sense() {
    let cache = Cache::builder()
        .rule(Lru::new(usize::MAX))
        .rule(MaxItems::new(usize::MAX))
        .rule(
            Ttl::new()
                .default(Duration::MAX)
                .max(Duration::MAX)
                .sweep(Duration::MAX),
        )
        .flight_timeout(Duration::MAX)
        .name("/:\0 any name is data")
        .build()
        .unwrap();
    assert!(cache.set("key", &1).run().unwrap());
    assert!(
        cache
            .set("brief", &1)
            .ttl(Duration::from_nanos(1))
            .run()
            .unwrap()
    );
    assert_eq!(cache.get("key").run().unwrap(), Some(1));
    assert_eq!(cache.get_or_load("other", || 2).run().unwrap(), 2);
}

/// Serializes as a number; 0 fails to serialize.
struct Fussy(u32);

impl Serialize for Fussy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 0 {
            return Err(S::Error::custom("zero is not to be written"));
        }
        serializer.serialize_u32(self.0)
    }
}

#[cache(cache = cache, skip(cache))]
fn of_fussy(cache: &Cache, x: &Fussy) -> u32 {
    let _ = cache;
    x.0
}

#[cache(cache = cache, skip(cache), scope = "organization")]
async fn of_fussy_async(cache: &Cache, org_id: &str, x: Fussy) -> Result<u32, String> {
    let _ = (cache, org_id);
    Ok(x.0)
}

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

#[test]
fn a_call_whose_argument_fails_to_serialize_runs_uncached() {
    let cache = cache();
    for round in 1..=3 {
        assert_eq!(of_fussy(&cache, &Fussy(0)), 0);
        assert_eq!(block_on(of_fussy_async(&cache, "acme", Fussy(0))), Ok(0));
        assert_eq!(refresh!(of_fussy(&cache, &Fussy(0))), 0);
        assert_eq!(cache.stats().key_errors, 3 * round);
    }
    let stats = cache.stats();
    assert_eq!((stats.total_keys, stats.hits, stats.misses), (0, 0, 0));
    assert_eq!(stats.by_function["bad_input::of_fussy"].key_errors, 6);
    assert_eq!(stats.by_level["organization"].key_errors, 3);
    // a call whose argument does serialize is cached
    assert_eq!(of_fussy(&cache, &Fussy(1)), 1);
    assert_eq!(of_fussy(&cache, &Fussy(1)), 1);
    assert_eq!((cache.stats().hits, cache.stats().key_errors), (1, 9));
}

#[test]
fn verbs_say_that_no_key_can_be_made() {
    let cache = cache();
    let says = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Key { .. }));
        let message = error.to_string();
        assert!(message.contains("of_fussy"), "{message}");
        assert!(message.contains("zero is not to be written"), "{message}");
    };
    says(peek!(of_fussy(&cache, &Fussy(0))).map(drop));
    says(evict!(of_fussy(&cache, &Fussy(0))).map(drop));
    says(put!(of_fussy(&cache, &Fussy(0)), 1).map(drop));
    block_on(async {
        says(peek!(of_fussy_async(&cache, "a", Fussy(0))).await.map(drop));
        says(
            evict!(of_fussy_async(&cache, "a", Fussy(0)))
                .await
                .map(drop),
        );
        says(
            put!(of_fussy_async(&cache, "a", Fussy(0)), 1)
                .await
                .map(drop),
        );
    });
}

#[test]
fn programmatic_calls_say_that_no_key_can_be_made() {
    let cache = cache();
    let says = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Key { .. }));
        assert!(error.to_string().contains("zero is not to be written"));
    };
    says(cache.get::<u8>(Fussy(0)).run().map(drop));
    says(cache.set(Fussy(0), &1).run().map(drop));
    says(cache.evict(Fussy(0)).run().map(drop));
    says(block_on(cache.get::<u8>(Fussy(0)).into_future()).map(drop));
    says(block_on(cache.set(Fussy(0), &1).into_future()).map(drop));
    says(block_on(cache.evict(Fussy(0)).into_future()).map(drop));
}

#[test]
fn a_loader_whose_key_fails_to_serialize_runs_uncached() {
    let cache = cache();
    for round in 1..=2 {
        assert_eq!(cache.get_or_load(Fussy(0), || 7).run().unwrap(), 7);
        let load = || async { Ok::<_, String>(8) };
        let loaded = cache.try_get_or_load(Fussy(0), load).into_future();
        assert_eq!(block_on(loaded), Ok(8));
        assert_eq!(cache.stats().key_errors, 2 * round);
    }
    assert_eq!(cache.stats().total_keys, 0);
}

#[test]
fn a_disabled_cache_asks_for_no_key() {
    let cache = Cache::disabled();
    assert_eq!(of_fussy(&cache, &Fussy(0)), 0);
    assert_eq!(cache.stats().misses, 1);
}

/// Serializes differently each time, so it equals nothing, not even itself.
struct Fickle(Cell<u32>);

impl Serialize for Fickle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = self.0.get();
        self.0.set(time + 1);
        match time % 4 {
            0 => serializer.serialize_str("text"),
            1 => serializer.serialize_u32(time),
            2 => Err(S::Error::custom("not this time")),
            // announces more elements than it serializes
            _ => serializer.serialize_seq(Some(1_000_000_000))?.end(),
        }
    }
}

#[test]
fn an_argument_that_serializes_differently_each_time_harms_nobody() {
    #[cache(cache = cache, skip(cache))]
    fn of_fickle(cache: &Cache, x: &Fickle, y: u32) -> u32 {
        let _ = (cache, x);
        y
    }

    let cache = cache();
    for start in 0..4 {
        let fickle = Fickle(Cell::new(start));
        for y in 0..40 {
            assert_eq!(of_fickle(&cache, &fickle, y), y);
            let _ = peek!(of_fickle(&cache, &fickle, y));
            let _ = evict!(of_fickle(&cache, &fickle, y));
        }
    }
    cache.clear().run().unwrap();
    assert_eq!(cache.stats().total_keys, 0);
}

#[test]
fn a_value_that_can_not_be_serialized_is_kept_in_the_process_all_the_same() {
    #[derive(Clone, Debug, PartialEq, serde::Deserialize)]
    struct Silent(u32);

    impl Serialize for Silent {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("never"))
        }
    }

    let cache = cache();
    assert!(cache.set("key", &Silent(1)).run().unwrap());
    assert_eq!(cache.get("key").run().unwrap(), Some(Silent(1)));
}

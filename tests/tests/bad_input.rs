//! Bad input: what has no sense is refused by an `Err` that names it, and nothing panics.

use std::cell::Cell;
use std::time::Duration;

use cacheado::rules::{Lru, MaxItems, Ttl};
use cacheado::{Cache, CacheBuilder, Error, cache, evict, peek, put, refresh, scopes};
use futures::executor::block_on;
use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};

scopes! { organization(org_id) }

const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

/// Why the builder refuses.
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

/// Serializes as a number, unless it is told not to.
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
    // and with an argument that does serialize, it is cached
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

/// Serializes in another way each time it is asked: it equals nothing, not even itself.
struct Fickle(Cell<u32>);

impl Serialize for Fickle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = self.0.get();
        self.0.set(time + 1);
        match time % 4 {
            0 => serializer.serialize_str("text"),
            1 => serializer.serialize_u32(time),
            2 => Err(S::Error::custom("not this time")),
            // more is announced than comes
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

//! Payloads other than those stored are misses. Each is counted, and none becomes a wrong value.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheado::{Cache, cache};
use cacheado_tests::store::Client;
use futures::executor::block_on;
use proptest::prelude::*;

use crate::cache_with;

/// Counts its runs.
#[cache(cache = cache, skip(cache, runs))]
fn text(cache: &Cache, runs: &AtomicU64, x: u64) -> String {
    let _ = cache;
    runs.fetch_add(1, Ordering::SeqCst);
    format!("the text of {x}")
}

/// As [`text`], with another value type.
#[cache(cache = cache, skip(cache, runs))]
async fn numbers(cache: &Cache, runs: &AtomicU64, x: u64) -> Vec<u64> {
    let _ = cache;
    runs.fetch_add(1, Ordering::SeqCst);
    vec![x; 3]
}

proptest! {
    #[test]
    fn what_is_corrupt_is_a_miss_that_is_counted(seed: u64, probability in 0.0..=1.0) {
        let client = Client::new();
        let (writer, _) = cache_with(&client, |it| it);
        let (reader, handle) = cache_with(&client, |it| it.seed(seed).corrupt(probability));
        let runs = AtomicU64::new(0);
        for cache in [&writer, &reader] {
            for x in 0..12 {
                prop_assert_eq!(text(cache, &runs, x), format!("the text of {x}"));
                prop_assert_eq!(block_on(numbers(cache, &runs, x)), [x; 3]);
            }
        }
        let corrupted = handle.counts().corrupted;
        prop_assert_eq!(reader.stats().backend_errors, corrupted);
        prop_assert_eq!(reader.stats().loads, corrupted);
        prop_assert_eq!(runs.into_inner(), 24 + corrupted);
    }

    #[test]
    fn what_is_corrupt_among_many_is_a_miss_that_is_counted(seed: u64) {
        let client = Client::new();
        let (writer, _) = cache_with(&client, |it| it);
        let values: Vec<String> = (0..10).map(|x| format!("the text of {x}")).collect();
        writer.set_many((0..10_u64).zip(&values)).run().unwrap();
        let (reader, handle) = cache_with(&client, |it| it.seed(seed).corrupt(0.5));
        let found: Vec<Option<String>> = reader.get_many(0..10_u64).run().unwrap();
        let missing = found.iter().filter(|it| it.is_none()).count() as u64;
        for (found, value) in found.iter().zip(&values) {
            prop_assert!(found.as_ref().is_none_or(|it| it == value));
        }
        prop_assert_eq!(handle.counts().corrupted, missing);
        prop_assert_eq!(reader.stats().backend_errors, missing);
    }
}

#[test]
fn payloads_become_bad_in_each_way() {
    use cacheado::backends::{Backend, BackendResult, Lookup, Payload};
    use cacheado::testing::Chaos;
    use cacheado::{Key, Scope};

    /// Returns different bytes of the same length for each key.
    struct Bytes;

    impl Bytes {
        fn of(key: &Key) -> Vec<u8> {
            key.args().iter().cycle().take(50).copied().collect()
        }
    }

    impl Backend for Bytes {
        fn name(&self) -> &'static str {
            "bytes"
        }
        fn get(&self, key: &Key) -> BackendResult<Lookup> {
            let bytes = Self::of(key).into();
            let lifetime = None;
            Ok(Lookup::Hit(Payload { bytes, lifetime }))
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

    // keys can only be obtained from a cache
    let keys = {
        let cache = Cache::builder().build().unwrap();
        for x in 0..2_u64 {
            cache.set(x, &x).run().unwrap();
        }
        cache.keys().run().unwrap()
    };
    let chaos = Chaos::new(Bytes).seed(1).corrupt(1.0);
    let mut ways = BTreeSet::new();
    for _ in 0..50 {
        for (key, other) in [(&keys[0], &keys[1]), (&keys[1], &keys[0])] {
            let read = chaos.get(key).unwrap().hit().unwrap().bytes;
            let stored = Bytes::of(key);
            let bits = read.iter().zip(&stored).map(|(a, b)| (a ^ b).count_ones());
            let way = match bits.sum::<u32>() {
                0 if read.len() < stored.len() => "truncated",
                1 if read.len() == stored.len() => "flipped",
                _ if *read == *Bytes::of(other) => "another's",
                _ => panic!("{read:?} of {stored:?}"),
            };
            ways.insert(way);
        }
    }
    assert_eq!(ways.len(), 3, "{ways:?}");
    assert_eq!(chaos.handle().counts().corrupted, 100);
}

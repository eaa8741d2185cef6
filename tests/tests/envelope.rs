//! The envelope that the cache puts around values outside the process, checked on both writing and reading.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheado::backends::{Backend, BackendResult, Lookup, Payload};
use cacheado::testing::ManualClock;
use cacheado::{Cache, CacheBuilder, Key, Scope, cache, peek};
use cacheado_backends::envelope::{Compression, Envelope};

/// A store that keeps everything for ever, and reports the lifetime that it is told to.
#[derive(Clone, Default)]
struct Hoard(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    entries: HashMap<Key, Arc<[u8]>>,
    says: Option<Duration>,
}

impl Hoard {
    fn cache(&self) -> CacheBuilder {
        Cache::builder()
            .coherence(Duration::MAX)
            .backend(self.clone())
    }

    /// The number of stored bytes.
    fn bytes(&self) -> usize {
        let held = self.0.lock().unwrap();
        held.entries.values().map(|bytes| bytes.len()).sum()
    }

    /// Replaces every stored payload by `bytes`.
    fn replace(&self, bytes: &[u8]) {
        for held in self.0.lock().unwrap().entries.values_mut() {
            *held = bytes.into();
        }
    }
}

impl Backend for Hoard {
    fn name(&self) -> &'static str {
        "hoard"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        let held = self.0.lock().unwrap();
        let payload = held.entries.get(key).map(|bytes| Payload {
            bytes: Arc::clone(bytes),
            lifetime: held.says,
        });
        Ok(payload.into())
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        let mut held = self.0.lock().unwrap();
        held.entries.insert(key.clone(), Arc::clone(&payload.bytes));
        Ok(())
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        Ok(self.0.lock().unwrap().entries.remove(key).is_some())
    }

    fn evict_by_scope(&self, _: &Scope) -> BackendResult<u64> {
        Err("not asked for here".into())
    }

    fn clear(&self) -> BackendResult<()> {
        self.0.lock().unwrap().entries.clear();
        Ok(())
    }
}

#[cache(cache = cache, skip(cache), name = "of two types")]
fn number(cache: &Cache, id: u32) -> u32 {
    id
}

#[cache(cache = cache, skip(cache), name = "of two types, async")]
async fn number_async(cache: &Cache, id: u32) -> u32 {
    id
}

/// Another process stored a text under a function of the same name: a miss for `peek!`, as it is for a call.
#[tokio::test]
async fn a_value_of_another_type_is_a_miss_to_a_peek() {
    let hoard = Hoard::default();
    let cache = || hoard.cache().name("shop").build().unwrap();
    number(&cache(), 1);
    number_async(&cache(), 1).await;
    for (key, bytes) in &mut hoard.0.lock().unwrap().entries {
        let text = Envelope {
            cache: "shop",
            key,
            type_name: "alloc::string::String",
            shape: 0,
            lifetime: None,
            stale: Duration::ZERO,
            generation: 1,
            value: b"\x04text",
        };
        *bytes = text.seal(Compression::default()).into();
    }
    assert_eq!(peek!(number(&cache(), 1)).unwrap(), None);
    assert_eq!(peek!(number_async(&cache(), 1)).await.unwrap(), None);
    assert_eq!(number(&cache(), 1), 1);
}

/// Whatever lifetime the store reports, a copy is not kept for longer than the value was to live.
#[test]
fn the_lifetime_that_a_value_was_stored_with_bounds_what_is_left_of_it() {
    let minute = Duration::from_secs(60);
    for (says, left) in [
        (None, 60),
        (Some(Duration::from_secs(3_600)), 60),
        (Some(Duration::from_secs(7)), 7),
    ] {
        let hoard = Hoard::default();
        let set = hoard.cache().build().unwrap();
        set.set("key", &1_u32).ttl(minute).run().unwrap();
        hoard.0.lock().unwrap().says = says;

        let clock = ManualClock::new();
        let cache = hoard.cache().clock(clock.clone()).build().unwrap();
        assert_eq!(cache.get("key").run().unwrap(), Some(1_u32));
        hoard.clear().unwrap();
        clock.advance(Duration::from_secs(left) - Duration::from_nanos(1));
        assert_eq!(cache.get("key").run().unwrap(), Some(1_u32), "{says:?}");
        clock.advance(Duration::from_nanos(1));
        assert_eq!(cache.get::<u32>("key").run().unwrap(), None, "{says:?}");
    }
}

#[test]
fn what_is_larger_than_the_bound_is_compressed_and_any_cache_reads_it() {
    let long = "the same again, ".repeat(1_000);
    let (plain, small) = (Hoard::default(), Hoard::default());
    let compressing = small.cache().compress_above(1_000).build().unwrap();
    let as_it_is = plain.cache().build().unwrap();
    for cache in [&compressing, &as_it_is] {
        cache.set("long", &long).run().unwrap();
    }
    assert!(small.bytes() < plain.bytes() / 10, "{}", small.bytes());

    // reading compressed values does not depend on whether the cache compresses
    for (hoard, reader) in [
        (&small, small.cache()),
        (&plain, plain.cache().compress_above(1)),
    ] {
        let reader = reader.build().unwrap();
        assert_eq!(reader.get("long").run().unwrap().as_ref(), Some(&long));
        assert_eq!(reader.stats().backend_errors, 0);
        hoard.clear().unwrap();
    }

    for cache in [&compressing, &as_it_is] {
        cache.set("short", &"aaaa".repeat(100)).run().unwrap();
    }
    assert_eq!(small.bytes(), plain.bytes());
}

/// A payload of the first format, read through the whole lookup path.
#[test]
fn a_payload_of_the_first_format_is_read() {
    for (file, value) in [
        ("v1-text", "dark mode".to_owned()),
        ("v1-lz4-text", "long ".repeat(20_000)),
    ] {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let golden = here.join("../cacheado-backends/tests/golden").join(file);
        let golden = std::fs::read(golden).unwrap();
        let hoard = Hoard::default();
        let cache = hoard.cache().in_process(false).build().unwrap();
        cache.set("settings", &"another".to_owned()).run().unwrap();
        hoard.replace(&golden);
        assert_eq!(cache.get("settings").run().unwrap(), Some(value), "{file}");

        // a payload of the next format is a miss, and is counted
        let mut newer = golden[..golden.len() - 4].to_vec();
        newer[0] += 1;
        let checksum = crc32fast::hash(&newer);
        newer.extend(checksum.to_le_bytes());
        hoard.replace(&newer);
        assert_eq!(cache.get::<String>("settings").run().unwrap(), None);
        assert_eq!(cache.stats().backend_errors, 1);
    }
}

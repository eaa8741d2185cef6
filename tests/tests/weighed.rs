//! Weighers: what they see of the entry about to be stored, and what counts as an entry's bytes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheado::{Cache, Weighed, cache, scopes};
use cacheado_tests::within;

scopes! {
    organization(org_id) { user(user_id) }
}

/// Long enough for the slowest machine: a test that exceeds it hangs.
const LIMIT: Duration = Duration::from_mins(2);

fn bytes_of(it: &Weighed<'_>) -> u32 {
    it.bytes()
}

/// The result of `weigh` for the entry that `store` stores.
fn scales<R: Send + Clone + 'static>(
    weigh: impl Fn(&Weighed<'_>) -> R + Send + Sync + 'static,
    store: &dyn Fn(&Cache),
) -> R {
    let pan = Arc::new(Mutex::new(Vec::new()));
    let weighed = Arc::clone(&pan);
    let weigher = move |it: &Weighed<'_>| {
        weighed.lock().unwrap().push(weigh(it));
        1
    };
    let cache = Cache::builder().max_weight(10, weigher).build().unwrap();
    store(&cache);
    let pan = pan.lock().unwrap();
    assert_eq!(pan.len(), 1, "it is weighed once");
    pan[0].clone()
}

#[test]
fn the_key() {
    let key = scales(|it| it.key().clone(), &|cache| {
        let scope = scope::user("acme", 7);
        cache.set("key", &1).scope(scope).run().unwrap();
        let keys = cache.keys().run().unwrap();
        assert_eq!(keys.len(), 1);
    });
    assert_eq!(key.scope(), scope::user("acme", 7));
    assert!(key.to_string().contains("\"key\""), "{key}");
    // not the value, which is user data
    let shown = scales(|it| format!("{it:?}"), &|cache| {
        _ = cache.set("key", &"secret".to_owned()).run();
    });
    assert!(
        shown.contains("key") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn the_value_by_its_type() {
    let seen = |it: &Weighed<'_>| {
        (
            it.value::<Vec<u8>>().cloned(),
            it.value::<u8>().copied(),
            it.value::<Result<Vec<u8>, String>>().is_some(),
        )
    };
    let set = scales(seen, &|cache| _ = cache.set("key", &vec![1_u8, 2]).run());
    assert_eq!(set, (Some(vec![1, 2]), None, false));
    let loaded = scales(seen, &|cache| {
        cache.get_or_load("key", || vec![3_u8]).run().unwrap();
    });
    assert_eq!(loaded, (Some(vec![3]), None, false));
}

#[test]
fn of_a_result_what_is_stored() {
    #[cache(cache = cache, skip(cache))]
    fn checked(cache: &Cache, x: u8) -> Result<Vec<u8>, String> {
        let _ = cache;
        Ok(vec![x])
    }

    #[cache(cache = cache, skip(cache))]
    fn maybe(cache: &Cache, x: u8) -> Option<u8> {
        let _ = cache;
        Some(x)
    }

    let seen = |it: &Weighed<'_>| {
        let whole = it.value::<Result<Vec<u8>, String>>();
        (whole.is_some(), it.value::<Vec<u8>>().cloned())
    };
    let result = scales(seen, &|cache| _ = checked(cache, 1));
    assert_eq!(result, (false, Some(vec![1])));
    let option = scales(
        |it| (it.value::<Option<u8>>().copied(), it.value::<u8>().copied()),
        &|cache| _ = maybe(cache, 1),
    );
    assert_eq!(option, (Some(Some(1)), None));
}

#[test]
fn of_a_local_function_too() {
    /// Implements no serde traits.
    #[derive(Clone)]
    struct Handle(Vec<u8>);

    #[cache(cache = cache, skip(cache), local)]
    fn handle(cache: &Cache, length: usize) -> Handle {
        let _ = cache;
        Handle(vec![0; length])
    }

    let length = |it: &Weighed<'_>| it.value::<Handle>().map(|handle| handle.0.len());
    let seen = scales(length, &|cache| _ = handle(cache, 12));
    assert_eq!(seen, Some(12));
    // what it owns elsewhere is not known
    let bytes = |length| scales(bytes_of, &|cache| _ = handle(cache, length));
    assert_eq!(bytes(1), bytes(10_000));
    assert!(bytes(1) as usize > size_of::<Handle>());
}

#[test]
fn its_bytes_grow_with_the_text() {
    let bytes = |length| {
        let text = "x".repeat(length);
        scales(bytes_of, &|cache| _ = cache.set("key", &text).run())
    };
    let empty = bytes(0);
    assert!((100..400).contains(&empty), "{empty}: what any entry takes");
    for length in [10, 1_000, 100_000] {
        let grown = (bytes(length) - empty) as usize;
        assert!(
            (length..length + 8).contains(&grown),
            "{grown} for {length}"
        );
    }
    let row = |rows: u32| {
        let rows: Vec<(u32, String)> = (0..rows).map(|row| (row, "row".to_owned())).collect();
        scales(bytes_of, &|cache| _ = cache.set("key", &rows).run())
    };
    assert!(row(200) - row(100) >= 100 * 4, "what it owns is counted");
}

#[test]
fn its_bytes_count_a_long_key_and_a_long_scope() {
    let of_key = |length| {
        let key = "k".repeat(length);
        scales(bytes_of, &|cache| _ = cache.set(&key, &1).run())
    };
    let of_scope = |length| {
        let scope = scope::organization("o".repeat(length));
        scales(bytes_of, &|cache| {
            _ = cache.set("key", &1).scope(scope.clone()).run();
        })
    };
    let differ = |long: u32, short: u32| (long - short) as usize;
    assert!((10_000..11_000).contains(&differ(of_key(11_000), of_key(1_000))));
    assert!((900..1_100).contains(&differ(of_key(1_000), of_key(1))));
    assert!((10_000..11_000).contains(&differ(of_scope(11_000), of_scope(1_000))));
}

#[test]
fn each_time_that_its_value_is_replaced() {
    let told: Arc<Mutex<Vec<u32>>> = Arc::default();
    let seen = Arc::clone(&told);
    let weigh = move |it: &Weighed<'_>| {
        seen.lock().unwrap().push(*it.value().unwrap());
        1
    };
    let cache = Cache::builder().max_weight(10, weigh).build().unwrap();
    for value in 0..3_u32 {
        cache.set("key", &value).run().unwrap();
        cache.get::<u32>("key").run().unwrap();
    }
    assert_eq!(*told.lock().unwrap(), [0, 1, 2], "a hit weighs nothing");
}

#[test]
fn a_weigher_may_use_the_cache() {
    let cache: Arc<Mutex<Option<Cache>>> = Arc::default();
    let held = Arc::clone(&cache);
    let weigh = move |_: &Weighed<'_>| {
        let cache = held.lock().unwrap().take();
        if let Some(cache) = cache {
            assert_eq!(cache.get("a").run().unwrap(), Some(1));
            assert!(cache.set("b", &2).run().unwrap());
            assert!(cache.evict("a").run().unwrap());
        }
        1
    };
    within(LIMIT, move || {
        let it = Cache::builder().max_weight(10, weigh).build().unwrap();
        assert!(it.set("a", &1).run().unwrap());
        *cache.lock().unwrap() = Some(it.clone());
        assert!(it.set("a", &3).run().unwrap());
        assert_eq!(it.get("a").run().unwrap(), Some(3));
        assert_eq!(it.get("b").run().unwrap(), Some(2));
    });
}

/// A client that requests what does not exist must not fill the memory.
#[test]
fn errors_that_are_kept_weigh_too() {
    #[derive(Clone, Debug, PartialEq)]
    struct Missing([u8; 100]);

    #[cache(ttl = 60, err_ttl = 60, cache = cache, skip(cache))]
    fn missing(cache: &Cache, id: u64) -> Result<u64, Missing> {
        let _ = (cache, id);
        Err(Missing([7; 100]))
    }

    let bytes = scales(bytes_of, &|cache| _ = missing(cache, 1));
    assert!((200..500).contains(&bytes), "{bytes}");
    let seen = |it: &Weighed<'_>| {
        let error = it.value::<Missing>().cloned();
        (error, it.value::<u64>().copied())
    };
    let seen = scales(seen, &|cache| _ = missing(cache, 1));
    assert_eq!(seen, (Some(Missing([7; 100])), None));
    let cache = Cache::builder().max_bytes(100_000).build().unwrap();
    for id in 0..2000 {
        _ = missing(&cache, id);
    }
    let kept = cache.stats().total_keys;
    assert!((200..500).contains(&kept), "{kept}");
}

#[test]
fn so_does_a_values_age() {
    #[cache(ttl = 600, cache = cache, skip(cache))]
    fn plain(cache: &Cache, id: u64) -> u64 {
        let _ = cache;
        id
    }

    #[cache(ttl = 600, stale = 60, cache = cache, skip(cache))]
    fn aging(cache: &Cache, id: u64) -> u64 {
        let _ = cache;
        id
    }

    let plain = scales(bytes_of, &|cache| _ = plain(cache, 1));
    let aging = scales(bytes_of, &|cache| _ = aging(cache, 1));
    assert_eq!(aging - plain, 88, "as the guide says");
}

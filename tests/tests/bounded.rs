//! Bounded caches: entries used repeatedly outlive entries used once, entries that are too heavy are refused, and the bound holds with
//! concurrent threads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cacheado::rules::{Lru, WTinyLfu};
use cacheado::testing::ManualClock;
use cacheado::{Cache, CacheBuilder, Key, Weighed, cache, scopes};
use cacheado_tests::random::Random;
use cacheado_tests::within;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

/// Looks up each of `keys`, stores it on a miss, and returns the number of hits.
fn hits(cache: &Cache, keys: impl IntoIterator<Item = u32>) -> u32 {
    let mut hits = 0;
    for key in keys {
        let value = key.to_be_bytes();
        match cache.get::<[u8; 4]>(key).run().unwrap() {
            Some(found) => {
                assert_eq!(found, value);
                hits += 1;
            }
            None => _ = cache.set(key, &value).run().unwrap(),
        }
    }
    hits
}

const CAPACITY: u32 = 200;
/// Half of the capacity.
const HOT: std::ops::Range<u32> = 0..CAPACITY / 2;
/// Twenty times the capacity, each key once.
const SCAN: std::ops::Range<u32> = 1_000_000..1_000_000 + 20 * CAPACITY;

/// One builder per kind of bound, each with room for `CAPACITY` entries of equal weight.
fn bounded() -> [(&'static str, CacheBuilder); 4] {
    let weigh = |it: &Weighed<'_>| it.value::<[u8; 4]>().map_or(1, |_| 7);
    let pan = Arc::new(AtomicU32::new(0));
    let weighed = Arc::clone(&pan);
    let weigher = move |it: &Weighed<'_>| {
        weighed.store(it.bytes(), Ordering::Relaxed);
        1
    };
    let scales = Cache::builder().max_weight(1, weigher).build().unwrap();
    scales.set(1_u32, &[0_u8; 4]).run().unwrap();
    let bytes = pan.load(Ordering::Relaxed);
    let capacity = u64::from(CAPACITY);
    [
        ("max_items", Cache::builder().max_items(capacity)),
        (
            "max_weight",
            Cache::builder().max_weight(7 * capacity, weigh),
        ),
        (
            "max_bytes",
            Cache::builder().max_bytes(u64::from(bytes) * capacity),
        ),
        ("WTinyLfu", Cache::builder().rule(WTinyLfu::new(capacity))),
    ]
}

#[test]
fn what_is_used_again_and_again_survives_a_scan() {
    for (name, builder) in bounded() {
        let cache = builder.build().unwrap();
        for _ in 0..20 {
            hits(&cache, HOT);
        }
        assert_eq!(hits(&cache, HOT), HOT.len() as u32, "{name}: all fits");
        assert_eq!(hits(&cache, SCAN), 0);
        let after = hits(&cache, HOT);
        // nearly always most are left; how many varies, since each process hashes keys with its own seed
        assert!(after * 10 > HOT.len() as u32 * 4, "{name}: {after}");
    }
    let lru = Cache::builder().rule(Lru::new(CAPACITY as usize));
    let lru = lru.build().unwrap();
    for _ in 0..20 {
        hits(&lru, HOT);
    }
    hits(&lru, SCAN);
    assert_eq!(hits(&lru, HOT), 0, "what the others are compared with");
}

#[test]
fn what_is_used_between_the_steps_of_a_scan_stays() {
    for (name, builder) in bounded() {
        let cache = builder.build().unwrap();
        hits(&cache, HOT);
        let mut hot = HOT.cycle();
        let mut after = 0;
        for key in SCAN {
            hits(&cache, [key]);
            after += hits(&cache, hot.by_ref().take(1));
        }
        let ratio = f64::from(after) / f64::from(SCAN.len() as u32);
        assert!(ratio > 0.95, "{name}: {ratio}");
        assert!(cache.stats().total_keys <= u64::from(CAPACITY));
    }
}

/// Pseudo-random numbers below `most`, the same in each run.
fn random(most: u32) -> impl FnMut() -> u32 {
    let mut state = 88_172_645_463_325_252_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from(state % u64::from(most)).unwrap()
    }
}

#[test]
fn what_is_used_again_and_again_stays_whatever_was_used_before() {
    for rounds in [1, 4] {
        let cache = Cache::builder().max_items(2000).build().unwrap();
        let mut any = random(4000);
        hits(&cache, (0..rounds * 100_000).map(|_| any()));
        // by now every entry was requested often, and is not requested any more
        let (mut hot, mut last) = (random(20), 0);
        for nth in 0..4000 {
            hits(&cache, [20 + nth % 3980]);
            let again = hits(&cache, (0..10).map(|_| hot()));
            last += u32::from(nth >= 2000) * again;
        }
        assert!(last >= 19_900, "{last} of 20,000 hits after {rounds}");
    }
}

#[test]
fn what_fits_is_kept_and_so_it_is_after_clear() {
    for (name, builder) in bounded() {
        let cache = builder.build().unwrap();
        for round in 1..=3 {
            for key in 0..CAPACITY {
                let value = key.to_be_bytes();
                assert!(cache.set(key, &value).run().unwrap(), "{name}, {round}");
            }
            assert_eq!(hits(&cache, 0..CAPACITY), CAPACITY, "{name}, {round}");
            assert_eq!(cache.stats().evictions, 0, "{name}, {round}");
            cache.clear().run().unwrap();
            assert_eq!(hits(&cache, [0]), 0, "{name}, {round}");
            cache.clear().run().unwrap();
            assert_eq!(cache.stats().total_keys, 0);
        }
        hits(&cache, 0..3 * CAPACITY);
        let held = cache.stats().total_keys;
        assert_eq!(held, u64::from(CAPACITY), "{name}: full again");
    }
}

#[test]
fn what_has_expired_takes_no_room() {
    let second = Duration::from_secs(1);
    for (name, builder) in bounded() {
        let clock = ManualClock::new();
        let cache = builder.clock(clock.clone()).build().unwrap();
        for generation in 0..3 {
            for key in 0..CAPACITY {
                let key = generation * CAPACITY + key;
                // used, so a new entry has to compete with it
                let value = key.to_be_bytes();
                let set = cache.set(key, &value).ttl(second);
                assert!(set.run().unwrap(), "{name}");
                hits(&cache, [key, key, key]);
            }
            clock.advance(second);
        }
        let stats = cache.stats();
        assert_eq!((stats.evictions, stats.total_keys), (0, 0), "{name}");
        assert_eq!(stats.expirations, 3 * u64::from(CAPACITY), "{name}");
    }
}

#[test]
fn a_newcomer_that_fits_is_always_stored() {
    let heavy = |most, weight| Cache::builder().max_weight(most, move |_| weight);
    for builder in [
        Cache::builder().max_items(1),
        Cache::builder().max_items(2),
        heavy(100, 10),
        heavy(1000, 10),
        heavy(10_000, 100),
        heavy(10_000, 10),
        Cache::builder().max_bytes(64 << 10),
    ] {
        let cache = builder.build().unwrap();
        for key in 0..2000_u32 {
            let value = key.to_string().repeat(100);
            assert!(cache.set(key, &value).run().unwrap(), "{cache:?}: {key}");
            assert_eq!(cache.get(key).run().unwrap(), Some(value));
            // makes some entries more valuable than others
            let _: Option<String> = cache.get(key / 2).run().unwrap();
        }
    }
}

#[test]
fn a_value_heavier_than_the_bound_is_refused_and_so_the_old_one_goes() {
    let rows = |it: &Weighed<'_>| it.value::<Vec<u8>>().map_or(1, |rows| rows.len() as u32);
    let few = vec![7_u8; 5];
    for builder in [
        Cache::builder().max_weight(10, rows),
        Cache::builder().max_bytes(2_000),
    ] {
        let cache = builder.build().unwrap();
        let set = |key: &str, value: &Vec<u8>| cache.set(key, value).run().unwrap();
        assert!(set("other", &few));
        assert!(set("key", &few));
        assert!(!set("key", &vec![7; 2_001]));
        assert_eq!(cache.get::<Vec<u8>>("key").run().unwrap(), None);
        assert_eq!(cache.get("other").run().unwrap(), Some(few.clone()));
        assert!(!set("never there", &vec![7; 2_001]));
        let stats = cache.stats();
        assert_eq!((stats.total_keys, stats.evictions), (1, 1));
        assert!(set("key", &few), "there is room for it again");
        assert_eq!(cache.get("key").run().unwrap(), Some(few.clone()));
        assert_eq!(cache.stats().total_keys, 2);
    }
}

#[test]
fn a_function_returns_what_its_cache_can_not_hold() {
    #[cache(cache = cache, skip(cache))]
    fn text(cache: &Cache, length: usize) -> String {
        let _ = cache;
        "x".repeat(length)
    }

    let cache = Cache::builder().max_bytes(2_000).build().unwrap();
    for _ in 0..3 {
        assert_eq!(text(&cache, 10).len(), 10);
        assert_eq!(text(&cache, 5_000).len(), 5_000);
    }
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.hits, stats.total_keys), (4, 2, 1));
}

#[test]
fn a_weight_of_nothing_and_the_largest_weight_are_weights() {
    let weigh = |it: &Weighed<'_>| *it.value::<u32>().unwrap();
    let cache = Cache::builder().max_weight(10, weigh).build().unwrap();
    for key in 0..2_000_u32 {
        assert!(cache.set(key, &0_u32).run().unwrap());
    }
    assert_eq!(cache.stats().total_keys, 2_000);
    assert!(cache.set("all of it", &10_u32).run().unwrap());
    assert!(!cache.set("too heavy", &u32::MAX).run().unwrap());

    let most = u64::from(u32::MAX);
    for (most, fit) in [(most, 1), (2 * most, 2), (u64::MAX, 20)] {
        let cache = Cache::builder().max_weight(most, |_| u32::MAX);
        let cache = cache.build().unwrap();
        for key in 0..20 {
            cache.set(key, &1).run().unwrap();
        }
        assert_eq!(cache.stats().total_keys, fit);
    }
}

/// Long enough for the slowest machine: a test that exceeds it hangs.
const LIMIT: Duration = Duration::from_mins(2);
const THREADS: u64 = 4;
const CALLS: u64 = 1_500;

#[cache(cache = cache, skip(cache), scope = "user")]
fn sync_text(cache: &Cache, org_id: u64, user_id: u64, x: u64) -> String {
    let _ = cache;
    expected(org_id, user_id, x)
}

#[cache(cache = cache, skip(cache), scope = "organization")]
async fn async_text(cache: &Cache, org_id: u64, x: u64) -> Result<String, String> {
    tokio::task::yield_now().await;
    let _ = cache;
    Ok(expected(org_id, 0, x))
}

fn expected(org_id: u64, user_id: u64, x: u64) -> String {
    format!("{org_id} {user_id} {x} ") + &"x".repeat(x as usize % 50)
}

/// A number in `0..bound`, smaller ones more often.
fn skewed(random: &mut Random, bound: u64) -> u64 {
    let most = random.below(bound) + 1;
    random.below(most)
}

/// Checks the bound, the weights of the listed entries and the counts, once the cache is idle.
fn settled(cache: &Cache, weights: &Mutex<HashMap<Key, u64>>, most: u64) {
    let keys = cache.keys().run().unwrap();
    let weights = weights.lock().unwrap();
    let weight: u64 = keys.iter().map(|key| weights[key]).sum();
    assert!(weight <= most, "{weight} of {most}");
    let stats = cache.stats();
    assert_eq!(stats.total_keys as usize, keys.len());
    assert!(stats.evictions > 0 && stats.hits > 0 && stats.loads > 0);
    // the rule accounts for every entry: after an eviction of everything, the whole bound can be filled
    drop(weights);
    cache.evict_by_scope(scope::global()).run().unwrap();
    let one = |key: u64| cache.set(key, &String::new()).run().unwrap();
    let fit = most / u64::from(weigh_text(0));
    assert!((0..fit).all(one), "there is room for each");
    assert_eq!(cache.stats().total_keys, fit);
}

fn weigh_text(length: usize) -> u32 {
    10 + length as u32
}

type Weights = Arc<Mutex<HashMap<Key, u64>>>;

/// A cache of texts bounded by weight, and the weights of its keys.
fn of_texts(most: u64) -> (Cache, Weights) {
    let weights = Weights::default();
    let noted = Arc::clone(&weights);
    let weigher = move |it: &Weighed<'_>| {
        let weight = weigh_text(it.value::<String>().map_or(0, String::len));
        let key = it.key().clone();
        noted.lock().unwrap().insert(key, weight.into());
        weight
    };
    let cache = Cache::builder().max_weight(most, weigher).build().unwrap();
    (cache, weights)
}

#[test]
fn the_bound_holds_under_threads_that_call_functions() {
    let (cache, weights) = of_texts(3_000);
    let shared = cache.clone();
    within(LIMIT, move || {
        thread::scope(|threads| {
            for thread in 0..THREADS {
                let cache = &shared;
                threads.spawn(move || {
                    let mut numbers = Random::new(thread);
                    for _ in 0..CALLS {
                        let (org, user) = (numbers.below(2), numbers.below(3));
                        let x = skewed(&mut numbers, 100);
                        assert_eq!(sync_text(cache, org, user, x), expected(org, user, x));
                        if numbers.below(300) == 0 {
                            let user = scope::user(org, user);
                            cache.evict_by_scope(user).run().unwrap();
                        }
                    }
                });
            }
        });
    });
    settled(&cache, &weights, 3_000);
}

#[test]
fn the_bound_holds_under_tasks_that_call_functions() {
    let (cache, weights) = of_texts(3_000);
    let shared = cache.clone();
    within(LIMIT, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let cache = shared.clone();
                runtime.spawn(async move {
                    let mut numbers = Random::new(task);
                    for _ in 0..CALLS / 2 {
                        let (org, x) = (numbers.below(3), skewed(&mut numbers, 150));
                        let text = async_text(&cache, org, x).await.unwrap();
                        assert_eq!(text, expected(org, 0, x));
                        if numbers.below(300) == 0 {
                            let organization = scope::organization(org);
                            cache.evict_by_scope(organization).await.unwrap();
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
    });
    settled(&cache, &weights, 3_000);
}

#[test]
fn a_bound_in_number_holds_under_threads() {
    let cache = Cache::builder().max_items(50).build().unwrap();
    let shared = cache.clone();
    within(LIMIT, move || {
        thread::scope(|threads| {
            for thread in 0..THREADS {
                let cache = &shared;
                threads.spawn(move || {
                    let mut numbers = Random::new(thread + 100);
                    for _ in 0..CALLS {
                        let (org, x) = (numbers.below(2), skewed(&mut numbers, 200));
                        assert_eq!(sync_text(cache, org, 0, x), expected(org, 0, x));
                    }
                });
            }
        });
    });
    let stats = cache.stats();
    assert_eq!(stats.total_keys, 50);
    assert_eq!(cache.keys().run().unwrap().len(), 50);
    assert_eq!(stats.hits + stats.misses, THREADS * CALLS);
}

//! Expiry: an entry is served until one nanosecond before the end of its lifetime and never afterwards, and it is freed without being
//! accessed again.

#![allow(
    clippy::unchecked_time_subtraction,
    reason = "times of the tests' own choosing"
)]
#![allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "what says a lifetime is lent the value"
)]

use std::sync::{Arc, Mutex, Weak, mpsc};
use std::time::Duration;

use cacheado::rules::{Lru, Ttl};
use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, cache_impl, evict, peek, put, refresh, scopes};
use serde::{Deserialize, Serialize};

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

const NANO: Duration = Duration::from_nanos(1);

fn cache() -> (Cache, ManualClock) {
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).build().unwrap();
    (cache, clock)
}

fn now<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

#[test]
fn a_programmatic_entry_is_served_up_to_its_last_nanosecond() {
    let (cache, clock) = cache();
    let ttl = Duration::from_mins(1);
    assert!(cache.set("key", &1_u8).ttl(ttl).run().unwrap());
    clock.advance(ttl - NANO);
    assert_eq!(cache.get("key").run().unwrap(), Some(1_u8));
    assert_eq!(now(cache.get("key").into_future()).unwrap(), Some(1_u8));
    clock.advance(NANO);
    assert_eq!(cache.get::<u8>("key").run().unwrap(), None);
    assert_eq!(now(cache.get::<u8>("key").into_future()).unwrap(), None);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (2, 2));
    assert_eq!((stats.expirations, stats.evictions), (1, 0));
}

const MINUTE: Duration = Duration::from_mins(1);

fn minutes(count: u32) -> Duration {
    MINUTE * count
}

fn as_many_minutes(value: &u32) -> Duration {
    minutes(*value)
}

fn bytes<T>(_: &T) -> Duration {
    Duration::from_secs(size_of::<T>() as u64)
}

macro_rules! forms {
    ($x:ident; $($name:ident: $($ttl:expr)? => $lifetime:expr;)*) => {$(
        mod $name {
            use super::*;

            #[cache(cache = cache, skip(cache), $(ttl = $ttl)?)]
            fn blocking(cache: &Cache, $x: u32) -> u32 {
                let _ = cache;
                $x
            }

            #[cache(cache = cache, skip(cache), $(ttl = $ttl)?)]
            async fn waiting(cache: &Cache, $x: u32) -> Result<u32, String> {
                let _ = cache;
                Ok($x)
            }

            #[test]
            fn lasts_as_long_as_it_says() {
                let (cache, clock) = cache();
                let lifetime: Option<Duration> = $lifetime;
                blocking(&cache, 2);
                now(waiting(&cache, 2)).unwrap();
                clock.advance(lifetime.unwrap_or(Duration::from_hours(1_000_000)) - NANO);
                blocking(&cache, 2);
                now(waiting(&cache, 2)).unwrap();
                assert_eq!(cache.stats().hits, 2, "up to the last nanosecond");
                clock.advance(NANO);
                blocking(&cache, 2);
                now(waiting(&cache, 2)).unwrap();
                let stats = cache.stats();
                let over = if lifetime.is_some() { 2 } else { 0 };
                assert_eq!((stats.loads, stats.expirations), (2 + over, over));
                assert_eq!(stats.total_keys, 2);
            }
        }
    )*};
}

forms! {
    x;
    left_out: => None;
    seconds: 300 => Some(Duration::from_mins(5));
    fractions: 0.5 => Some(Duration::from_millis(500));
    suffixed: 2f64 => Some(Duration::from_secs(2));
    text: "10m" => Some(Duration::from_mins(10));
    long_text: "1h 30m" => Some(Duration::from_mins(90));
    short_text: "1ns" => Some(NANO);
    a_constant: MINUTE => Some(Duration::from_mins(1));
    an_expression: Duration::from_millis(250) * 4 => Some(Duration::from_secs(1));
    a_call: minutes(2) => Some(Duration::from_mins(2));
    of_an_argument: minutes(x) => Some(Duration::from_mins(2));
    of_the_value: |value| minutes(*value) => Some(Duration::from_mins(2));
    of_a_typed_value: |value: &u32| -> Duration { minutes(*value + 1) } => Some(Duration::from_mins(3));
    of_the_value_by_name: as_many_minutes => Some(Duration::from_mins(2));
    of_the_value_by_path: super::as_many_minutes => Some(Duration::from_mins(2));
    of_its_type: bytes => Some(Duration::from_secs(4));
    of_a_named_type: bytes::<u32> => Some(Duration::from_secs(4));
    of_value_and_argument: |value| minutes(*value + x) => Some(Duration::from_mins(4));
    the_longest: Duration::MAX => None;
    the_longest_of_the_value: |_| Duration::MAX => None;
}

#[test]
fn the_longest_lifetime_means_until_evicted() {
    let (cache, clock) = cache();
    cache.set("key", &1_u8).ttl(Duration::MAX).run().unwrap();
    clock.advance(Duration::MAX);
    clock.advance(Duration::MAX);
    assert_eq!(cache.get("key").run().unwrap(), Some(1_u8));
    assert!(cache.evict("key").run().unwrap());
}

/// One lifetime exceeds what the clock can count, and one does not. Both are simply long.
#[test]
fn a_very_long_lifetime_does_not_wrap_around() {
    let (cache, clock) = cache();
    clock.advance(Duration::from_hours(1_000_000));
    for (key, ttl) in [
        ("a", Duration::MAX - NANO),
        ("b", Duration::from_nanos(u64::MAX)),
        ("c", Duration::from_nanos(u64::MAX - 1)),
    ] {
        assert!(cache.set(key, &1_u8).ttl(ttl).run().unwrap());
        clock.advance(Duration::from_hours(1_000_000));
        assert_eq!(cache.get(key).run().unwrap(), Some(1_u8), "{key}");
    }
}

#[cache(cache = cache, skip(cache), ttl = |value| Duration::from_secs(*value))]
fn lives_for(cache: &Cache, key: &str, seconds: u64) -> u64 {
    let _ = (cache, key);
    seconds
}

#[cache(cache = cache, skip(cache), ttl = |value| Duration::from_secs(*value))]
async fn lives_for_async(cache: &Cache, key: &str, seconds: u64) -> u64 {
    let _ = (cache, key);
    seconds
}

/// A path for `ttl` may name a lifetime, even one that is an argument, or a function of the value, even one with `Self`, and also
/// where the body may outlive the call.
#[test]
fn a_path_says_a_lifetime_or_gives_it() {
    struct Feed;

    #[cache_impl]
    impl Feed {
        const LONG: Duration = Duration::from_secs(7);

        fn of(value: &u32) -> Duration {
            Duration::from_secs(u64::from(*value))
        }

        #[cache(cache = cache, skip(cache), ttl = Self::LONG)]
        fn constant(cache: &Cache, x: u32) -> u32 {
            x
        }

        #[cache(cache = cache, skip(cache, lifetime), ttl = lifetime)]
        fn argument(cache: &Cache, x: u32, lifetime: Duration) -> u32 {
            x
        }

        #[cache(cache = cache, skip(cache), ttl = Self::of, stale = 60)]
        fn function(cache: &Cache, x: u32) -> Result<u32, String> {
            Ok(x)
        }
    }

    let (cache, clock) = cache();
    let lifetime = Duration::from_secs(7);
    Feed::constant(&cache, 7);
    Feed::argument(&cache, 7, lifetime);
    Feed::function(&cache, 7).unwrap();
    assert!(put!(Feed::function(&cache, 8), 7).unwrap());
    let there = || {
        [
            peek!(Feed::constant(&cache, 7)).unwrap(),
            peek!(Feed::argument(&cache, 7, lifetime)).unwrap(),
            peek!(Feed::function(&cache, 7)).unwrap(),
            peek!(Feed::function(&cache, 8)).unwrap(),
        ]
    };
    clock.advance(lifetime - NANO);
    assert_eq!(there(), [Some(7); 4]);
    clock.advance(NANO);
    assert_eq!(there(), [None; 4]);
}

#[test]
fn a_lifetime_of_zero_is_not_stored() {
    let (cache, _clock) = cache();
    for _ in 0..2 {
        assert_eq!(lives_for(&cache, "k", 0), 0);
        assert_eq!(now(lives_for_async(&cache, "k", 0)), 0);
        assert!(!put!(lives_for(&cache, "k", 0), 0).unwrap());
        assert!(!cache.set("k", &0_u8).ttl(Duration::ZERO).run().unwrap());
        let load = || 7_u8;
        let loaded = cache.get_or_load("k", load).ttl(Duration::ZERO).run();
        assert_eq!(loaded.unwrap(), 7);
    }
    let stats = cache.stats();
    assert_eq!((stats.total_keys, stats.hits), (0, 0));
    assert_eq!(stats.loads, 6);
    assert_eq!((stats.evictions, stats.expirations), (0, 0));
}

#[test]
fn a_put_of_a_zero_lifetime_removes_the_older_value() {
    let (cache, _clock) = cache();
    assert!(put!(lives_for(&cache, "k", 1), 1).unwrap());
    assert!(!put!(lives_for(&cache, "k", 1), 0).unwrap());
    assert_eq!(peek!(lives_for(&cache, "k", 1)).unwrap(), None);

    assert!(now(put!(lives_for_async(&cache, "k", 1), 1)).unwrap());
    assert!(!now(put!(lives_for_async(&cache, "k", 1), 0)).unwrap());
    assert_eq!(now(peek!(lives_for_async(&cache, "k", 1))).unwrap(), None);

    assert!(cache.set("k", &1_u8).run().unwrap());
    assert!(!cache.set("k", &2_u8).ttl(Duration::ZERO).run().unwrap());
    assert_eq!(cache.get::<u8>("k").run().unwrap(), None);
    assert_eq!(cache.stats().total_keys, 0);
}

/// A function's result for one call changes from one that is stored to one that is not.
#[test]
fn a_refresh_to_a_zero_lifetime_removes_the_older_value() {
    use std::sync::atomic::{AtomicU64, Ordering};

    #[cache(cache = cache, skip(cache, seconds), ttl = |value| Duration::from_secs(*value))]
    fn answer(cache: &Cache, seconds: &AtomicU64) -> u64 {
        let _ = cache;
        seconds.load(Ordering::Relaxed)
    }

    let (cache, _clock) = cache();
    let seconds = AtomicU64::new(60);
    assert_eq!(answer(&cache, &seconds), 60);
    seconds.store(0, Ordering::Relaxed);
    assert_eq!(answer(&cache, &seconds), 60);
    assert_eq!(refresh!(answer(&cache, &seconds)), 0);
    assert_eq!(peek!(answer(&cache, &seconds)).unwrap(), None);
}

#[test]
fn setting_again_starts_the_lifetime_anew() {
    let (cache, clock) = cache();
    let ttl = Duration::from_secs(2);
    cache.set("key", &1_u8).ttl(ttl).run().unwrap();
    clock.advance(Duration::from_secs(1));
    cache.set("key", &2_u8).ttl(ttl).run().unwrap();
    clock.advance(ttl - NANO);
    assert_eq!(cache.get("key").run().unwrap(), Some(2_u8));
    clock.advance(NANO);
    assert_eq!(cache.get::<u8>("key").run().unwrap(), None);
    assert_eq!(cache.stats().expirations, 1);
}

#[test]
fn setting_again_can_shorten_or_end_a_lifetime() {
    let (cache, clock) = cache();
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(9));
    for key in ["shortened", "unbounded"] {
        cache.set(key, &1_u8).ttl(long).run().unwrap();
    }
    cache.set("shortened", &2_u8).ttl(short).run().unwrap();
    cache.set("unbounded", &2_u8).run().unwrap();
    clock.advance(short);
    assert_eq!(cache.get::<u8>("shortened").run().unwrap(), None);
    clock.advance(long);
    assert_eq!(cache.get("unbounded").run().unwrap(), Some(2_u8));
}

#[test]
fn a_hit_does_not_prolong() {
    let (cache, clock) = cache();
    lives_for(&cache, "k", 3);
    for _ in 0..3 {
        lives_for(&cache, "k", 3);
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(peek!(lives_for(&cache, "k", 3)).unwrap(), None);
}

#[test]
fn what_has_expired_is_not_there_for_anyone() {
    let (cache, clock) = cache();
    let user = || scope::user("acme", 1);
    let set = |ttl| {
        let set = cache.set("key", &1_u8).scope(user()).ttl(ttl);
        assert!(set.run().unwrap());
    };
    set(MINUTE);
    lives_for(&cache, "k", 60);
    clock.advance(MINUTE);
    assert!(!cache.evict("key").scope(user()).run().unwrap());
    assert!(!evict!(lives_for(&cache, "k", 60)).unwrap());
    assert_eq!(cache.keys().run().unwrap().len(), 0);
    assert_eq!(cache.stats().total_keys, 0);
    set(MINUTE);
    clock.advance(MINUTE);
    let organization = scope::organization("acme");
    assert_eq!(cache.evict_by_scope(organization).run().unwrap(), 0);
    let stats = cache.stats();
    assert_eq!((stats.expirations, stats.evictions), (3, 0));
}

#[cache(cache = cache, skip(cache, value), scope = "user", local, ttl = 5)]
fn keep<T: Clone + Send + Sync + 'static>(
    cache: &Cache,
    org_id: &str,
    user_id: u32,
    value: &Arc<T>,
) -> Arc<T> {
    let _ = (cache, org_id, user_id);
    Arc::clone(value)
}

/// Nothing accesses the entry, or anything else in its cache.
#[test]
fn an_expired_entry_is_freed_without_being_touched() {
    let (cache, clock) = cache();
    let value = Arc::new("held by the cache");
    let held: Weak<_> = Arc::downgrade(&value);
    drop(keep(&cache, "acme", 7, &value));
    drop(value);
    clock.advance(Duration::from_secs(5) - NANO);
    assert!(held.upgrade().is_some());
    clock.advance(NANO);
    assert!(held.upgrade().is_none());
    assert_eq!(cache.stats().expirations, 1);
    let organization = scope::organization("acme");
    assert_eq!(cache.evict_by_scope(organization).run().unwrap(), 0);
}

#[test]
fn entries_are_freed_each_in_its_time() {
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .clock(clock.clone())
        .rule(Lru::new(1_000))
        .build()
        .unwrap();
    for lifetime in (1..=200_u64).rev() {
        lives_for(&cache, "k", lifetime);
    }
    for passed in 1..=200 {
        clock.advance(Duration::from_secs(1));
        let stats = cache.stats();
        assert_eq!(
            (stats.expirations, stats.total_keys),
            (passed, 200 - passed)
        );
    }
}

/// Evicts from another cache when dropped.
#[derive(Clone)]
struct Parting {
    from: Cache,
    evicted: Arc<Mutex<Vec<u64>>>,
}

impl Drop for Parting {
    fn drop(&mut self) {
        let of_call = evict!(lives_for(&self.from, "k", 5)).unwrap();
        let organization = self.from.evict_by_scope(scope::organization("acme"));
        let all = self.from.evict_by_scope(scope::global());
        let mut evicted = self.evicted.lock().unwrap();
        evicted.push(of_call.into());
        evicted.push(organization.run().unwrap());
        evicted.push(all.run().unwrap());
    }
}

/// An expired entry counts as expired, even before it is freed: two caches on one clock free their entries one after the other.
#[test]
fn what_has_expired_is_not_evicted_before_it_is_freed() {
    let (one, clock) = cache();
    let two = Cache::builder().clock(clock.clone()).build().unwrap();
    lives_for(&two, "k", 5);
    keep(&two, "acme", 7, &Arc::new("five seconds"));
    lives_for(&two, "another", 5);
    lives_for(&two, "longer", 6);
    let evicted = Arc::default();
    let parting = Arc::new(Parting {
        from: two.clone(),
        evicted: Arc::clone(&evicted),
    });
    drop(keep(&one, "acme", 7, &parting));
    drop(parting);
    clock.advance(Duration::from_secs(5));
    assert_eq!(*evicted.lock().unwrap(), [0, 0, 1]);
    let stats = two.stats();
    assert_eq!((stats.expirations, stats.evictions), (3, 1));
}

#[test]
fn one_clock_moves_several_caches() {
    let clock = ManualClock::new();
    let cache = || Cache::builder().clock(clock.clone()).build().unwrap();
    let (one, two) = (cache(), cache());
    lives_for(&one, "k", 1);
    lives_for(&two, "k", 2);
    clock.advance(Duration::from_secs(1));
    assert_eq!(one.stats().total_keys, 0);
    assert_eq!(two.stats().total_keys, 1);
}

#[test]
fn a_default_and_a_maximum_apply_to_functions_and_to_sets() {
    let clock = ManualClock::new();
    let (short, long) = (Duration::from_secs(10), Duration::from_secs(20));
    let cache = Cache::builder()
        .clock(clock.clone())
        .rule(Ttl::new().default(short).max(long))
        .build()
        .unwrap();
    lives_for(&cache, "long", 1_000);
    lives_for(&cache, "brief", 5);
    cache.set("none", &0_u8).run().unwrap();
    cache
        .set("longest", &0_u8)
        .ttl(Duration::MAX)
        .run()
        .unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(cache.stats().total_keys);
        clock.advance(Duration::from_secs(5));
    }
    held.push(cache.stats().total_keys);
    // at 0, 5, 10, 15 and 20 seconds
    assert_eq!(held, [4, 3, 2, 2, 0]);
}

/// Long enough for the slowest machine: a test that exceeds it hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// A value that reports when its last clone is dropped.
#[derive(Clone, Serialize, Deserialize)]
struct Told {
    #[serde(skip)]
    _on_drop: Option<Arc<OnDrop>>,
}

struct OnDrop(mpsc::Sender<()>);

impl Told {
    fn new(told: mpsc::Sender<()>) -> Self {
        Self {
            _on_drop: Some(Arc::new(OnDrop(told))),
        }
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// On the real clock, the sweeping thread frees the entry although nothing accesses the cache.
#[test]
fn an_expired_entry_is_freed_in_the_background() {
    let cache = Cache::builder()
        .rule(
            Ttl::new()
                .max(Duration::from_millis(20))
                .sweep(Duration::from_millis(10)),
        )
        .build()
        .unwrap();
    let (told, freed) = mpsc::channel();
    assert!(cache.set("key", &Told::new(told)).run().unwrap());
    assert_eq!(freed.recv_timeout(PATIENCE), Ok(()), "it was never freed");
    assert_eq!(cache.stats().expirations, 1);
}

/// The default sweep needs no rule.
#[test]
fn an_expired_entry_is_freed_in_the_background_of_a_cache_without_rules() {
    let cache = Cache::builder().build().unwrap();
    let ttl = Duration::from_millis(20);
    let (told, freed) = mpsc::channel();
    let lasting = Arc::new(2);
    assert!(cache.set("lasting", &lasting).run().unwrap());
    let held = Arc::downgrade(&lasting);
    drop(lasting);
    assert!(cache.set("brief", &Told::new(told)).ttl(ttl).run().unwrap());
    assert_eq!(freed.recv_timeout(PATIENCE), Ok(()), "it was never freed");
    assert_eq!(held.strong_count(), 1);
}

#[test]
fn a_cache_that_is_dropped_frees_what_it_holds() {
    let (cache, clock) = cache();
    let value = Arc::new(1);
    cache.set("key", &value).ttl(MINUTE).run().unwrap();
    cache.set("other", &value).run().unwrap();
    assert_eq!(Arc::strong_count(&value), 3);
    drop(cache);
    assert_eq!(Arc::strong_count(&value), 1);
    clock.advance(MINUTE);
}

//! How to test code that caches: with a clock that moves only on request, a cache for each test, or no cache at all.
//!
//! The functions that `main` calls would be `#[test]` functions.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, peek};

/// The code under test. Its cache is passed in, so that each test can use a cache of its own.
struct Weather {
    cache: Cache,
    requests: AtomicU32,
}

#[cacheado::cache_impl]
impl Weather {
    fn new(cache: Cache) -> Self {
        Self {
            cache,
            requests: AtomicU32::new(0),
        }
    }

    /// The lifetime depends on the value.
    #[cache(cache = self.cache, ttl = |degrees: &i32| Duration::from_secs(if *degrees < 0 { 60 } else { 600 }))]
    fn degrees(&self, city: &str) -> i32 {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if city == "Tromsø" { -4 } else { 21 }
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

fn a_value_lives_exactly_as_long_as_it_says() -> cacheado::Result<()> {
    let clock = ManualClock::new();
    let weather = Weather::new(Cache::builder().clock(clock.clone()).build()?);
    weather.degrees("Tromsø");
    weather.degrees("Lisbon");

    clock.advance(Duration::new(59, 999_999_999));
    assert_eq!(peek!(weather.degrees("Tromsø"))?, Some(-4));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(peek!(weather.degrees("Tromsø"))?, None);
    assert_eq!(peek!(weather.degrees("Lisbon"))?, Some(21));

    clock.advance(Duration::from_mins(9));
    weather.degrees("Lisbon");
    assert_eq!(weather.requests(), 3);
    Ok(())
}

fn expired_entries_are_freed_when_the_clock_moves() -> cacheado::Result<()> {
    let clock = ManualClock::new();
    let weather = Weather::new(Cache::builder().clock(clock.clone()).build()?);
    weather.degrees("Tromsø");
    clock.advance(Duration::from_mins(1));
    let stats = weather.cache.stats();
    assert_eq!((stats.total_keys, stats.expirations), (0, 1));
    Ok(())
}

fn without_a_cache_every_call_is_a_request() {
    let weather = Weather::new(Cache::disabled());
    for _ in 0..3 {
        weather.degrees("Lisbon");
    }
    assert_eq!(weather.requests(), 3);
}

fn main() -> cacheado::Result<()> {
    a_value_lives_exactly_as_long_as_it_says()?;
    println!("a value lives exactly as long as it says");
    expired_entries_are_freed_when_the_clock_moves()?;
    println!("expired entries are freed when the clock moves");
    without_a_cache_every_call_is_a_request();
    println!("without a cache every call is a request");
    Ok(())
}

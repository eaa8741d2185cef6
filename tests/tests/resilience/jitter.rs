//! `jitter`: every lifetime is in `[ttl, ttl · (1 + jitter)]`, spread evenly.

use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, peek};

use crate::source::{NANO, SECOND, cache};

const COUNT: u32 = 10_000;

#[cache(ttl = 100, jitter = 0.1, cache = cache, skip(cache))]
fn spread(cache: &Cache, id: u32) -> u32 {
    id
}

/// How many entries are left after each tenth of the jitter. None may go before `ttl`.
fn left(cache: &Cache, clock: &ManualClock) -> Vec<u64> {
    clock.advance(100 * SECOND - NANO);
    assert_eq!(cache.stats().total_keys, u64::from(COUNT));
    clock.advance(NANO);
    let steps = (0..10).map(|_| {
        clock.advance(SECOND);
        cache.stats().total_keys
    });
    steps.collect()
}

fn is_even(left: &[u64]) {
    assert_eq!(left.last(), Some(&0), "{left:?}");
    for (nth, left) in (1..).zip(left) {
        let expected = i64::from(COUNT) - i64::from(COUNT) / 10 * nth;
        // six standard deviations of a binomial distribution at its widest
        assert!(left.cast_signed().abs_diff(expected) < 300, "{nth}: {left}");
    }
}

#[test]
fn lifetimes_of_a_function_are_spread_evenly() {
    let (cache, clock) = cache();
    for id in 0..COUNT {
        spread(&cache, id);
    }
    is_even(&left(&cache, &clock));
}

#[test]
fn the_builders_serves_all_others() {
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).jitter(0.1);
    let cache = cache.build().unwrap();
    for id in 0..COUNT {
        let set = cache.set(id, &id).ttl(Duration::from_secs(100));
        assert!(set.run().unwrap());
    }
    is_even(&left(&cache, &clock));
}

#[test]
fn what_lives_until_evicted_has_none() {
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).jitter(1.0);
    let cache = cache.build().unwrap();
    cache.set("kept", &1).run().unwrap();
    cache.set("longest", &1).ttl(Duration::MAX).run().unwrap();
    assert!(!cache.set("none", &1).ttl(Duration::ZERO).run().unwrap());
    clock.advance(Duration::from_secs(u64::MAX / 4_000_000_000));
    assert_eq!(cache.stats().total_keys, 2);
}

#[test]
fn a_value_past_its_jittered_lifetime_has_all_of_its_stale_part() {
    #[cache(ttl = 100, jitter = 1.0, stale = 50, cache = cache, skip(cache))]
    fn both(cache: &Cache, id: u32) -> u32 {
        id
    }
    let (cache, clock) = cache();
    cache.shutdown();
    for id in 0..100 {
        both(&cache, id);
    }
    clock.advance(150 * SECOND - NANO);
    assert_eq!(cache.stats().total_keys, 100);
    let good = (0..100).filter(|id| peek!(both(&cache, *id)).unwrap().is_some());
    let good = good.count();
    assert!((20..80).contains(&good), "{good}");
    clock.advance(100 * SECOND + NANO);
    assert_eq!(cache.stats().total_keys, 0);
}

#[test]
fn parts_that_are_none_are_refused() {
    for part in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = Cache::builder().jitter(part).build().unwrap_err();
        assert!(error.to_string().contains("from 0 to 1"), "{error}");
    }
    for part in [0.0, 1.0, -1.0, f64::NAN] {
        let error = Cache::builder().refresh_after(part).build().unwrap_err();
        assert!(error.to_string().contains("less than 1"), "{error}");
    }
}

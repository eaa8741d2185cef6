//! `xfetch`: a hit starts a refresh with the probability given in its paper, by how near the end is and how long a load takes.

use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache};

use crate::source::{SECOND, cache};

const COUNT: u32 = 4000;
const TTL: Duration = Duration::from_secs(1_000_000);

/// Takes a second of the clock on its first load.
#[cache(ttl = TTL, xfetch = 1.0, cache = cache, skip(cache, clock, first))]
async fn once(cache: &Cache, clock: &ManualClock, first: bool, id: u32) -> u32 {
    if first {
        clock.advance(SECOND);
    }
    id
}

#[cache(ttl = TTL, xfetch = 2.0, cache = cache, skip(cache, clock, first))]
async fn twice(cache: &Cache, clock: &ManualClock, first: bool, id: u32) -> u32 {
    if first {
        clock.advance(SECOND);
    }
    id
}

/// Hits each of many values once, `left` before its end. Returns the number of refreshes.
macro_rules! refreshed {
    ($function:ident, $left:expr) => {{
        let (cache, clock) = cache();
        for id in 0..COUNT {
            $function(&cache, &clock, true, id).await;
        }
        // the first value was stored after a second, and each other one a second later
        clock.advance(SECOND + TTL - $left - clock.elapsed());
        for id in 0..COUNT {
            assert_eq!($function(&cache, &clock, false, id).await, id);
            clock.advance(SECOND);
            tokio::task::yield_now().await;
        }
        assert_eq!(cache.stats().hits, u64::from(COUNT));
        cache.stats().refreshes
    }};
}

/// Asserts that `refreshed` is within five standard deviations of the expected number.
fn is_near(refreshed: u64, probability: f64) {
    let count = f64::from(COUNT);
    let deviation = (count * probability * (1.0 - probability)).sqrt();
    let refreshed = f64::from(u32::try_from(refreshed).unwrap());
    let off = (refreshed - count * probability).abs();
    assert!(
        off <= 5.0 * deviation,
        "{refreshed} of {count}, not {probability}"
    );
}

#[tokio::test]
async fn a_hit_is_the_one_as_often_as_the_formula_says() {
    for (left, probability) in [(0.5_f64, (-0.5_f64).exp()), (2.0, (-2.0_f64).exp())] {
        let left = Duration::from_secs_f64(left);
        is_near(refreshed!(once, left), probability);
    }
    is_near(refreshed!(twice, 3 * SECOND), (-1.5_f64).exp());
}

#[tokio::test]
async fn far_from_the_end_and_after_loads_of_no_time_it_never_is() {
    assert_eq!(refreshed!(once, 100 * SECOND), 0);
    let (cache, clock) = cache();
    once(&cache, &clock, false, 7).await;
    clock.advance(TTL - Duration::from_nanos(1));
    once(&cache, &clock, false, 7).await;
    tokio::task::yield_now().await;
    assert_eq!(cache.stats().refreshes, 0);
}

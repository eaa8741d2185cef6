//! `stale`: a value past its lifetime is served while another is loaded, or when the load fails.

use std::thread;
use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, LoadContext, cache, cache_put, evict, expire, peek, put, refresh};

use crate::source::{Failure, NANO, SECOND, Source, cache, comes};

#[cache(ttl = 60, stale = "1h", cache = cache, skip(cache, source))]
fn served(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
    source.load()
}

#[cache(ttl = 60, stale = "1h", cache = cache, skip(cache, source))]
async fn served_async(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
    source.load_async().await
}

/// A cache after its first load, whose value is 1.
fn loaded(source: &Source) -> (Cache, ManualClock) {
    let (cache, clock) = cache();
    assert_eq!(served(&cache, source, 7), Ok(1));
    (cache, clock)
}

/// Waits until the refresh is over, and its value is what calls return.
fn is_refreshed(cache: &Cache, source: &Source, value: u64) {
    let peeked = || peek!(served(cache, source, 7)).unwrap();
    comes("the refreshed value", || peeked() == Some(value));
}

#[test]
fn it_is_good_up_to_its_last_nanosecond() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    clock.advance(60 * SECOND - NANO);
    assert_eq!(served(&cache, &source, 7), Ok(1));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.stale_hits, stats.refreshes), (1, 0, 0));
    clock.advance(NANO);
    assert_eq!(served(&cache, &source, 7), Ok(1));
    assert_eq!(cache.stats().stale_hits, 1);
    is_refreshed(&cache, &source, 2);
    assert_eq!(source.loads(), 2);
}

#[test]
fn many_readers_get_it_at_once_and_one_load_runs() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    clock.advance(60 * SECOND);
    source.close();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(served(&cache, &source, 7), Ok(1));
                }
            });
        }
    });
    source.has_begun(2);
    source.open();
    is_refreshed(&cache, &source, 2);
    assert_eq!(source.loads(), 2);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.stale_hits), (1000, 1000));
    assert_eq!((stats.misses, stats.loads, stats.refreshes), (1, 1, 1));
}

#[tokio::test]
async fn many_tasks_get_it_at_once_and_one_load_runs() {
    let (cache, clock) = cache();
    let source = Source::default();
    assert_eq!(served_async(&cache, &source, 7).await, Ok(1));
    clock.advance(60 * SECOND);
    source.close();
    for _ in 0..100 {
        assert_eq!(served_async(&cache, &source, 7).await, Ok(1));
    }
    while source.loads() < 2 {
        tokio::task::yield_now().await;
    }
    source.open();
    while peek!(served_async(&cache, &source, 7)).await.unwrap() != Some(2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(source.loads(), 2);
    assert_eq!(cache.stats().refreshes, 1);
}

#[test]
fn past_its_stale_part_it_is_gone() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    source.fails(Failure::Error);
    clock.advance(3660 * SECOND - NANO);
    assert_eq!(served(&cache, &source, 7), Ok(1));
    comes("the failure", || cache.stats().failures == 1);
    clock.advance(NANO);
    assert_eq!(served(&cache, &source, 7), Err("as asked".to_owned()));
    assert_eq!(cache.stats().total_keys, 0);
}

#[test]
fn a_failed_refresh_rests_a_while() {
    for failure in [Failure::Error, Failure::Panic] {
        let source = Source::default();
        let clock = ManualClock::new();
        let cache = Cache::builder().clock(clock.clone());
        let cache = cache.retry_after(10 * SECOND).build().unwrap();
        assert_eq!(served(&cache, &source, 7), Ok(1));
        source.fails(failure);
        clock.advance(60 * SECOND);
        assert_eq!(served(&cache, &source, 7), Ok(1));
        comes("the failure", || cache.stats().failures == 1);
        clock.advance(10 * SECOND - NANO);
        for _ in 0..10 {
            assert_eq!(served(&cache, &source, 7), Ok(1));
        }
        assert_eq!(source.loads(), 2);
        source.fails(None);
        clock.advance(NANO);
        assert_eq!(served(&cache, &source, 7), Ok(1));
        is_refreshed(&cache, &source, 3);
        assert_eq!(cache.stats().refreshes, 2);
    }
}

#[test]
fn what_was_evicted_stands_in_for_nothing() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    clock.advance(60 * SECOND);
    assert!(evict!(served(&cache, &source, 7)).unwrap());
    source.fails(Failure::Error);
    assert!(served(&cache, &source, 7).is_err());
}

#[test]
fn what_is_evicted_during_its_refresh_does_not_come_back() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    clock.advance(60 * SECOND);
    source.close();
    assert_eq!(served(&cache, &source, 7), Ok(1));
    source.has_begun(2);
    evict!(served(&cache, &source, 7)).unwrap();
    thread::scope(|scope| {
        // it joins no load that began before the eviction
        let later = scope.spawn(|| served(&cache, &source, 7));
        source.has_begun(3);
        source.open();
        assert_eq!(later.join().unwrap(), Ok(3));
    });
    assert_eq!(served(&cache, &source, 7), Ok(3));
}

#[test]
fn what_is_put_during_a_refresh_stays() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    clock.advance(60 * SECOND);
    source.close();
    assert_eq!(served(&cache, &source, 7), Ok(1));
    source.has_begun(2);
    assert!(put!(served(&cache, &source, 7), 100).unwrap());
    source.open();
    // nothing of the refresh is left: neither its value nor its claim
    clock.advance(60 * SECOND - NANO);
    assert_eq!(served(&cache, &source, 7), Ok(100));
    clock.advance(NANO);
    assert_eq!(served(&cache, &source, 7), Ok(100));
    is_refreshed(&cache, &source, 3);
}

#[test]
fn who_expires_it_has_the_next_call_wait() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    assert!(expire!(served(&cache, &source, 7)).unwrap());
    assert!(!expire!(served(&cache, &source, 7)).unwrap());
    assert_eq!(peek!(served(&cache, &source, 7)).unwrap(), None);
    assert_eq!(served(&cache, &source, 7), Ok(2));
    // and the old value is served if the load fails
    expire!(served(&cache, &source, 7)).unwrap();
    source.fails(Failure::Error);
    assert_eq!(served(&cache, &source, 7), Ok(2));
    assert_eq!((cache.stats().failures, cache.stats().stale_hits), (1, 1));
    clock.advance(3660 * SECOND);
    assert!(served(&cache, &source, 7).is_err());
}

#[test]
fn who_expires_it_has_calls_wait_until_a_body_has_succeeded() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    expire!(served(&cache, &source, 7)).unwrap();
    source.fails(Failure::Error);
    assert_eq!(served(&cache, &source, 7), Ok(1));
    // the default of `retry_after`
    clock.advance(5 * SECOND - NANO);
    assert_eq!(served(&cache, &source, 7), Ok(1));
    assert_eq!(source.loads(), 2);
    source.fails(None);
    clock.advance(NANO);
    assert_eq!(served(&cache, &source, 7), Ok(3));
}

#[test]
fn who_expires_it_has_it_tried_again_after_a_failure() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    source.fails(Failure::Error);
    clock.advance(60 * SECOND);
    assert_eq!(served(&cache, &source, 7), Ok(1));
    comes("the failure", || cache.stats().failures == 1);
    source.fails(None);
    expire!(served(&cache, &source, 7)).unwrap();
    assert_eq!(served(&cache, &source, 7), Ok(3));
}

#[test]
fn what_has_no_stale_part_goes_when_it_is_expired() {
    #[cache(ttl = 60, cache = cache, skip(cache))]
    fn plain(cache: &Cache, id: u64) -> u64 {
        id
    }
    let (cache, _) = cache();
    plain(&cache, 7);
    assert!(expire!(plain(&cache, 7)).unwrap());
    assert!(!expire!(plain(&cache, 7)).unwrap());
    assert_eq!(cache.stats().total_keys, 0);
}

#[test]
fn what_is_expired_during_a_load_is_loaded_anew() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    clock.advance(60 * SECOND);
    source.close();
    assert_eq!(served(&cache, &source, 7), Ok(1));
    source.has_begun(2);
    expire!(served(&cache, &source, 7)).unwrap();
    source.open();
    assert_eq!(served(&cache, &source, 7), Ok(3));
}

#[test]
fn the_builders_stale_serves_functions_that_run_their_bodies_themselves() {
    #[cache(ttl = 60, cache = cache, skip(cache, source))]
    fn plain(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load()
    }
    let (source, clock) = (Source::default(), ManualClock::new());
    let cache = Cache::builder().clock(clock.clone()).stale(60 * SECOND);
    let cache = cache.build().unwrap();
    assert_eq!(plain(&cache, &source), Ok(1));
    clock.advance(60 * SECOND);
    for failure in [Failure::Error, Failure::Panic] {
        source.fails(failure);
        let loads = source.loads();
        assert_eq!(plain(&cache, &source), Ok(1));
        assert_eq!(source.loads(), loads + 1);
        // no other load for a while
        assert_eq!(plain(&cache, &source), Ok(1));
        assert_eq!(source.loads(), loads + 1);
        clock.advance(5 * SECOND);
    }
    source.fails(None);
    assert_eq!(plain(&cache, &source), Ok(4));
    source.fails(Failure::Error);
    clock.advance(120 * SECOND);
    assert!(plain(&cache, &source).is_err());
}

#[tokio::test]
async fn the_builders_stale_serves_async_functions_too() {
    #[cache(ttl = 60, cache = cache, skip(cache, source))]
    async fn plain(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load_async().await
    }
    let (source, clock) = (Source::default(), ManualClock::new());
    let cache = Cache::builder().clock(clock.clone()).stale(60 * SECOND);
    let cache = cache.build().unwrap();
    assert_eq!(plain(&cache, &source).await, Ok(1));
    clock.advance(60 * SECOND);
    for failure in [Failure::Error, Failure::Panic] {
        source.fails(failure);
        assert_eq!(plain(&cache, &source).await, Ok(1));
        clock.advance(5 * SECOND);
    }
    assert_eq!(source.loads(), 3);
}

#[test]
fn those_who_wait_for_a_load_that_fails_get_it_too() {
    #[cache(ttl = 60, cache = cache, skip(cache, source))]
    fn plain(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load()
    }
    let (source, clock) = (Source::default(), ManualClock::new());
    let cache = Cache::builder().clock(clock.clone()).stale(60 * SECOND);
    let cache = cache.build().unwrap();
    assert_eq!(plain(&cache, &source), Ok(1));
    clock.advance(60 * SECOND);
    source.close();
    source.fails(Failure::Panic);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| plain(&cache, &source)))
            .collect();
        source.has_begun(2);
        source.open();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), Ok(1));
        }
    });
    assert_eq!(source.loads(), 2);
}

#[test]
fn what_is_put_ages_as_what_is_loaded() {
    #[cache_put(ttl = 60, stale = 60, cache = cache, skip(cache, source), name = "aged")]
    fn store(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load()
    }
    #[cache(ttl = 60, stale = 60, cache = cache, skip(cache, source), name = "aged")]
    fn read(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load()
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(store(&cache, &source, 7), Ok(1));
    clock.advance(60 * SECOND);
    assert_eq!(read(&cache, &source, 7), Ok(1));
    let peeked = || peek!(read(&cache, &source, 7)).unwrap();
    comes("the refreshed value", || peeked() == Some(2));
    assert!(put!(read(&cache, &source, 7), 100).unwrap());
    clock.advance(60 * SECOND);
    assert_eq!(read(&cache, &source, 7), Ok(100));
}

#[test]
fn a_refresh_that_is_asked_for_is_waited_for() {
    let source = Source::default();
    let (cache, clock) = loaded(&source);
    assert_eq!(refresh!(served(&cache, &source, 7)), Ok(2));
    clock.advance(60 * SECOND);
    assert_eq!(refresh!(served(&cache, &source, 7)), Ok(3));
    assert_eq!(served(&cache, &source, 7), Ok(3));
    assert_eq!(cache.stats().refreshes, 0);
}

#[test]
fn a_function_of_the_same_name_without_stale_serves_no_such_value() {
    #[cache(ttl = 60, stale = 60, cache = cache, skip(cache, source), name = "shared stale")]
    fn with(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load()
    }
    #[cache(ttl = 60, cache = cache, skip(cache, source), name = "shared stale")]
    fn without(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load()
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(with(&cache, &source, 7), Ok(1));
    assert_eq!(without(&cache, &source, 7), Ok(1));
    clock.advance(60 * SECOND);
    assert_eq!(without(&cache, &source, 7), Ok(2));
    assert_eq!(with(&cache, &source, 7), Ok(2));
}

/// Nor if it waits for a load of the other function that fails.
#[tokio::test]
async fn nor_if_it_has_joined_the_others_load() {
    #[cache(ttl = 60, stale = 60, cache = cache, skip(cache, source), name = "joined stale")]
    async fn with(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load_async().await
    }
    #[cache(ttl = 60, cache = cache, skip(cache, source), name = "joined stale")]
    async fn without(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load_async().await
    }
    let source = Source::default();
    let (cache, _) = cache();
    assert_eq!(with(&cache, &source, 7).await, Ok(1));
    assert!(expire!(with(&cache, &source, 7)).await.unwrap());
    source.close();
    let mut leads = Box::pin(with(&cache, &source, 7));
    assert!(futures::poll!(&mut leads).is_pending());
    let mut joins = Box::pin(without(&cache, &source, 7));
    assert!(futures::poll!(&mut joins).is_pending());
    source.fails(Failure::Error);
    source.open();
    assert_eq!(leads.await, Ok(1));
    source.fails(None);
    assert!(joins.await.is_ok_and(|value| value > 1));
}

#[test]
fn a_rule_that_cuts_lifetimes_has_the_last_word() {
    use cacheado::rules::Ttl;
    let (source, clock) = (Source::default(), ManualClock::new());
    let cache = Cache::builder().clock(clock.clone());
    let cache = cache.rule(Ttl::new().max(30 * SECOND)).build().unwrap();
    assert_eq!(served(&cache, &source, 7), Ok(1));
    clock.advance(30 * SECOND - NANO);
    assert_eq!(served(&cache, &source, 7), Ok(1));
    clock.advance(NANO);
    assert_eq!(served(&cache, &source, 7), Ok(2));
    assert_eq!(cache.stats().stale_hits, 0);
}

#[test]
fn what_stands_in_without_end_is_good_for_no_longer() {
    use cacheado::rules::Ttl;
    #[cache(ttl = 60, stale = Duration::MAX, cache = cache, skip(cache, source))]
    fn for_ever(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load()
    }
    for rule in [Ttl::new(), Ttl::new().max(3600 * SECOND)] {
        let (source, clock) = (Source::default(), ManualClock::new());
        let cache = Cache::builder().clock(clock.clone());
        let cache = cache.rule(rule).build().unwrap();
        assert_eq!(for_ever(&cache, &source), Ok(1));
        clock.advance(60 * SECOND - NANO);
        assert_eq!(peek!(for_ever(&cache, &source)).unwrap(), Some(1));
        clock.advance(NANO);
        assert_eq!(peek!(for_ever(&cache, &source)).unwrap(), None);
        assert_eq!(for_ever(&cache, &source), Ok(1));
        assert_eq!(cache.stats().stale_hits, 1);
    }
}

/// A caller that asks for a new value, or stores one, receives the error.
#[test]
fn a_refresh_or_a_put_that_fails_is_given_no_older_value() {
    #[cache(ttl = 60, stale = 600, cache = cache, skip(cache, source), name = "rate")]
    fn rate(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load()
    }
    #[cache_put(ttl = 60, stale = 600, cache = cache, skip(cache, source), name = "rate")]
    fn save(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load()
    }
    let (source, clock) = (Source::default(), ManualClock::new());
    let cache = Cache::builder().clock(clock.clone()).build().unwrap();
    assert_eq!(rate(&cache, &source, 7), Ok(1));
    source.fails(Failure::Error);
    for _ in 0..2 {
        assert_eq!(save(&cache, &source, 7), Err("as asked".to_owned()));
        let refreshed = refresh!(rate(&cache, &source, 7));
        assert_eq!(refreshed, Err("as asked".to_owned()));
        clock.advance(61 * SECOND);
    }
}

#[test]
fn those_who_waited_for_a_load_that_failed_have_stale_hits_too() {
    let source = Source::default();
    let (cache, _) = loaded(&source);
    expire!(served(&cache, &source, 7)).unwrap();
    cache.reset_stats();
    source.fails(Failure::Error);
    source.close();
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| assert_eq!(served(&cache, &source, 7), Ok(1)));
        }
        comes("all of them", || cache.stats().misses == 10);
        source.open();
    });
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (0, 10));
    assert_eq!((stats.failures, stats.stale_hits), (1, 10));
}

#[test]
fn what_can_not_stand_in_goes() {
    #[cache(ttl = 100, refresh_after = 0.8, cache = cache, skip(cache, source))]
    fn renewed(cache: &Cache, source: &Source) -> Result<u64, String> {
        let before = LoadContext::current().and_then(|it| it.previous::<u64>());
        assert_eq!(before, None);
        source.load()
    }
    let source = Source::default();
    let (cache, _) = cache();
    assert_eq!(renewed(&cache, &source), Ok(1));
    assert!(expire!(renewed(&cache, &source)).unwrap());
    assert_eq!(cache.stats().total_keys, 0);
    assert_eq!(renewed(&cache, &source), Ok(2));
    assert!(!expire!(renewed(&Cache::builder().build().unwrap(), &source)).unwrap());
}

//! `err_ttl`: how long an `Err` is kept.

use std::sync::atomic::Ordering;
use std::thread;

use cacheado::backends::Change;
use cacheado::{Cache, Scope, cache, evict, expire, peek, put, refresh};
use cacheado_tests::store::Client;

use crate::source::{Failure, NANO, SECOND, Source, cache, comes};

/// Not serializable, so it stays in the process.
#[derive(Clone, Debug, PartialEq)]
struct Broken(String);

#[cache(ttl = 60, err_ttl = 5, cache = cache, skip(cache, source))]
fn kept(cache: &Cache, source: &Source, id: u64) -> Result<u64, Broken> {
    source.load().map_err(Broken)
}

#[cache(ttl = 60, err_ttl = 5, cache = cache, skip(cache, source))]
async fn kept_async(cache: &Cache, source: &Source) -> Result<u64, Broken> {
    source.load_async().await.map_err(Broken)
}

fn broken<T>() -> Result<T, Broken> {
    Err(Broken("as asked".to_owned()))
}

#[test]
fn an_error_is_kept_for_its_own_time() {
    let source = Source::default();
    let (cache, clock) = cache();
    source.fails(Failure::Error);
    assert_eq!(kept(&cache, &source, 7), broken());
    source.fails(None);
    clock.advance(5 * SECOND - NANO);
    assert_eq!(kept(&cache, &source, 7), broken());
    assert_eq!(kept(&cache, &source, 8), Ok(2));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.loads), (1, 2, 2));
    clock.advance(NANO);
    assert_eq!(kept(&cache, &source, 7), Ok(3));
    source.fails(Failure::Error);
    clock.advance(60 * SECOND - NANO);
    assert_eq!(kept(&cache, &source, 7), Ok(3));
}

#[tokio::test]
async fn so_is_an_async_functions() {
    let source = Source::default();
    let (cache, clock) = cache();
    source.fails(Failure::Error);
    assert_eq!(kept_async(&cache, &source).await, broken());
    source.fails(None);
    assert_eq!(kept_async(&cache, &source).await, broken());
    clock.advance(5 * SECOND);
    assert_eq!(kept_async(&cache, &source).await, Ok(2));
}

#[test]
fn those_who_wait_get_it_and_load_nothing() {
    let source = Source::default();
    let (cache, _clock) = cache();
    source.close();
    source.fails(Failure::Error);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| kept(&cache, &source, 7)))
            .collect();
        source.has_begun(1);
        source.open();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), broken());
        }
    });
    assert_eq!(source.loads(), 1);
}

#[test]
fn it_goes_as_any_entry_does() {
    let source = Source::default();
    let (cache, _clock) = cache();
    source.fails(Failure::Error);
    assert_eq!(kept(&cache, &source, 7), broken());
    assert_eq!(peek!(kept(&cache, &source, 7)).unwrap(), None);
    assert_eq!(refresh!(kept(&cache, &source, 7)), broken());
    source.fails(None);
    assert!(evict!(kept(&cache, &source, 7)).unwrap());
    assert_eq!(kept(&cache, &source, 7), Ok(3));
    source.fails(Failure::Error);
    assert_eq!(kept(&cache, &source, 8), broken());
    assert!(put!(kept(&cache, &source, 8), 100).unwrap());
    assert_eq!(kept(&cache, &source, 8), Ok(100));
}

#[test]
fn one_that_is_expired_was_no_good_value() {
    let source = Source::default();
    for cache in [cache().0, Client::new().cache()] {
        source.fails(Failure::Error);
        assert_eq!(kept(&cache, &source, 7), broken());
        assert!(!expire!(kept(&cache, &source, 7)).unwrap());
        source.fails(None);
        assert!(kept(&cache, &source, 7).is_ok(), "it is gone");
        assert!(expire!(kept(&cache, &source, 7)).unwrap());
    }
}

#[test]
fn one_that_comes_after_an_eviction_is_not_kept() {
    let source = Source::default();
    let (cache, _clock) = cache();
    source.close();
    source.fails(Failure::Error);
    thread::scope(|scope| {
        let caller = scope.spawn(|| kept(&cache, &source, 7));
        source.has_begun(1);
        evict!(kept(&cache, &source, 7)).unwrap();
        source.open();
        assert_eq!(caller.join().unwrap(), broken());
    });
    source.fails(None);
    assert_eq!(kept(&cache, &source, 7), Ok(2));
}

#[test]
fn with_stale_it_is_kept_only_if_nothing_stands_in() {
    #[cache(ttl = 60, stale = 60, err_ttl = 5, cache = cache, skip(cache, source))]
    fn both(cache: &Cache, source: &Source) -> Result<u64, Broken> {
        source.load().map_err(Broken)
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(both(&cache, &source), Ok(1));
    source.fails(Failure::Error);
    clock.advance(120 * SECOND - NANO);
    assert_eq!(both(&cache, &source), Ok(1));
    crate::source::comes("the failure", || cache.stats().failures == 1);
    assert_eq!(both(&cache, &source), Ok(1));
    clock.advance(NANO);
    assert_eq!(both(&cache, &source), broken());
    source.fails(None);
    assert_eq!(both(&cache, &source), broken());
    clock.advance(5 * SECOND);
    assert_eq!(both(&cache, &source), Ok(4));
}

#[test]
fn with_a_timeout_too() {
    #[cache(ttl = 60, err_ttl = 5, hard_timeout = 9, cache = cache, skip(cache, source))]
    fn timed(cache: &Cache, source: &Source) -> Result<u64, Failed> {
        source.load().map_err(|_| Failed::Source)
    }
    #[derive(Clone, Debug, PartialEq)]
    enum Failed {
        Source,
        Late,
    }
    impl From<cacheado::Error> for Failed {
        fn from(_: cacheado::Error) -> Self {
            Self::Late
        }
    }
    let source = Source::default();
    let (cache, clock) = cache();
    source.fails(Failure::Error);
    assert_eq!(timed(&cache, &source), Err(Failed::Source));
    assert_eq!(timed(&cache, &source), Err(Failed::Source));
    assert_eq!(source.loads(), 1);
    clock.advance(5 * SECOND);
    source.close();
    thread::scope(|scope| {
        let caller = scope.spawn(|| timed(&cache, &source));
        source.has_begun(2);
        clock.advance(9 * SECOND);
        // the timeout error is not kept
        assert_eq!(caller.join().unwrap(), Err(Failed::Late));
        source.fails(None);
        source.open();
    });
    crate::source::comes("the value", || timed(&cache, &source) == Ok(2));
}

#[test]
fn a_good_value_that_another_call_has_stored_meanwhile_stays() {
    #[cache(ttl = 60, err_ttl = 5, single_flight = false, cache = cache, skip(cache, source))]
    fn beside(cache: &Cache, source: &Source) -> Result<u64, Broken> {
        source.load().map_err(Broken)
    }
    // the later load fails while the value is fresh, or after its lifetime
    for (later, left) in [(0, Ok(1)), (60, broken())] {
        let (good, bad) = (Source::default(), Source::default());
        let (cache, clock) = cache();
        bad.fails(Failure::Error);
        good.close();
        bad.close();
        thread::scope(|scope| {
            let first = scope.spawn(|| beside(&cache, &good));
            good.has_begun(1);
            let second = scope.spawn(|| beside(&cache, &bad));
            bad.has_begun(1);
            good.open();
            assert_eq!(first.join().unwrap(), Ok(1));
            clock.advance(later * SECOND);
            bad.open();
            assert_eq!(second.join().unwrap(), broken());
        });
        assert_eq!(beside(&cache, &good), left);
    }
}

/// Callers after the end of a value join its refresh. If the refresh fails, they get its error and don't all call the source.
#[test]
fn a_refresh_that_outlives_its_value_keeps_its_error() {
    #[cache(ttl = 100, refresh_after = 0.8, err_ttl = 5, cache = cache, skip(cache, source))]
    fn renewed(cache: &Cache, source: &Source) -> Result<u64, Broken> {
        source.load().map_err(Broken)
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(renewed(&cache, &source), Ok(1));
    source.close();
    source.fails(Failure::Error);
    clock.advance(85 * SECOND);
    assert_eq!(renewed(&cache, &source), Ok(1));
    source.has_begun(2);
    clock.advance(20 * SECOND);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(renewed(&cache, &source), broken()));
        }
        comes("those who join", || cache.stats().misses == 1 + 8);
        source.open();
    });
    assert_eq!(source.loads(), 2);
}

#[cache(ttl = 60, err_ttl = 3600, cache = cache, skip(cache, source))]
fn shared(cache: &Cache, source: &Source) -> Result<u64, Broken> {
    source.load().map_err(Broken)
}

/// Another process may have put a value meanwhile.
#[test]
fn one_is_kept_no_longer_than_a_copy_where_nothing_is_heard_of_other_processes() {
    let source = Source::default();
    let client = Client::new();
    client.store().silent.store(true, Ordering::SeqCst);
    let (one, other) = (client.cache(), client.clone().cache());
    source.fails(Failure::Error);
    assert_eq!(shared(&other, &source), broken());
    assert!(put!(shared(&one, &source), 7).unwrap());
    // the default of `coherence`
    client.store().clock.advance(5 * SECOND - NANO);
    assert_eq!(shared(&other, &source), broken());
    client.store().clock.advance(NANO);
    assert_eq!(shared(&other, &source), Ok(7));
}

#[test]
fn one_goes_when_it_is_not_known_what_other_processes_did() {
    for change in [Change::Lost, Change::Covered] {
        let source = Source::default();
        let client = Client::new();
        let other = client.cache();
        source.fails(Failure::Error);
        assert_eq!(shared(&other, &source), broken());
        assert_eq!(shared(&other, &source), broken());
        assert_eq!(source.loads(), 1);
        client.report(&change);
        source.fails(None);
        assert_eq!(shared(&other, &source), Ok(2), "{change:?}");
    }
}

/// The store does not have the error.
#[test]
fn one_counts_as_evicted_beside_what_the_shared_tier_has() {
    let source = Source::default();
    let client = Client::new();
    let cache = client.cache();
    source.fails(Failure::Error);
    assert_eq!(shared(&cache, &source), broken());
    assert!(client.is_empty());
    let evicted = cache.evict_by_scope(Scope::global()).run().unwrap();
    assert_eq!(evicted, 1);
}

/// The shared tier has no part in it: a function whose values never go there keeps its errors.
#[test]
fn one_of_a_local_function_stays() {
    #[cache(ttl = 60, err_ttl = 3600, local, cache = cache, skip(cache, source))]
    fn local(cache: &Cache, source: &Source) -> Result<u64, Broken> {
        source.load().map_err(Broken)
    }
    let source = Source::default();
    let client = Client::new();
    let cache = client.cache();
    source.fails(Failure::Error);
    assert_eq!(local(&cache, &source), broken());
    client.report(&Change::Lost);
    source.fails(None);
    client.store().clock.advance(60 * SECOND);
    assert_eq!(local(&cache, &source), broken());
}

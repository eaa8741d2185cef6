//! With a shared tier: which values are served stale, and to which process. Two processes share one store and its clock.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use cacheado::{Cache, Error, cache, evict, expire, peek, put, refresh};
use cacheado_tests::store::Client;
use cacheado_tests::within;

use crate::source::{Failure, NANO, SECOND, Source, comes};

#[cache(ttl = 60, stale = 60, cache = cache, skip(cache, source))]
fn served(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load()
}

#[cache(ttl = 60, stale = 60, cache = cache, skip(cache, source))]
async fn served_async(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load_async().await
}

#[cache(ttl = 100, refresh_after = 0.8, cache = cache, skip(cache, source))]
fn early(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load()
}

/// Two processes that receive each other's reports in time.
fn two() -> (Client, Cache, Client, Cache) {
    let client = Client::new();
    let other = client.clone();
    let (one, two) = (client.cache(), other.cache());
    (client, one, other, two)
}

#[test]
fn another_process_takes_over_what_is_left_of_both_parts() {
    let source = Source::default();
    let (client, one, _, two) = two();
    let clock = &client.store().clock;
    assert_eq!(served(&one, &source), Ok(1));
    clock.advance(60 * SECOND - NANO);
    assert_eq!(served(&two, &source), Ok(1));
    assert_eq!(peek!(served(&two, &source)).unwrap(), Some(1));
    source.fails(Failure::Error);
    // in whole milliseconds, rounded up
    clock.advance(SECOND / 1000);
    assert_eq!(peek!(served(&two, &source)).unwrap(), None);
    assert_eq!(served(&two, &source), Ok(1));
    comes("the failure", || two.stats().failures == 1);
    assert_eq!(two.stats().stale_hits, 1);
    clock.advance(60 * SECOND);
    assert!(served(&two, &source).is_err());
}

#[test]
fn what_is_stale_outside_is_loaded_anew_and_stands_in_if_that_fails() {
    let source = Source::default();
    let (client, one, _, two) = two();
    assert_eq!(served(&one, &source), Ok(1));
    client.store().clock.advance(61 * SECOND);
    for failure in [Failure::Error, Failure::Panic] {
        source.fails(failure);
        let three = client.clone().cache();
        assert_eq!(served(&three, &source), Ok(1));
        let stats = three.stats();
        assert_eq!((stats.misses, stats.failures, stats.stale_hits), (1, 1, 1));
    }
    source.fails(None);
    assert_eq!(served(&two, &source), Ok(4));
    assert_eq!(two.stats().stale_hits, 0);
    let third = client.clone().cache();
    assert_eq!(served(&third, &source), Ok(4));
}

#[tokio::test]
async fn so_it_is_for_async_functions() {
    let source = Source::default();
    let (client, one, _, two) = two();
    assert_eq!(served_async(&one, &source).await, Ok(1));
    client.store().clock.advance(61 * SECOND);
    source.fails(Failure::Error);
    assert_eq!(served_async(&two, &source).await, Ok(1));
    source.fails(None);
    client.store().clock.advance(5 * SECOND);
    // the stale value is now served at once, and the process has it
    assert_eq!(served_async(&two, &source).await, Ok(1));
    while peek!(served_async(&two, &source)).await.unwrap() != Some(3) {
        tokio::task::yield_now().await;
    }
}

/// The result of `served` when its body fails after `meanwhile`, which runs during the body. There is an old value by then.
fn fails_after(cache: &Cache, source: &Source, meanwhile: impl FnOnce()) -> Result<u64, String> {
    source.fails(Failure::Error);
    source.close();
    let begun = source.loads();
    thread::scope(|scope| {
        let caller = scope.spawn(|| served(cache, source));
        source.has_begun(begun + 1);
        meanwhile();
        source.open();
        caller.join().unwrap()
    })
}

#[cache(ttl = 60, stale = Duration::MAX, cache = cache, skip(cache, source))]
fn for_ever(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load()
}

#[test]
fn what_stands_in_without_end_is_old_to_all() {
    let source = Source::default();
    let (client, one, _, two) = two();
    assert_eq!(for_ever(&one, &source), Ok(1));
    client.store().clock.advance(61 * SECOND);
    for cache in [&one, &two] {
        assert_eq!(peek!(for_ever(cache, &source)).unwrap(), None);
    }
    assert_eq!(for_ever(&one, &source), Ok(1));
    comes("the refresh", || one.stats().refreshes == 1);
    comes("its value", || {
        peek!(for_ever(&two, &source)).unwrap() == Some(2)
    });
}

#[test]
fn nothing_stands_in_past_its_end_however_long_the_body_takes() {
    for (took, stands_in) in [(58, true), (59, false)] {
        let source = Source::default();
        let (client, one, _, two) = two();
        let clock = &client.store().clock;
        assert_eq!(served(&one, &source), Ok(1));
        clock.advance(61 * SECOND);
        let got = fails_after(&two, &source, || clock.advance(took * SECOND));
        assert_eq!(got.is_ok(), stands_in, "{took} s: {got:?}");
    }
}

#[test]
fn nothing_stands_in_for_longer_than_a_copy_is_kept_where_evictions_are_not_heard_of() {
    let source = Source::default();
    let client = Client::new();
    client.store().silent.store(true, Ordering::SeqCst);
    let (one, two) = (client.cache(), client.clone().cache());
    let clock = &client.store().clock;
    assert_eq!(served(&one, &source), Ok(1));
    clock.advance(61 * SECOND);
    let got = fails_after(&two, &source, || {
        assert!(evict!(served(&one, &source)).unwrap());
        // the default of `coherence`
        clock.advance(5 * SECOND);
    });
    assert!(got.is_err(), "{got:?}");
}

#[cache(ttl = 60, stale = 60, single_flight = "cluster", cache = cache, skip(cache, source))]
fn claimed(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load()
}

#[cache(ttl = 60, stale = 60, single_flight = "cluster", cache = cache, skip(cache, source))]
async fn claimed_async(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load()
}

/// As during a refresh of their own, and whether or not the load fails.
#[test]
fn who_finds_it_while_another_process_loads_the_next_gets_it_at_once() {
    let call = |waits: bool, cache: &Cache, source: &Source| {
        if waits {
            futures::executor::block_on(claimed_async(cache, source))
        } else {
            claimed(cache, source)
        }
    };
    for (waits, in_process) in [(false, true), (true, true), (false, false), (true, false)] {
        let call = move |cache: &Cache, source: &Source| call(waits, cache, source);
        within(20 * SECOND, move || {
            let source = Source::default();
            let client = Client::new();
            let cache = || {
                let builder = client.clone().builder().in_process(in_process);
                builder.build().unwrap()
            };
            assert_eq!(call(&cache(), &source), Ok(1));
            client.store().clock.advance(61 * SECOND);
            let (one, two) = (cache(), cache());
            source.close();
            thread::scope(|scope| {
                let loads = scope.spawn(|| call(&one, &source));
                source.has_begun(2);
                assert_eq!(call(&two, &source), Ok(1));
                let stats = two.stats();
                assert_eq!((stats.hits, stats.misses, stats.stale_hits), (1, 0, 1));
                assert_eq!(stats.loads, 0);
                source.open();
                assert_eq!(loads.join().unwrap(), Ok(2));
            });
            comes("the next", || call(&two, &source) == Ok(2));
            assert_eq!(source.loads(), 2);
        });
    }
}

#[cache(ttl = 60, stale = 60, timeout = 2, single_flight = "cluster", cache = cache, skip(cache, source))]
fn patient(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load()
}

/// With a `timeout`, they wait that long for the new value.
#[test]
fn who_may_wait_for_another_process_does() {
    within(20 * SECOND, || {
        let source = Source::default();
        let (client, first, other, second) = two();
        assert_eq!(patient(&first, &source), Ok(1));
        client.store().clock.advance(61 * SECOND);
        let third = other.cache();
        source.close();
        thread::scope(|scope| {
            let loads = scope.spawn(|| patient(&third, &source));
            source.has_begun(2);
            client.asked();
            let waits = scope.spawn(|| patient(&second, &source));
            let mut claims = 0;
            comes("a second look", || {
                claims += client.asked().iter().filter(|it| **it == "lease").count();
                claims > 1
            });
            assert!(!waits.is_finished());
            client.store().clock.advance(2 * SECOND);
            assert_eq!(waits.join().unwrap(), Ok(1));
            let stats = second.stats();
            assert_eq!((stats.hits, stats.misses), (0, 1));
            assert_eq!((stats.stale_hits, stats.timeouts), (1, 1));
            source.open();
            assert_eq!(loads.join().unwrap(), Ok(2));
        });
    });
}

#[test]
fn functions_without_stale_get_none_of_it() {
    #[cache(ttl = 60, stale = 60, cache = cache, skip(cache, source), name = "outside")]
    fn with(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load()
    }
    #[cache(ttl = 60, cache = cache, skip(cache, source), name = "outside")]
    fn without(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
        source.load()
    }
    let source = Source::default();
    let (client, one, _, two) = two();
    assert_eq!(with(&one, &source, 7), Ok(1));
    assert_eq!(without(&two, &source, 7), Ok(1));
    client.store().clock.advance(61 * SECOND);
    source.fails(Failure::Error);
    assert_eq!(peek!(without(&two, &source, 7)).unwrap(), None);
    assert!(without(&two, &source, 7).is_err());
    source.fails(None);
    assert_eq!(without(&two, &source, 7), Ok(3));
}

#[test]
fn a_refresh_takes_what_another_process_has_loaded() {
    let source = Source::default();
    let (client, one, _, two) = two();
    let clock = &client.store().clock;
    assert_eq!(early(&one, &source), Ok(1));
    assert_eq!(early(&two, &source), Ok(1));
    clock.advance(80 * SECOND);
    assert_eq!(early(&one, &source), Ok(1));
    comes("the first's", || {
        peek!(early(&one, &source)).unwrap() == Some(2)
    });
    // the second process may have received the report, or finds the value in the store: it loads nothing
    comes("the second's", || early(&two, &source) == Ok(2));
    assert_eq!(source.loads(), 2);
}

#[test]
fn what_is_expired_is_nobodys_but_the_process_own() {
    let source = Source::default();
    let (client, one, _, two) = two();
    assert_eq!(served(&one, &source), Ok(1));
    assert_eq!(served(&two, &source), Ok(1));
    assert!(expire!(served(&one, &source)).unwrap());
    assert_eq!(client.len(), 0);
    source.fails(Failure::Error);
    assert_eq!(served(&one, &source), Ok(1));
    assert!(served(&two, &source).is_err());
}

#[tokio::test]
async fn what_is_expired_was_good_or_was_not_wherever_it_lay() {
    let source = Source::default();
    for past in [false, true] {
        let (client, one, _, two) = two();
        let alone = client.builder().in_process(false).build().unwrap();
        for cache in [&one, &two, &alone] {
            served(&one, &source).unwrap();
            served_async(&one, &source).await.unwrap();
            client
                .store()
                .clock
                .advance(if past { 61 } else { 59 } * SECOND);
            assert_eq!(expire!(served(cache, &source)).unwrap(), !past);
            assert_eq!(expire!(served_async(cache, &source)).await.unwrap(), !past);
            one.clear().run().unwrap();
        }
    }
}

#[test]
fn with_the_tier_down_the_process_serves_as_ever() {
    let source = Source::default();
    let (client, one, _, _) = two();
    assert_eq!(served(&one, &source), Ok(1));
    client.store().down.store(true, Ordering::SeqCst);
    client.store().clock.advance(60 * SECOND);
    assert_eq!(served(&one, &source), Ok(1));
    comes("the new value", || {
        peek!(served(&one, &source)).unwrap_or(None) == Some(2)
    });
}

#[test]
fn a_cache_that_keeps_nothing_in_the_process_serves_what_is_outside() {
    let source = Source::default();
    let client = Client::new();
    let cache = client.builder().in_process(false).build().unwrap();
    assert_eq!(served(&cache, &source), Ok(1));
    client.store().clock.advance(60 * SECOND);
    source.fails(Failure::Error);
    assert_eq!(served(&cache, &source), Ok(1));
    assert_eq!(cache.stats().failures, 1);
    source.fails(None);
    client.store().clock.advance(5 * SECOND);
    assert_eq!(served(&cache, &source), Ok(3));
}

/// As in a process that keeps the stale value.
#[test]
fn after_a_failure_there_is_none_for_a_while_where_nothing_is_kept_in_the_process() {
    let client = Client::new();
    let clock = &client.store().clock;
    let rest = 20 * SECOND;
    let builder = client.builder().in_process(false).retry_after(rest);
    let cache = builder.build().unwrap();
    for failure in [Failure::Error, Failure::Panic] {
        let source = Source::default();
        assert_eq!(served(&cache, &source), Ok(1));
        clock.advance(60 * SECOND);
        cache.reset_stats();
        source.fails(failure);
        for _ in 0..10 {
            assert_eq!(served(&cache, &source), Ok(1));
        }
        assert_eq!(source.loads(), 2);
        let stats = cache.stats();
        assert_eq!((stats.loads, stats.failures), (1, 1));
        assert_eq!((stats.hits, stats.misses, stats.stale_hits), (9, 1, 10));
        clock.advance(rest - NANO);
        assert_eq!(served(&cache, &source), Ok(1));
        assert_eq!(source.loads(), 2);
        clock.advance(NANO);
        assert_eq!(served(&cache, &source), Ok(1));
        assert_eq!(source.loads(), 3);
        cache.clear().run().unwrap();
    }
}

/// Only a failure of its own delays a new value's load, not one of the value before it.
#[test]
fn a_new_value_has_its_load_tried_at_once() {
    let client = Client::new();
    let clock = &client.store().clock;
    let builder = client.builder().in_process(false);
    let cache = builder.retry_after(500 * SECOND).build().unwrap();
    let new: [fn(&Cache, &Source); 2] = [
        |cache, source| assert_eq!(refresh!(served(cache, source)), Ok(3)),
        |cache, source| assert!(put!(served(cache, source), 3).unwrap()),
    ];
    for new in new {
        let source = Source::default();
        assert_eq!(served(&cache, &source), Ok(1));
        clock.advance(60 * SECOND);
        source.fails(Failure::Error);
        assert_eq!(served(&cache, &source), Ok(1));
        assert_eq!(served(&cache, &source), Ok(1));
        source.fails(None);
        new(&cache, &source);
        let loads = source.loads();
        clock.advance(60 * SECOND);
        assert_eq!(served(&cache, &source), Ok(loads + 1));
        cache.clear().run().unwrap();
    }
}

/// A new value is not mistaken for the stale one.
#[tokio::test]
async fn a_value_that_comes_meanwhile_is_served() {
    let client = Client::new();
    let cache = client.builder().in_process(false).build().unwrap();
    let source = Source::default();
    let now = async || served_async(&cache, &source).await;
    assert_eq!(now().await, Ok(1));
    client.store().clock.advance(60 * SECOND);
    source.fails(Failure::Error);
    assert_eq!(now().await, Ok(1));
    assert_eq!(now().await, Ok(1));
    assert_eq!(source.loads(), 2);
    // from another process
    put!(served_async(&client.clone().cache(), &source), 9)
        .await
        .unwrap();
    assert_eq!(now().await, Ok(9));
    // an evicted value is no longer served stale
    assert!(evict!(served_async(&cache, &source)).await.unwrap());
    assert_eq!(now().await, Err("as asked".to_owned()));
    assert_eq!(now().await, Err("as asked".to_owned()));
    assert_eq!(source.loads(), 4);
}

#[test]
fn an_eager_refresh_loads_unless_another_process_has() {
    #[cache(ttl = 100, xfetch = 1000.0, cache = cache, skip(cache, source, clock))]
    fn eager(cache: &Cache, source: &Source, clock: &cacheado::testing::ManualClock) -> u64 {
        clock.advance(SECOND);
        source.load().unwrap()
    }
    let source = Source::default();
    let (client, one, _, _) = two();
    let clock = &client.store().clock;
    assert_eq!(eager(&one, &source, clock), 1);
    comes("a refresh", || eager(&one, &source, clock) >= 2);
}

/// Who reported the failure: the source or the store.
#[derive(Debug, PartialEq)]
enum Told {
    Source,
    Store,
}

impl From<String> for Told {
    fn from(_: String) -> Self {
        Self::Source
    }
}

impl From<Error> for Told {
    fn from(_: Error) -> Self {
        Self::Store
    }
}

#[cache(ttl = 60, stale = 60, on_backend_error = "error", cache = cache, skip(cache, source))]
fn told(cache: &Cache, source: &Source) -> Result<u64, Told> {
    Ok(source.load()?)
}

#[cache(ttl = 60, stale = 60, on_backend_error = "error", cache = cache, skip(cache, source))]
async fn told_async(cache: &Cache, source: &Source) -> Result<u64, Told> {
    Ok(source.load_async().await?)
}

#[cache(ttl = 60, refresh_after = 0.5, on_backend_error = "error", cache = cache, skip(cache, source))]
fn told_early(cache: &Cache, source: &Source) -> Result<u64, Told> {
    Ok(source.load()?)
}

fn set_down(client: &Client, down: bool) {
    client.store().down.store(down, Ordering::SeqCst);
}

#[test]
fn a_store_that_fails_is_told_only_where_nothing_stands_in() {
    let source = Source::default();
    let (client, one, _, two) = two();
    let clock = &client.store().clock;
    assert_eq!(told(&one, &source), Ok(1));
    clock.advance(61 * SECOND);
    set_down(&client, true);
    // served at once, and the refresh fails in the background
    assert_eq!(told(&one, &source), Ok(1));
    comes("the failure", || one.stats().failures == 1);
    // no other refresh begins for a while
    assert_eq!(told(&one, &source), Ok(1));
    let stats = one.stats();
    assert_eq!((stats.failures, stats.stale_hits), (1, 2));
    // this process has no old value
    assert_eq!(told(&two, &source), Err(Told::Store));
    clock.advance(59 * SECOND);
    assert_eq!(told(&one, &source), Err(Told::Store));
    assert_eq!(source.loads(), 1, "no body runs");
    set_down(&client, false);
    clock.advance(SECOND);
    assert_eq!(told(&one, &source), Ok(2));
}

#[tokio::test]
async fn so_it_is_for_those_who_wait_for_the_new_value() {
    let source = Source::default();
    let (client, one, _, _two) = two();
    assert_eq!(told(&one, &source), Ok(1));
    assert_eq!(told_async(&one, &source).await, Ok(2));
    expire!(told(&one, &source)).unwrap();
    expire!(told_async(&one, &source)).await.unwrap();
    set_down(&client, true);
    assert_eq!(told(&one, &source), Ok(1));
    assert_eq!(told_async(&one, &source).await, Ok(2));
    let stats = one.stats();
    assert_eq!((stats.misses, stats.failures, stats.stale_hits), (4, 2, 2));
    // a caller that asks for a new value is not served the old one
    assert_eq!(refresh!(told(&one, &source)), Err(Told::Store));
    assert_eq!(refresh!(told_async(&one, &source)).await, Err(Told::Store));
    assert_eq!(source.loads(), 2, "no body runs");
    set_down(&client, false);
    client.store().clock.advance(5 * SECOND);
    assert_eq!(told(&one, &source), Ok(3));
    assert_eq!(told_async(&one, &source).await, Ok(4));
}

#[test]
fn a_refresh_that_the_store_fails_rests_as_any_other() {
    let source = Source::default();
    let (client, one, _, _two) = two();
    assert_eq!(told_early(&one, &source), Ok(1));
    client.store().clock.advance(31 * SECOND);
    set_down(&client, true);
    assert_eq!(told_early(&one, &source), Ok(1));
    comes("the failure", || one.stats().failures == 1);
    assert_eq!(told_early(&one, &source), Ok(1));
    let stats = one.stats();
    assert_eq!((stats.hits, stats.stale_hits, stats.failures), (2, 0, 1));
    assert_eq!(source.loads(), 1);
}

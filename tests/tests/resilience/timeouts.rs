//! `timeout` and `hard_timeout`: how long a call waits for a body.

use std::thread;
use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, Error, bypass, cache, expire, peek, refresh};

use crate::source::{Failure, NANO, SECOND, Source, cache, comes};

#[derive(Clone, Debug, PartialEq)]
enum Failed {
    Late,
    Source,
    Other,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::Timeout { limit, key } if limit == 10 * SECOND && key.contains("timeouts") => {
                Self::Late
            }
            _ => Self::Other,
        }
    }
}

impl From<String> for Failed {
    fn from(_: String) -> Self {
        Self::Source
    }
}

#[cache(ttl = 60, stale = 600, timeout = 2, cache = cache, skip(cache, source))]
fn soft(cache: &Cache, source: &Source) -> Result<u64, Failed> {
    Ok(source.load()?)
}

#[cache(ttl = 60, stale = 600, timeout = 2, hard_timeout = 10, cache = cache, skip(cache, source))]
fn both(cache: &Cache, source: &Source) -> Result<u64, Failed> {
    Ok(source.load()?)
}

#[cache(ttl = 60, hard_timeout = 10, cache = cache, skip(cache, source))]
fn hard(cache: &Cache, source: &Source) -> Result<u64, Failed> {
    Ok(source.load()?)
}

#[cache(ttl = 60, stale = 600, timeout = 2, hard_timeout = 10, cache = cache, skip(cache, source))]
async fn both_async(cache: &Cache, source: &Source) -> Result<u64, Failed> {
    Ok(source.load_async().await?)
}

/// A call that has not returned.
struct Waits<'s, T>(thread::ScopedJoinHandle<'s, T>);

impl<T> Waits<'_, T> {
    fn still(&self) {
        assert!(!self.0.is_finished());
    }

    fn returns(self) -> T {
        self.0.join().unwrap()
    }
}

#[test]
fn a_body_in_time_is_waited_for() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(soft(&cache, &source), Ok(1));
    clock.advance(60 * SECOND);
    assert_eq!(soft(&cache, &source), Ok(2));
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.stale_hits, stats.timeouts), (2, 0, 0));
}

#[test]
fn past_it_the_value_before_is_served_and_the_result_stored_when_it_comes() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(soft(&cache, &source), Ok(1));
    clock.advance(60 * SECOND);
    source.close();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..5)
            .map(|_| Waits(scope.spawn(|| soft(&cache, &source))))
            .collect();
        source.has_begun(2);
        clock.advance(2 * SECOND - NANO);
        callers.iter().for_each(Waits::still);
        // late callers have deadlines of their own, so the clock is advanced until all have returned
        for caller in callers {
            comes("the value before", || {
                clock.advance(SECOND);
                caller.0.is_finished()
            });
            assert_eq!(caller.returns(), Ok(1));
        }
    });
    assert_eq!(cache.stats().timeouts, 5);
    assert_eq!(cache.stats().stale_hits, 5);
    source.open();
    comes("the result", || {
        peek!(soft(&cache, &source)).unwrap() == Some(2)
    });
    assert_eq!(source.loads(), 2);
}

#[test]
fn a_call_past_it_whose_body_fails_later_is_one_stale_hit() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(soft(&cache, &source), Ok(1));
    clock.advance(60 * SECOND);
    source.close();
    thread::scope(|scope| {
        let caller = Waits(scope.spawn(|| soft(&cache, &source)));
        source.has_begun(2);
        clock.advance(2 * SECOND);
        assert_eq!(caller.returns(), Ok(1));
    });
    source.fails(Failure::Error);
    source.open();
    comes("the failure", || cache.stats().failures == 1);
    let stats = cache.stats();
    assert_eq!((stats.timeouts, stats.stale_hits), (1, 1));
}

#[tokio::test]
async fn so_is_one_of_an_async_function() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(both_async(&cache, &source).await, Ok(1));
    clock.advance(60 * SECOND);
    source.close();
    let caller = {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { both_async(&cache, &source).await })
    };
    while source.loads() < 2 {
        tokio::task::yield_now().await;
    }
    clock.advance(2 * SECOND);
    assert_eq!(caller.await.unwrap(), Ok(1));
    source.fails(Failure::Error);
    source.open();
    while cache.stats().failures == 0 {
        tokio::task::yield_now().await;
    }
    let stats = cache.stats();
    assert_eq!((stats.timeouts, stats.stale_hits), (1, 1));
}

#[test]
fn one_that_was_given_an_error_is_none() {
    #[cache(ttl = 60, stale = 600, hard_timeout = 10, cache = cache, skip(cache, source))]
    fn hard(cache: &Cache, source: &Source) -> Result<u64, Failed> {
        Ok(source.load()?)
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(hard(&cache, &source), Ok(1));
    assert!(expire!(hard(&cache, &source)).unwrap());
    source.close();
    thread::scope(|scope| {
        let caller = Waits(scope.spawn(|| hard(&cache, &source)));
        source.has_begun(2);
        clock.advance(10 * SECOND);
        assert_eq!(caller.returns(), Err(Failed::Late));
    });
    source.fails(Failure::Error);
    source.open();
    comes("the failure", || cache.stats().failures == 1);
    let stats = cache.stats();
    assert_eq!((stats.timeouts, stats.stale_hits), (1, 0));
}

#[test]
fn without_a_value_before_it_is_waited_for() {
    let source = Source::default();
    let (cache, clock) = cache();
    source.close();
    thread::scope(|scope| {
        let caller = Waits(scope.spawn(|| soft(&cache, &source)));
        source.has_begun(1);
        clock.advance(100 * SECOND);
        caller.still();
        source.open();
        assert_eq!(caller.returns(), Ok(1));
    });
}

#[test]
fn the_value_before_serves_if_the_body_fails_in_time() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(soft(&cache, &source), Ok(1));
    clock.advance(60 * SECOND);
    for failure in [Failure::Error, Failure::Panic] {
        source.fails(failure);
        let loads = source.loads();
        assert_eq!(soft(&cache, &source), Ok(1));
        assert_eq!(soft(&cache, &source), Ok(1));
        assert_eq!(source.loads(), loads + 1, "it rests");
        clock.advance(5 * SECOND);
    }
}

#[test]
fn a_soft_one_of_the_builder_past_the_hard_one_holds_up_nobody() {
    let source = Source::default();
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).stale(600 * SECOND);
    let cache = cache.timeout(20 * SECOND).build().unwrap();
    assert_eq!(hard(&cache, &source), Ok(1));
    clock.advance(60 * SECOND);
    source.close();
    thread::scope(|scope| {
        let caller = scope.spawn(|| hard(&cache, &source));
        source.has_begun(2);
        clock.advance(10 * SECOND);
        let in_time = (0..2_000).any(|_| {
            thread::sleep(Duration::from_millis(1));
            caller.is_finished()
        });
        source.open();
        assert!(in_time, "it waits past its limit");
        assert_eq!(caller.join().unwrap(), Err(Failed::Late));
    });
}

#[test]
fn a_hard_one_is_an_error_and_the_result_is_stored_when_it_comes() {
    let source = Source::default();
    let (cache, clock) = cache();
    source.close();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..3)
            .map(|_| Waits(scope.spawn(|| hard(&cache, &source))))
            .collect();
        source.has_begun(1);
        clock.advance(10 * SECOND - NANO);
        for caller in callers {
            comes("the error", || {
                clock.advance(SECOND);
                caller.0.is_finished()
            });
            assert_eq!(caller.returns(), Err(Failed::Late));
        }
    });
    source.open();
    comes("the result", || {
        peek!(hard(&cache, &source)).unwrap() == Some(1)
    });
    assert_eq!(hard(&cache, &source), Ok(1));
    assert_eq!((source.loads(), cache.stats().timeouts), (1, 3));
}

#[test]
fn a_hard_one_holds_for_what_is_bypassed_too() {
    #[cache(ttl = 60, hard_timeout = 10, cache = cache, skip(cache, source), bypass = bypassed)]
    fn hard(cache: &Cache, source: &Source, bypassed: bool) -> Result<u64, Failed> {
        Ok(source.load()?)
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(hard(&cache, &source, true), Ok(1));
    assert_eq!(bypass!(hard(&cache, &source, false)), Ok(2));
    source.close();
    thread::scope(|scope| {
        let callers = [
            Waits(scope.spawn(|| hard(&cache, &source, true))),
            Waits(scope.spawn(|| bypass!(hard(&cache, &source, false)))),
        ];
        source.has_begun(4);
        clock.advance(10 * SECOND - NANO);
        callers.iter().for_each(Waits::still);
        for caller in callers {
            comes("its end", || {
                clock.advance(SECOND);
                caller.0.is_finished()
            });
            assert_eq!(caller.returns(), Err(Failed::Late));
        }
    });
    source.open();
    assert_eq!(cache.stats().timeouts, 2);
    // no call waits for a bypassed body, and its result is not stored
    assert_eq!(hard(&cache, &source, false), Ok(5));
    source.fails(Failure::Panic);
    let panics = || hard(&cache, &source, true);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
}

#[tokio::test]
async fn so_it_does_for_async_functions() {
    #[cache(ttl = 60, hard_timeout = 10, cache = cache, skip(cache, source), bypass = true)]
    async fn hard(cache: &Cache, source: &Source) -> Result<u64, Failed> {
        Ok(source.load_async().await?)
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(hard(&cache, &source).await, Ok(1));
    source.close();
    let caller = {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { hard(&cache, &source).await })
    };
    while source.loads() < 2 {
        tokio::task::yield_now().await;
    }
    clock.advance(10 * SECOND);
    assert_eq!(caller.await.unwrap(), Err(Failed::Late));
    assert_eq!(cache.stats().timeouts, 1);
}

#[test]
fn of_both_the_first_that_has_something_to_say_counts() {
    let source = Source::default();
    let (cache, clock) = cache();
    source.close();
    thread::scope(|scope| {
        let caller = Waits(scope.spawn(|| both(&cache, &source)));
        source.has_begun(1);
        clock.advance(9 * SECOND);
        caller.still();
        clock.advance(SECOND);
        assert_eq!(caller.returns(), Err(Failed::Late));
    });
    source.open();
    comes("the result", || {
        peek!(both(&cache, &source)).unwrap() == Some(1)
    });
    clock.advance(60 * SECOND);
    source.close();
    thread::scope(|scope| {
        let caller = Waits(scope.spawn(|| both(&cache, &source)));
        source.has_begun(2);
        clock.advance(2 * SECOND);
        assert_eq!(caller.returns(), Ok(1));
    });
    source.open();
}

#[test]
fn a_refresh_that_is_asked_for_serves_no_value_before() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(both(&cache, &source), Ok(1));
    source.close();
    thread::scope(|scope| {
        let caller = Waits(scope.spawn(|| refresh!(both(&cache, &source))));
        source.has_begun(2);
        clock.advance(9 * SECOND);
        caller.still();
        clock.advance(SECOND);
        assert_eq!(caller.returns(), Err(Failed::Late));
    });
    source.open();
    comes("the result", || {
        peek!(both(&cache, &source)).unwrap() == Some(2)
    });
}

#[tokio::test]
async fn async_callers_wait_no_longer_either() {
    let source = Source::default();
    let (cache, clock) = cache();
    source.close();
    let call = || {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { both_async(&cache, &source).await })
    };
    let callers = [call(), call()];
    while source.loads() < 1 {
        tokio::task::yield_now().await;
    }
    // both have begun to wait, on the only thread
    tokio::task::yield_now().await;
    clock.advance(10 * SECOND);
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err(Failed::Late));
    }
    source.open();
    while peek!(both_async(&cache, &source)).await.unwrap() != Some(1) {
        tokio::task::yield_now().await;
    }
    clock.advance(60 * SECOND);
    source.close();
    let caller = call();
    while source.loads() < 2 {
        tokio::task::yield_now().await;
    }
    clock.advance(2 * SECOND);
    assert_eq!(caller.await.unwrap(), Ok(1));
    source.open();
    while peek!(both_async(&cache, &source)).await.unwrap() != Some(2) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_runtimes_paused_time_counts() {
    #[cache(ttl = 3600, hard_timeout = 10, cache = cache, skip(cache))]
    async fn slow(cache: &Cache) -> Result<u64, Failed> {
        tokio::time::sleep(25 * SECOND).await;
        Ok(1)
    }
    let cache = Cache::builder().build().unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(slow(&cache).await, Err(Failed::Late));
    assert_eq!(begun.elapsed().as_secs(), 10);
    // a second call joins the load, which goes on
    assert_eq!(slow(&cache).await, Err(Failed::Late));
    assert_eq!(slow(&cache).await, Ok(1));
    assert_eq!(begun.elapsed().as_secs(), 25);
    assert_eq!(cache.stats().loads, 1);
}

#[test]
fn a_panic_of_the_body_is_its_callers() {
    let source = Source::default();
    let (cache, _clock) = cache();
    source.fails(Failure::Panic);
    let call = std::panic::AssertUnwindSafe(|| hard(&cache, &source));
    let panic = std::panic::catch_unwind(call).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"as asked"));
}

#[test]
fn the_builders_timeout_serves_functions_that_may_run_in_the_background() {
    #[cache(ttl = 60, stale = 600, cache = cache, skip(cache, source))]
    fn served(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load()
    }
    let (source, clock) = (Source::default(), ManualClock::new());
    let cache = Cache::builder().clock(clock.clone()).timeout(2 * SECOND);
    let cache = cache.build().unwrap();
    assert_eq!(served(&cache, &source), Ok(1));
    clock.advance(60 * SECOND);
    assert_eq!(served(&cache, &source), Ok(2));
}

/// A value that may not be served stale is not returned when time runs out.
#[test]
fn only_what_may_stand_in_is_returned_early() {
    #[cache(ttl = 60, idle = 5, timeout = 2, cache = cache, skip(cache, source))]
    fn idle(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load()
    }
    #[cache(ttl = 60, refresh_after = 0.5, timeout = 2, cache = cache, skip(cache, source))]
    fn expires(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load()
    }
    type Call = fn(&Cache, &Source) -> Result<u64, String>;
    type End = fn(&Cache, &Source);
    let expire: End = |cache, source| assert!(expire!(expires(cache, source)).unwrap());
    let calls: [(Call, End); 2] = [(idle, |_, _| {}), (expires, expire)];
    for (call, end) in calls {
        let source = Source::default();
        let (cache, clock) = cache();
        assert_eq!(call(&cache, &source), Ok(1));
        clock.advance(6 * SECOND);
        end(&cache, &source);
        source.close();
        thread::scope(|scope| {
            let call = scope.spawn(|| call(&cache, &source));
            source.has_begun(2);
            clock.advance(3 * SECOND);
            thread::yield_now();
            source.open();
            assert_eq!(call.join().unwrap(), Ok(2));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_more_than_a_day_is_not_over_after_a_day() {
    #[cache(ttl = 60, hard_timeout = "2d", cache = cache, skip(cache))]
    async fn long(cache: &Cache, hours: u64) -> Result<u64, Failed> {
        tokio::time::sleep(Duration::from_hours(hours)).await;
        Ok(hours)
    }
    let cache = Cache::builder().build().unwrap();
    assert_eq!(long(&cache, 30).await, Ok(30));
    assert_eq!(long(&cache, 60).await, Err(Failed::Other));
}

/// While a call waits, another thread polls the runtime's tasks in place of its worker.
#[test]
fn a_call_with_one_keeps_no_worker_of_a_runtime() {
    #[cache(name = "polled", ttl = 60, cache = cache, skip(cache, goes_on))]
    async fn polled(cache: &Cache, goes_on: &tokio::sync::Notify) -> u64 {
        let _ = cache;
        goes_on.notified().await;
        1
    }

    #[cache(name = "polled", ttl = 60, cache = cache, skip(cache))]
    fn joined(cache: &Cache) -> u64 {
        let _ = cache;
        2
    }

    #[cache(ttl = 60, hard_timeout = 60, cache = cache, skip(cache))]
    fn outer(cache: &Cache) -> Result<u64, Failed> {
        Ok(joined(cache))
    }

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let cache = Cache::builder().build().unwrap();
    let goes_on = std::sync::Arc::new(tokio::sync::Notify::new());
    let (its, notified) = (cache.clone(), goes_on.clone());
    let leader = runtime.spawn(async move { polled(&its, &notified).await });
    comes("the leader", || cache.stats().loads == 1);
    let its = cache.clone();
    let follower = runtime.spawn(async move { outer(&its) });
    comes("who waits for it", || cache.stats().misses == 3);
    goes_on.notify_one();
    let start = std::time::Instant::now();
    assert_eq!(runtime.block_on(follower).unwrap(), Ok(1));
    assert_eq!(runtime.block_on(leader).unwrap(), 1);
    assert!(start.elapsed() < 4 * SECOND, "it waited for its patience");
}

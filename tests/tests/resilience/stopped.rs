//! Background bodies in a runtime that is no longer driven: whatever waits for them goes on after `flight_timeout`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, peek, put};
use cacheado_tests::within;
use futures::FutureExt;
use futures::executor::block_on;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch::{self, Receiver};
use tokio::time::timeout;

use crate::source::{SECOND, Source, comes};

#[cache(ttl = 100, refresh_after = 0.5, cache = cache, skip(cache, source))]
async fn early(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load_async().await
}

#[cache(ttl = 60, detached, cache = cache, skip(cache, source))]
async fn outlives(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load_async().await
}

/// A single-threaded runtime: its tasks stand still once its `block_on` returns.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn impatient() -> (Cache, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone());
    let builder = builder.flight_timeout(Duration::from_millis(50));
    (builder.build().unwrap(), clock)
}

/// Polls `future` once, and yields `turns` times to what it has spawned.
async fn poll(mut future: impl Future<Output: Sized> + Unpin, turns: usize) {
    poll_fn(|cx| {
        assert!(std::pin::Pin::new(&mut future).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_refresh_bars_others_for_a_while_only() {
    // before the refresh has begun, and in the middle of it
    for turns in [0, 2] {
        let source = Source::default();
        let (cache, clock) = impatient();
        let stopped = runtime();
        assert_eq!(stopped.block_on(early(&cache, &source)), Ok(1));
        clock.advance(50 * SECOND);
        source.close();
        stopped.block_on(async {
            assert_eq!(early(&cache, &source).await, Ok(1));
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        });
        source.open();
        let other = Runtime::new().unwrap();
        comes("a new value", || {
            other.block_on(async {
                early(&cache, &source).await.unwrap();
                peek!(early(&cache, &source)).await.unwrap() > Some(1)
            })
        });
        // whatever happens to the first refresh
        drop(stopped);
        assert!(other.block_on(early(&cache, &source)).unwrap() > 1);
    }
}

#[test]
fn who_waits_for_a_load_takes_it_over() {
    for turns in [0, 2] {
        let source = Source::default();
        let (cache, _clock) = impatient();
        let stopped = runtime();
        source.close();
        let mut call = pin!(outlives(&cache, &source));
        stopped.block_on(poll(call.as_mut(), turns));
        assert_eq!(source.loads(), u64::from(turns > 0));
        source.open();
        let found = runtime().block_on(async { timeout(20 * SECOND, call).await });
        assert_eq!(found.expect("it ends"), Ok(1));
        assert_eq!(source.loads(), 1, "the body ran once");
        // the old task no longer belongs to any load
        stopped.block_on(tokio::task::yield_now());
        let found = runtime().block_on(peek!(outlives(&cache, &source)));
        assert_eq!(found.unwrap(), Some(1));
        assert_eq!(source.loads(), 1);
    }
}

#[test]
fn a_runtime_that_ends_leaves_the_load_to_who_waits_for_it() {
    for turns in [0, 2] {
        let source = Source::default();
        let (cache, _clock) = impatient();
        let ended = runtime();
        source.close();
        let mut call = pin!(outlives(&cache, &source));
        ended.block_on(poll(call.as_mut(), turns));
        drop(ended);
        source.open();
        let found = runtime().block_on(async { timeout(20 * SECOND, call).await });
        assert_eq!(found.expect("it ends"), Ok(1));
        assert_eq!(source.loads(), 1, "the body ran once");
    }
}

/// Under an executor other than tokio's, inside an entered runtime that is not driven.
#[test]
fn a_runtime_that_is_merely_entered_holds_nobody_up() {
    let source = Source::default();
    let (cache, _clock) = impatient();
    let entered = runtime();
    let _inside = entered.enter();
    let call = outlives(&cache, &source);
    assert_eq!(block_on(call), Ok(1));
}

/// A load that is not woken while the gate is closed.
#[cache(ttl = 100, refresh_after = 0.5, cache = cache, skip(cache, source, gate))]
async fn gated(cache: &Cache, source: &Source, gate: &Receiver<bool>, id: u64) -> u64 {
    gate.clone().wait_for(|open| *open).await.unwrap();
    source.load().unwrap()
}

/// Another load takes the background place of the one that stands still, and the place is given back only once.
#[test]
fn what_stands_still_takes_no_room() {
    let source = Source::default();
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone()).background_limit(2);
    let builder = builder.flight_timeout(Duration::from_millis(50));
    let cache = builder.build().unwrap();
    let (opens, gate) = watch::channel(true);
    let (stopped, other) = (runtime(), runtime());
    for id in 1..=5 {
        assert_eq!(stopped.block_on(gated(&cache, &source, &gate, id)), id);
    }
    clock.advance(50 * SECOND);
    opens.send(false).unwrap();
    for id in 1..=2 {
        assert_eq!(stopped.block_on(gated(&cache, &source, &gate, id)), id);
    }
    let refreshes = |id| {
        other.block_on(async {
            gated(&cache, &source, &gate, id).await;
            tokio::task::yield_now().await;
        });
        cache.stats().refreshes
    };
    comes("a third", || refreshes(3) == 1);
    comes("a fourth", || refreshes(4) == 2);
    // these wait for the gate, however long that takes
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(refreshes(5), 2);
    opens.send(true).unwrap();
    comes("all that were begun", || {
        let is_new = async |id| {
            tokio::task::yield_now().await;
            peek!(gated(&cache, &source, &gate, id)).await.unwrap() > Some(5)
        };
        stopped.block_on(is_new(1))
            && stopped.block_on(is_new(2))
            && other.block_on(is_new(3))
            && other.block_on(is_new(4))
    });
    clock.advance(50 * SECOND);
    opens.send(false).unwrap();
    let refreshes: Vec<_> = (1..=4).map(refreshes).collect();
    assert_eq!(refreshes, [5, 6, 6, 6], "two at once");
}

/// A load that is woken, and then blocks its task before the next poll.
#[cache(ttl = 100, refresh_after = 0.5, cache = cache, skip(cache, source))]
async fn blocks(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    })
    .await;
    source.load()
}

#[test]
fn what_is_slow_to_poll_keeps_its_room() {
    let source = Source::default();
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone()).background_limit(1);
    let builder = builder.flight_timeout(Duration::from_millis(50));
    let cache = builder.build().unwrap();
    let workers = Runtime::new().unwrap();
    for id in 1..=2 {
        assert_eq!(workers.block_on(blocks(&cache, &source, id)), Ok(id));
    }
    clock.advance(50 * SECOND);
    source.close();
    assert_eq!(workers.block_on(blocks(&cache, &source, 1)), Ok(1));
    source.has_begun(3);
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(workers.block_on(blocks(&cache, &source, 2)), Ok(2));
    source.open();
    comes("the first", || {
        workers.block_on(peek!(blocks(&cache, &source, 1))).unwrap() == Some(3)
    });
    assert_eq!((cache.stats().refreshes, source.loads()), (1, 3));
}

/// Another caller that waits has a body of its own.
#[test]
fn who_joins_a_load_that_stands_still_loads() {
    for turns in [0, 2] {
        let source = Source::default();
        let (cache, _clock) = impatient();
        let stopped = runtime();
        source.close();
        let mut call = pin!(outlives(&cache, &source));
        stopped.block_on(poll(call.as_mut(), turns));
        source.open();
        let second =
            runtime().block_on(async { timeout(20 * SECOND, outlives(&cache, &source)).await });
        assert_eq!(second.expect("it ends"), Ok(1 + u64::from(turns > 0)));
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Late;

impl From<cacheado::Error> for Late {
    fn from(_: cacheado::Error) -> Self {
        Self
    }
}

/// In a runtime without timers, and in one that has ended, the cache's own timers enforce the limits.
#[test]
fn limits_need_no_timers_of_the_runtime() {
    #[cache(ttl = 60, hard_timeout = "1s", cache = cache, skip(cache, source))]
    async fn limited(cache: &Cache, source: &Source, id: u64) -> Result<u64, Late> {
        source.load_async().await.map_err(|_| Late)
    }
    let source = Source::default();
    let cache = Cache::builder().build().unwrap();
    let untimed = Builder::new_current_thread().build().unwrap();
    assert_eq!(untimed.block_on(limited(&cache, &source, 1)), Ok(1));
    source.close();
    assert_eq!(untimed.block_on(limited(&cache, &source, 2)), Err(Late));
    source.open();
    let ended = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let handle = ended.handle().clone();
    drop(ended);
    assert_eq!(handle.block_on(limited(&cache, &source, 3)), Ok(3));
}

/// Under an executor other than tokio's, inside an entered runtime that is not driven, and so neither are its timers.
#[test]
fn limits_hold_in_a_runtime_that_is_merely_entered() {
    #[cache(ttl = 60, hard_timeout = "50ms", cache = cache, skip(cache, source))]
    async fn hard(cache: &Cache, source: &Source) -> Result<u64, Late> {
        source.load_async().await.map_err(|_| Late)
    }
    #[cache(ttl = "1ns", stale = 600, timeout = "50ms", cache = cache, skip(cache, source))]
    async fn soft(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load_async().await
    }
    within(20 * SECOND, || {
        let source = Source::default();
        // a cache in which only the limits end a wait
        let cache = Cache::builder().flight_timeout(3600 * SECOND);
        let cache = cache.build().unwrap();
        put!(soft(&cache, &source), 0)
            .now_or_never()
            .unwrap()
            .unwrap();
        let entered = runtime();
        let _inside = entered.enter();
        assert_eq!(block_on(hard(&cache, &source)), Err(Late));
        assert_eq!(block_on(soft(&cache, &source)), Ok(0));
        assert_eq!(cache.stats().timeouts, 2);
    });
}

/// In a task or on a thread of a runtime whose timers are not driven either.
#[test]
fn limits_hold_where_the_runtimes_only_thread_is_blocked() {
    #[cache(ttl = 60, hard_timeout = "50ms", cache = cache, skip(cache))]
    async fn hard(cache: &Cache) -> Result<u64, Late> {
        std::future::pending().await
    }
    within(20 * SECOND, || {
        let cache = || {
            let builder = Cache::builder().flight_timeout(3600 * SECOND);
            builder.build().unwrap()
        };
        let (send, receive) = std::sync::mpsc::channel();
        let undriven = Builder::new_current_thread().enable_all().build().unwrap();
        let (own, answer) = (cache(), send.clone());
        undriven.spawn_blocking(move || answer.send(block_on(hard(&own))));
        assert_eq!(receive.recv().unwrap(), Err(Late));

        let mut blocked = Builder::new_multi_thread();
        let blocked = blocked.worker_threads(1).enable_all().build().unwrap();
        let own = cache();
        blocked.spawn(async move { send.send(block_on(hard(&own))) });
        assert_eq!(receive.recv().unwrap(), Err(Late));
    });
}

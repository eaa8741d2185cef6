//! A key requested inside its own load, by a body that runs elsewhere.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheado::testing::ManualClock;
use cacheado::{Cache, Error, cache};
use cacheado_tests::within;

use crate::source::SECOND;

#[derive(Clone, Debug, PartialEq)]
struct Failed;

impl From<Error> for Failed {
    fn from(_: Error) -> Self {
        Self
    }
}

type Depth = Arc<AtomicU64>;

/// A cache whose callers wait for another caller's load for longer than the tests may take.
fn patient() -> Cache {
    let builder = Cache::builder().clock(ManualClock::new());
    builder.flight_timeout(3600 * SECOND).build().unwrap()
}

/// Calls itself twice before it returns.
#[cache(ttl = 60, cache = cache, skip(cache, depth))]
fn outer(cache: &Cache, depth: &Depth) -> Result<u64, Failed> {
    match depth.fetch_add(1, Ordering::Relaxed) {
        2 => Ok(1),
        _ => Ok(between(cache, depth)? + 1),
    }
}

#[cache(ttl = 60, hard_timeout = 60, single_flight = false, cache = cache, skip(cache, depth))]
fn between(cache: &Cache, depth: &Depth) -> Result<u64, Failed> {
    outer(cache, depth)
}

#[test]
fn on_another_thread_it_runs_its_body() {
    within(20 * SECOND, || {
        let (cache, depth) = (patient(), Depth::default());
        assert_eq!(outer(&cache, &depth), Ok(3));
        assert_eq!(outer(&cache, &depth), Ok(3), "the outermost is stored");
        assert_eq!(depth.load(Ordering::Relaxed), 3);
    });
}

type Answer = Pin<Box<dyn Future<Output = Result<u64, Failed>> + Send>>;

#[cache(ttl = 60, cache = cache, skip(cache, depth), key = detached)]
async fn outer_async(cache: Cache, depth: Depth, detached: bool) -> Result<u64, Failed> {
    // the body still knows its own load after it has waited
    tokio::task::yield_now().await;
    match depth.fetch_add(1, Ordering::Relaxed) {
        2 => Ok(1),
        _ if detached => Ok(detached_between(cache, depth).await? + 1),
        _ => Ok(timed_between(cache, depth).await? + 1),
    }
}

fn outer_boxed(cache: Cache, depth: Depth, detached: bool) -> Answer {
    Box::pin(outer_async(cache, depth, detached))
}

#[cache(ttl = 60, detached, single_flight = false, cache = cache, skip(cache, depth))]
async fn detached_between(cache: Cache, depth: Depth) -> Result<u64, Failed> {
    tokio::task::yield_now().await;
    outer_boxed(cache, depth, true).await
}

#[cache(ttl = 60, hard_timeout = 60, single_flight = false, cache = cache, skip(cache, depth))]
async fn timed_between(cache: Cache, depth: Depth) -> Result<u64, Failed> {
    tokio::task::yield_now().await;
    outer_boxed(cache, depth, false).await
}

#[test]
fn in_another_task_it_runs_its_body() {
    for detached in [true, false] {
        within(20 * SECOND, move || {
            let (cache, depth) = (patient(), Depth::default());
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let call = || outer_async(cache.clone(), depth.clone(), detached);
            assert_eq!(runtime.block_on(call()), Ok(3));
            assert_eq!(runtime.block_on(call()), Ok(3), "the outermost is stored");
            assert_eq!(depth.load(Ordering::Relaxed), 3);
        });
    }
}

#[test]
fn what_another_load_was_inside_of_is_not_known_to_the_next() {
    #[cache(ttl = 60, cache = cache, skip(cache))]
    fn around(cache: &Cache, id: u64) -> Result<u64, Failed> {
        within_limits(cache, id, true)
    }

    #[cache(ttl = 60, hard_timeout = 60, cache = cache, skip(cache, leaf))]
    fn within_limits(cache: &Cache, id: u64, leaf: bool) -> Result<u64, Failed> {
        if leaf { Ok(id) } else { around(cache, id) }
    }

    within(20 * SECOND, || {
        let cache = patient();
        assert_eq!(around(&cache, 1), Ok(1));
        cache.clear().run().unwrap();
        assert_eq!(within_limits(&cache, 1, false), Ok(1));
        let stored = cacheado::peek!(around(&cache, 1)).unwrap();
        assert_eq!(stored, Some(1), "it was loaded as any other");
    });
}

/// For bodies that run on their callers' threads, because no background places are left.
#[test]
fn a_deep_chain_takes_no_more_than_it_is_deep() {
    #[cache(ttl = 60, hard_timeout = 60, cache = cache, skip(cache))]
    fn deep(cache: &Cache, below: u64) -> Result<u64, Failed> {
        match below {
            0 => Ok(0),
            _ => Ok(deep(cache, below - 1)? + 1),
        }
    }

    within(20 * SECOND, || {
        let builder = Cache::builder().clock(ManualClock::new());
        let cache = builder.background_limit(0).build().unwrap();
        let asks = cache.clone();
        // each call takes some kilobytes of stack
        let thread = std::thread::Builder::new().stack_size(1 << 28);
        let deep = thread.spawn(move || deep(&asks, 600)).unwrap();
        assert_eq!(deep.join().unwrap(), Ok(600));
        assert_eq!(cache.stats().loads, 601);
    });
}

#[cache(ttl = 60, hard_timeout = 60, cache = cache, skip(cache))]
async fn deep_async(cache: Cache, below: u64) -> Result<u64, Failed> {
    // each body is polled again for each body around it
    tokio::task::yield_now().await;
    match below {
        0 => Ok(0),
        _ => Ok(deep_boxed(cache, below - 1).await? + 1),
    }
}

fn deep_boxed(cache: Cache, below: u64) -> Answer {
    Box::pin(deep_async(cache, below))
}

#[test]
fn nor_does_one_of_bodies_that_have_waited() {
    within(20 * SECOND, || {
        let builder = Cache::builder().clock(ManualClock::new());
        let cache = builder.background_limit(0).build().unwrap();
        let asks = cache.clone();
        let thread = std::thread::Builder::new().stack_size(1 << 28);
        let deep = thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.unwrap().block_on(deep_boxed(asks, 600))
        });
        assert_eq!(deep.unwrap().join().unwrap(), Ok(600));
        assert_eq!(cache.stats().loads, 601);
    });
}

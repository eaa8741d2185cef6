//! Bodies in the background are bounded, and end on shutdown.

use std::thread;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, peek};

use crate::source::{SECOND, Source, cache, comes};

#[cache(ttl = 60, stale = "1h", cache = cache, skip(cache, source))]
fn served(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
    source.load()
}

#[cache(ttl = 60, stale = "1h", cache = cache, skip(cache, source))]
async fn served_async(cache: &Cache, source: &Source, id: u64) -> Result<u64, String> {
    source.load_async().await
}

fn limited(most: usize) -> (Cache, ManualClock) {
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).background_limit(most);
    (cache.build().unwrap(), clock)
}

#[test]
fn no_more_run_at_once_than_may() {
    let source = Source::default();
    let (cache, clock) = limited(3);
    for id in 0..10 {
        served(&cache, &source, id).unwrap();
    }
    clock.advance(60 * SECOND);
    source.close();
    for id in 0..10 {
        served(&cache, &source, id).unwrap();
    }
    source.has_begun(13);
    source.open();
    comes("the refreshes", || cache.stats().refreshes == 3);
    // the next hit retries a refresh that found no free place
    comes("all the refreshes", || {
        for id in 0..10 {
            served(&cache, &source, id).unwrap();
        }
        cache.stats().refreshes == 10
    });
    assert!(source.most() <= 3);
}

#[test]
fn at_the_limit_a_call_with_a_timeout_runs_its_body_itself() {
    #[cache(ttl = 60, stale = "1h", timeout = 1, cache = cache, skip(cache), local)]
    fn whose(cache: &Cache, id: u64) -> thread::ThreadId {
        thread::current().id()
    }
    let (cache, clock) = limited(0);
    let own = thread::current().id();
    assert_eq!(whose(&cache, 7), own);
    clock.advance(60 * SECOND);
    assert_eq!(whose(&cache, 7), own);
    assert_eq!(cache.stats().loads, 2);
}

#[test]
fn after_a_shutdown_nothing_begins_and_what_is_there_is_served() {
    let source = Source::default();
    let (cache, clock) = limited(8);
    assert_eq!(served(&cache, &source, 7), Ok(1));
    clock.advance(60 * SECOND);
    cache.shutdown();
    cache.shutdown();
    for _ in 0..10 {
        assert_eq!(served(&cache, &source, 7), Ok(1));
    }
    assert_eq!(source.loads(), 1);
    clock.advance(3600 * SECOND);
    assert_eq!(served(&cache, &source, 7), Ok(2));
}

#[tokio::test]
async fn a_shutdown_ends_the_tasks() {
    let source = Source::default();
    let (cache, clock) = limited(8);
    assert_eq!(served_async(&cache, &source, 7).await, Ok(1));
    clock.advance(60 * SECOND);
    source.close();
    assert_eq!(served_async(&cache, &source, 7).await, Ok(1));
    while source.loads() < 2 {
        tokio::task::yield_now().await;
    }
    cache.shutdown();
    source.open();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let peeked = peek!(served_async(&cache, &source, 7)).await.unwrap();
    assert_eq!(peeked, None, "the task was not ended");
    assert_eq!(served_async(&cache, &source, 7).await, Ok(1));
}

#[test]
fn a_runtime_that_ends_lets_another_refresh() {
    let source = Source::default();
    let (cache, clock) = limited(8);
    let in_runtime = |source: &Source| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(served_async(&cache, source, 7)).unwrap()
    };
    assert_eq!(in_runtime(&source), 1);
    clock.advance(60 * SECOND);
    source.close();
    // the refresh is dropped with the runtime, whether or not it has begun
    assert_eq!(in_runtime(&source), 1);
    source.open();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        assert_eq!(served_async(&cache, &source, 7).await, Ok(1));
        while peek!(served_async(&cache, &source, 7))
            .await
            .unwrap()
            .is_none()
        {
            tokio::task::yield_now().await;
        }
    });
}

/// A runtime that has ended drops a task at once, inside the call that spawns it.
#[test]
fn a_runtime_that_has_ended_holds_up_nobody() {
    #[cache(ttl = 60, stale = 600, cache = cache, skip(cache))]
    async fn served(cache: &Cache, id: u64) -> u64 {
        let _ = cache;
        id
    }
    let (cache, clock) = cache();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    };
    for id in [7, 8] {
        assert_eq!(runtime().block_on(served(&cache, id)), id);
    }
    clock.advance(61 * SECOND);
    let ended = runtime();
    let handle = ended.handle().clone();
    drop(ended);
    cacheado_tests::within(20 * SECOND, move || {
        assert_eq!(handle.block_on(served(&cache, 7)), 7);
        assert_eq!(runtime().block_on(served(&cache, 8)), 8);
        cache.shutdown();
    });
}

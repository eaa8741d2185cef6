//! Operations that stall.

use std::time::{Duration, Instant};

use cacheado_tests::store::Client;
use futures::executor::block_on;

use crate::{cache_with, tripled, tripled_async};

const DELAY: Duration = Duration::from_millis(15);

/// A lookup, and the store after it.
const OPERATIONS: u32 = 2;

#[test]
fn a_call_that_blocks_waits() {
    let (cache, handle) = cache_with(&Client::new(), |it| it.stall(1.0, DELAY));
    let begun = Instant::now();
    assert_eq!(tripled(&cache, 7), 21);
    assert!(begun.elapsed() >= OPERATIONS * DELAY);
    assert_eq!(handle.counts().stalled, u64::from(OPERATIONS));
    assert_eq!(cache.stats().backend_errors, 0);
}

#[test]
fn a_future_waits_without_a_runtime() {
    let (cache, handle) = cache_with(&Client::new(), |it| it.stall(1.0, DELAY));
    let begun = Instant::now();
    assert_eq!(block_on(tripled_async(&cache, 7)), 21);
    assert!(begun.elapsed() >= OPERATIONS * DELAY);
    assert_eq!(handle.counts().stalled, u64::from(OPERATIONS));
}

#[tokio::test(start_paused = true)]
async fn a_future_waits_by_the_time_of_its_runtime() {
    let long = Duration::from_secs(30);
    let (cache, _) = cache_with(&Client::new(), |it| it.stall(1.0, long));
    let begun = tokio::time::Instant::now();
    assert_eq!(tripled_async(&cache, 7).await, 21);
    let waited = begun.elapsed();
    assert!(waited >= OPERATIONS * long && waited < OPERATIONS * (long + DELAY));
}

#[tokio::test(start_paused = true)]
async fn no_stall_is_without_an_end() {
    let (cache, _) = cache_with(&Client::new(), |it| it.stall(1.0, Duration::MAX).fail(1.0));
    let begun = tokio::time::Instant::now();
    assert_eq!(tripled_async(&cache, 7).await, 21);
    assert!(begun.elapsed() <= OPERATIONS * Duration::from_secs(61));
}

#[test]
fn a_caller_that_goes_away_from_a_stalled_eviction_leaves_it_to_be_sent() {
    use futures::FutureExt as _;

    let client = Client::new();
    let (cache, handle) = cache_with(&client, |it| it);
    tripled(&cache, 7);
    handle.stall(1.0, Duration::from_secs(60));
    let mut stalled = Box::pin(cache.clear().into_future());
    assert!(stalled.as_mut().now_or_never().is_none());
    // before the thread that sends the eviction, which would stall as well
    handle.calm();
    drop(stalled);
    crate::recovery::until("the eviction", || client.is_empty());
}

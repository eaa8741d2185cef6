//! An entry that is invalidated while another caller reads it back from the shared tier is not left in the process.

use std::future::IntoFuture as _;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheado::{Cache, Scope, cache, evict, expire, put, refresh};
use cacheado_tests::store::Client;
use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::executor::block_on;

use crate::cache_with;

/// Longer than the concurrent operations take.
const LATE: Duration = Duration::from_millis(100);

/// Reads the source.
#[cache(cache = cache, skip(cache, source), ttl = 60, stale = 60)]
async fn version(cache: &Cache, source: &'static AtomicU64) -> u64 {
    source.load(Ordering::SeqCst)
}

/// As [`version`], but returns what it read only when `gate` opens.
#[cache(name = "later", cache = cache, skip(cache, source, gate))]
async fn later(cache: &Cache, source: &AtomicU64, gate: Option<oneshot::Receiver<()>>) -> u64 {
    let _ = cache;
    let version = source.load(Ordering::SeqCst);
    if let Some(gate) = gate {
        gate.await.unwrap();
    }
    version
}

/// Each invalidation: its caller is dropped while the shared tier is being asked to evict, after another caller has read the old value
/// again.
#[test]
fn a_caller_that_goes_away_leaves_nothing_old_in_the_process() {
    type Invalidation = for<'a> fn(
        &'a Cache,
        &'static AtomicU64,
    ) -> futures::future::BoxFuture<'a, cacheado::Result<()>>;
    let invalidations: [(&str, Invalidation); 4] = [
        ("evict", |cache, source| {
            evict!(version(cache, source))
                .map(|it| it.map(drop))
                .boxed()
        }),
        ("expire", |cache, source| {
            expire!(version(cache, source))
                .map(|it| it.map(drop))
                .boxed()
        }),
        ("scope", |cache, _| {
            let evicted = cache.evict_by_scope(Scope::global()).into_future();
            evicted.map(|it| it.map(drop)).boxed()
        }),
        ("clear", |cache, _| cache.clear().into_future().boxed()),
    ];
    for (name, invalidation) in invalidations {
        let source: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(1)));
        let (cache, handle) = cache_with(&Client::new(), |it| it);
        assert_eq!(block_on(version(&cache, source)), 1);
        source.store(2, Ordering::SeqCst);
        handle.stall(1.0, Duration::from_secs(60));
        let mut invalidated = invalidation(&cache, source);
        assert!((&mut invalidated).now_or_never().is_none());
        handle.calm();
        assert_eq!(block_on(version(&cache, source)), 1, "it is there as yet");
        drop(invalidated);
        assert_eq!(block_on(version(&cache, source)), 2, "{name}");
    }
}

/// A put that another process has overtaken evicts its value everywhere; the shared tier fails just then.
#[test]
fn a_put_that_was_overtaken_in_an_outage_leaves_nothing_older_in_the_process() {
    let source = AtomicU64::new(1);
    let client = Client::new();
    let (first, _) = cache_with(&client, |it| it);
    let (second, handle) = cache_with(&client, |it| it);
    block_on(later(&first, &source, None));

    source.store(2, Ordering::SeqCst);
    let (gate, opens) = oneshot::channel();
    let mut newer = pin!(refresh!(later(&second, &source, Some(opens))));
    assert!(newer.as_mut().now_or_never().is_none());
    assert!(block_on(put!(later(&first, &source, None), 1)).unwrap());
    handle.stall(1.0, LATE).fail(1.0);
    gate.send(()).unwrap();
    assert!(newer.as_mut().now_or_never().is_none());
    handle.calm();
    let meanwhile = block_on(later(&second, &source, None));
    assert_eq!(meanwhile, 1, "it is there as yet");
    assert_eq!(block_on(newer), 2);
    assert_eq!(block_on(later(&second, &source, None)), 2);
}

/// A value that is not to be stored is still newer than the one that is there.
#[test]
fn a_value_that_is_not_stored_leaves_nothing_older_in_the_process() {
    let (cache, handle) = cache_with(&Client::new(), |it| it);
    cache.set("key", &1_u64).run().unwrap();
    handle.stall(1.0, LATE);
    let mut set = pin!(cache.set("key", &2_u64).ttl(Duration::ZERO).into_future());
    assert!(set.as_mut().now_or_never().is_none());
    handle.calm();
    let meanwhile = cache.get::<u64>("key").run().unwrap();
    assert_eq!(meanwhile, Some(1), "it is there as yet");
    assert!(!block_on(set).unwrap());
    assert_eq!(cache.get::<u64>("key").run().unwrap(), None);
}

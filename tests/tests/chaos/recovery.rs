//! After the faults: everything evicted meanwhile is evicted in the end, and all caches agree.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cacheado::{Cache, cache, evict};
use cacheado_tests::store::Client;

use crate::cache_with;

/// Waits until background threads have finished.
pub fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(60), "{what} never come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The source of truth.
#[derive(Default)]
struct Source([AtomicU64; 8]);

#[cache(cache = cache, skip(cache, source))]
fn read(cache: &Cache, source: &Source, id: usize) -> u64 {
    let _ = cache;
    source.0[id].load(Ordering::SeqCst)
}

#[test]
fn once_there_is_calm_all_caches_agree_with_the_source() {
    for seed in 0..30 {
        let client = Client::new();
        let source = Source::default();
        let caches: Vec<_> = (0..3)
            .map(|n| {
                cache_with(&client, |it| {
                    let it = it.seed(3 * seed + n).fail(0.2).refuse(0.1).corrupt(0.1);
                    it.lose(0.2).stall(0.02, Duration::from_micros(50))
                })
            })
            .collect();
        for round in 0..20 {
            for (n, (cache, _)) in caches.iter().enumerate() {
                let id = (round * 5 + n) % 8;
                read(cache, &source, id);
                let next = source.0[id].fetch_add(1, Ordering::SeqCst) + 1;
                // it may fail, and is sent later then
                let _ = evict!(read(cache, &source, id));
                let own = read(cache, &source, id);
                assert_eq!(own, next, "its own eviction, of seed {seed}");
            }
        }
        for (_, handle) in &caches {
            assert!(handle.counts().failed > 0);
            handle.calm();
        }
        until("the evictions", || {
            caches.iter().all(|(cache, _)| {
                (0..8).all(|id| read(cache, &source, id) == source.0[id].load(Ordering::SeqCst))
            })
        });
    }
}

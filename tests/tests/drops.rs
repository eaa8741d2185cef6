//! Dropping a value runs user code, which may call the cache, so the cache drops values without holding a lock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, evict, put, refresh, scopes};
use cacheado_tests::store::Client;
use cacheado_tests::within;
use futures::FutureExt;
use serde::{Deserialize, Serialize};

scopes! { organization(org_id) }

const LIMIT: Duration = Duration::from_secs(60);

static PLAIN: LazyLock<Cache> = LazyLock::new(|| Cache::builder().build().expect("a plain cache"));
/// The next copy that is dropped evicts its own key.
static ARMED: AtomicBool = AtomicBool::new(false);

/// A value whose copies call the cache when dropped.
struct Returning {
    copy: bool,
}

impl Clone for Returning {
    fn clone(&self) -> Self {
        Self { copy: true }
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if self.copy && ARMED.swap(false, SeqCst) {
            evict!(returning(1)).expect("nothing can fail");
        }
    }
}

/// Invalidated during its own load, so the copy is dropped instead of stored.
#[cache(cache = &*PLAIN, local)]
fn returning(x: u32) -> Returning {
    let _ = x;
    evict!(returning(1)).expect("nothing can fail");
    ARMED.store(true, SeqCst);
    Returning { copy: false }
}

#[test]
fn a_refresh_that_an_eviction_undid_drops_its_value_under_no_lock() {
    within(LIMIT, || drop(refresh!(returning(1))));
    assert!(!ARMED.load(SeqCst), "no copy was dropped");
}

static CLOCK: LazyLock<ManualClock> = LazyLock::new(ManualClock::new);
static MORTAL: LazyLock<Cache> = LazyLock::new(|| {
    let builder = Cache::builder().clock(CLOCK.clone());
    builder.build().expect("a plain cache")
});

/// A value that evicts a tenant when dropped, which takes the lock under which expired entries are freed.
#[derive(Clone)]
struct Evicting;

impl Drop for Evicting {
    fn drop(&mut self) {
        let nobody = scope::organization("nobody");
        let evicted = MORTAL.evict_by_scope(nobody).run();
        evicted.expect("nothing can fail");
    }
}

#[cache(cache = &*MORTAL, local, ttl = 0.01)]
fn evicting(x: u32) -> Evicting {
    let _ = x;
    Evicting
}

#[test]
fn what_expires_while_it_is_replaced_is_dropped_under_no_lock() {
    within(LIMIT, || {
        let done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !done.load(SeqCst) {
                    CLOCK.advance(Duration::from_millis(10));
                }
            });
            threads.spawn(|| {
                while !done.load(SeqCst) {
                    for key in 0..50 {
                        evict!(evicting(key)).expect("nothing can fail");
                    }
                }
            });
            for nth in 0..20_000 {
                refresh!(evicting(nth % 50));
            }
            done.store(true, SeqCst);
        });
    });
}

static BURNS: AtomicBool = AtomicBool::new(false);

/// The first value of 1 that is dropped while `BURNS` is set panics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Panicking(u64);

impl Drop for Panicking {
    fn drop(&mut self) {
        let panics = self.0 == 1 && BURNS.swap(false, SeqCst);
        assert!(!panics, "on purpose");
    }
}

#[cache(cache = cache, skip(cache, value))]
fn panicking(cache: &Cache, value: u64, x: u64) -> Panicking {
    let _ = x;
    Panicking(value)
}

/// The shared tier still has the older value; it is removed from there as soon as possible.
#[test]
fn what_panics_as_it_is_replaced_is_not_left_in_the_shared_tier() {
    type Replacement = fn(&Cache, &Panicking);
    let replacements: [(&str, Replacement); 5] = [
        ("set", |cache, value| drop(cache.set(1_u64, value).run())),
        ("set, async", |cache, value| {
            drop(cache.set(1_u64, value).into_future().now_or_never());
        }),
        ("set of many", |cache, value| {
            drop(cache.set_many([(1_u64, value)]).run());
        }),
        ("put!", |cache, value| {
            drop(put!(panicking(cache, 0, 1), value.clone()));
        }),
        ("refresh!", |cache, value| {
            refresh!(panicking(cache, value.0, 1));
        }),
    ];
    within(LIMIT, move || {
        for (what, replacement) in replacements {
            let client = Client::new();
            let cache = client.cache();
            let old = Panicking(1);
            if what.contains("set") {
                cache.set(1_u64, &old).run().unwrap();
            } else {
                put!(panicking(&cache, 0, 1), old.clone()).unwrap();
            }
            let new = Panicking(2);
            BURNS.store(true, SeqCst);
            let replace = AssertUnwindSafe(|| replacement(&cache, &new));
            assert!(catch_unwind(replace).is_err(), "{what}");
            while !client.is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
}

/// The first value dropped after arming panics.
#[derive(Clone)]
struct Armed(Arc<AtomicBool>);

impl Drop for Armed {
    fn drop(&mut self) {
        assert!(!self.0.swap(false, SeqCst), "on purpose");
    }
}

#[cache(cache = cache, skip(cache, arm), ttl = 10, local)]
fn armed(cache: &Cache, arm: &Armed, x: u32) -> Armed {
    let _ = x;
    arm.clone()
}

/// When the clock has advanced, every expired value is gone, in every cache.
#[test]
fn what_expires_goes_though_a_value_panics_as_it_is_dropped() {
    let clock = ManualClock::new();
    let caches = [(); 2].map(|()| {
        let builder = Cache::builder().clock(clock.clone());
        builder.build().expect("a plain cache")
    });
    let arm = Armed(Arc::default());
    for cache in &caches {
        (0..1000).for_each(|x| drop(armed(cache, &arm, x)));
    }
    arm.0.store(true, SeqCst);
    let later = AssertUnwindSafe(|| clock.advance(Duration::from_secs(10)));
    assert!(catch_unwind(later).is_err());
    assert_eq!(Arc::strong_count(&arm.0), 1);
}

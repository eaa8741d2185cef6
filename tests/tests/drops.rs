//! Dropping a value runs its owner's code, which may come back to the cache: no lock of the cache is held when one goes.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, evict, refresh, scopes};
use cacheado_tests::within;
use futures::executor::block_on;
use futures::future::LocalBoxFuture;

scopes! { organization(org_id) }

const LIMIT: Duration = Duration::from_secs(60);

static PLAIN: LazyLock<Cache> = LazyLock::new(|| Cache::builder().build().expect("a plain cache"));
/// The next copy that is dropped evicts its own key.
static ARMED: AtomicBool = AtomicBool::new(false);

/// A value whose copies come back to the cache when they go.
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

/// Is invalidated while it is loaded, so its copy is not stored, and goes.
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

/// A value that evicts a tenant when it goes, which takes the lock that expiries are freed under.
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

/// Says its name when it goes.
struct Noted<'l>(&'static str, &'l Mutex<Vec<&'static str>>);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.1.lock().expect("nothing panics").push(self.0);
    }
}

impl Noted<'_> {
    async fn done(self, others: &[&Noted<'_>]) -> usize {
        std::future::ready(()).await;
        others.len()
    }

    async fn plain(
        self,
        n: usize,
        one: Self,
        (two, _three): (Self, Self),
        _: Self,
        four: Self,
    ) -> usize {
        let _own = Noted("own", self.1);
        n + one.0.len() - 3 + four.done(&[&two]).await
    }

    #[cache(cache = &*PLAIN, key = n, skip(self))]
    async fn cached(
        self,
        n: usize,
        one: Self,
        (two, _three): (Self, Self),
        _: Self,
        four: Self,
    ) -> usize {
        let _own = Noted("own", self.1);
        n + one.0.len() - 3 + four.done(&[&two]).await
    }
}

/// As those of any async function, whether its body uses them or not, and in which order.
#[test]
fn arguments_are_dropped_in_reverse() {
    let order = |call: for<'l> fn([Noted<'l>; 6]) -> LocalBoxFuture<'l, usize>| {
        let noted = Mutex::default();
        let args = ["self", "one", "two", "three", "blank", "four"].map(|name| Noted(name, &noted));
        assert_eq!(block_on(call(args)), 1);
        noted.into_inner().expect("nothing panics")
    };
    let plain = order(|[this, one, two, three, blank, four]| {
        Box::pin(this.plain(0, one, (two, three), blank, four))
    });
    let load = order(|[this, one, two, three, blank, four]| {
        Box::pin(this.cached(0, one, (two, three), blank, four))
    });
    assert_eq!(load, plain);
    let hit = order(|[this, one, two, three, blank, four]| {
        Box::pin(this.cached(0, one, (two, three), blank, four))
    });
    // a pair that nobody unpacks goes as one
    assert_eq!(hit, ["four", "blank", "two", "three", "one", "self"]);
}

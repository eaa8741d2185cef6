//! The shipped single flight under a model checker. In each order of its threads' steps that is tried, one load serves all callers, an
//! invalidation wins over the loads that began before it, and no caller is left waiting.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p cacheado-shuttle --release --target-dir target/shuttle
//! ```
//!
//! A failure prints its schedule. To replay it, run the failing test alone, so that nothing else numbers the key spaces. Then run it
//! again with `shuttle::replay(model, "SCHEDULE")` in place of `check(model)`.
#![cfg(shuttle)]

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, cache_put, evict, put, refresh, scopes};
use futures::task::noop_waker;
use shuttle::future::block_on;
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use shuttle::thread;

scopes! {
    organization(org_id) { user(user_id) }
}

/// Tries random orders, and orders with few switches in the worst places.
fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(model.clone(), 3_000);
    shuttle::check_pct(model, 3_000, 3);
}

const TIMEOUT: Duration = Duration::from_secs(5);

/// The source that the functions read, and a cache of what they have read.
struct World {
    cache: Cache,
    clock: ManualClock,
    source: AtomicU32,
    runs: AtomicU32,
}

impl World {
    /// The source holds 1.
    fn new() -> Arc<Self> {
        let clock = ManualClock::new();
        let cache = Cache::builder()
            .clock(clock.clone())
            .flight_timeout(TIMEOUT)
            .build();
        Arc::new(Self {
            cache: cache.expect("a cache"),
            clock,
            source: AtomicU32::new(1),
            runs: AtomicU32::new(0),
        })
    }

    fn read(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let value = self.source.load(Ordering::SeqCst);
        thread::yield_now();
        value
    }

    fn write(&self) {
        self.source.store(2, Ordering::SeqCst);
    }

    fn stored(&self) -> Option<u32> {
        cacheado::peek!(shared(self, "acme", 7)).expect("peeked")
    }
}

#[cache(cache = w.cache, skip(w), scope = "user")]
fn shared(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.read()
}

#[cache(cache = w.cache, skip(w), scope = "user", single_flight = false, name = "unshared")]
fn unshared(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.read()
}

#[cache(cache = w.cache, skip(w), scope = "user", ttl = 1, name = "short-lived")]
fn short_lived(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.read()
}

#[cache(cache = w.cache, skip(w), when = |_value: &u32| false)]
fn refused(w: &World, x: u32) -> u32 {
    w.read();
    x
}

fn spawn<R: Send + 'static>(
    w: &Arc<World>,
    run: impl FnOnce(&World) -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let w = Arc::clone(w);
    thread::spawn(move || run(&w))
}

fn join<R>(thread: thread::JoinHandle<R>) -> R {
    thread.join().expect("no panic")
}

/// The future of a load through the cache. It reads its source, is pending once, and then returns what it has read.
fn reading(w: &World) -> impl Future<Output = u32> + Unpin {
    let loader = move || async move {
        w.runs.fetch_add(1, Ordering::SeqCst);
        let value = w.source.load(Ordering::SeqCst);
        shuttle::future::yield_now().await;
        value
    };
    let load = w.cache.get_or_load("k", loader).into_future();
    Box::pin(async move { load.await.expect("a value") })
}

fn reading_now(w: &World) -> u32 {
    w.cache
        .get_or_load("k", || w.read())
        .run()
        .expect("a value")
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&noop_waker()))
}

/// Polls until the future is ready, although nothing wakes it.
fn poll_to_end<F: Future + Unpin>(mut future: F) -> F::Output {
    loop {
        if let Poll::Ready(value) = poll_once(&mut future) {
            return value;
        }
        thread::yield_now();
    }
}

#[test]
fn threads_share_one_load() {
    check(|| {
        let w = World::new();
        let threads: Vec<_> = (0..3)
            .map(|_| spawn(&w, |w| shared(w, "acme", 7)))
            .collect();
        for thread in threads {
            assert_eq!(join(thread), 1);
        }
        assert_eq!(w.runs.load(Ordering::SeqCst), 1);
        let stats = w.cache.stats();
        assert_eq!((stats.hits + stats.misses, stats.loads), (3, 1));
    });
}

#[test]
fn futures_and_threads_share_one_load() {
    check(|| {
        let w = World::new();
        let thread = spawn(&w, reading_now);
        let futures: Vec<_> = (0..2)
            .map(|_| spawn(&w, |w| block_on(reading(w))))
            .collect();
        assert_eq!(join(thread), 1);
        for future in futures {
            assert_eq!(join(future), 1);
        }
        assert_eq!(w.runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn callers_whose_value_is_not_stored_all_return() {
    check(|| {
        let w = World::new();
        let threads: Vec<_> = (0..3).map(|_| spawn(&w, |w| refused(w, 5))).collect();
        for thread in threads {
            assert_eq!(join(thread), 5);
        }
        assert_eq!(w.runs.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn waiters_of_a_panicking_leader_go_on() {
    let silent = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref() != Some(&"the leader's own") {
            silent(panic);
        }
    }));
    check(|| {
        let w = World::new();
        let first = Arc::new(AtomicBool::new(true));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let first = Arc::clone(&first);
                spawn(&w, move |w| {
                    let loader = || {
                        if first.swap(false, Ordering::SeqCst) {
                            std::panic::panic_any("the leader's own");
                        }
                        w.read()
                    };
                    let load = || w.cache.get_or_load("k", loader).run().expect("a value");
                    catch_unwind(AssertUnwindSafe(load)).ok()
                })
            })
            .collect();
        let mut values: Vec<_> = threads.into_iter().map(join).collect();
        values.sort_unstable();
        assert_eq!(values, [None, Some(1), Some(1)]);
        assert_eq!(w.cache.get("k").run().expect("got"), Some(1_u32));
    });
}

#[test]
fn waiters_of_a_cancelled_leader_go_on() {
    check(|| {
        let w = World::new();
        let cancelled = spawn(&w, |w| {
            let mut leader = reading(w);
            let _ = poll_once(&mut leader);
        });
        let future = spawn(&w, |w| block_on(reading(w)));
        let thread = spawn(&w, reading_now);
        join(cancelled);
        assert_eq!(join(future), 1);
        assert_eq!(join(thread), 1);
        assert!(w.runs.load(Ordering::SeqCst) <= 2);
        assert_eq!(w.cache.get("k").run().expect("got"), Some(1_u32));
    });
}

#[test]
fn a_cancelled_waiter_leaves_the_rest_alone() {
    check(|| {
        let w = World::new();
        let leader = spawn(&w, |w| block_on(reading(w)));
        let cancelled = spawn(&w, |w| {
            let mut waiter = reading(w);
            let _ = poll_once(&mut waiter);
        });
        let other = spawn(&w, |w| block_on(reading(w)));
        join(cancelled);
        assert_eq!((join(leader), join(other)), (1, 1));
    });
}

/// A load and other callers run while `invalidate` does. After it, no old value is served or left behind.
fn invalidation_wins(call: fn(&World) -> u32, invalidate: fn(&World)) {
    check(move || {
        let w = World::new();
        let others: Vec<_> = (0..2).map(|_| spawn(&w, call)).collect();
        let writer = spawn(&w, move |w| {
            w.write();
            invalidate(w);
            call(w)
        });
        assert_eq!(join(writer), 2, "a call after the invalidation");
        for other in others {
            join(other);
        }
        assert_eq!(call(&w), 2, "what was left behind");
    });
}

/// The same, but a call after the invalidation can meet a caller that looked before anything was stored, and that joins the loads only
/// while the invalidation runs.
fn invalidation_wins_over_a_late_load(call: fn(&World) -> u32, invalidate: fn(&World)) {
    let model = move || {
        let w = World::new();
        let late = spawn(&w, call);
        assert_eq!(call(&w), 1);
        w.write();
        invalidate(&w);
        assert_eq!(call(&w), 2, "a call after the invalidation");
        join(late);
        assert_eq!(call(&w), 2, "what was left behind");
    };
    shuttle::check_random(model, 10_000);
    shuttle::check_pct(model, 10_000, 4);
}

fn call_shared(w: &World) -> u32 {
    shared(w, "acme", 7)
}

fn call_unshared(w: &World) -> u32 {
    unshared(w, "acme", 7)
}

fn evict_the_user(w: &World) {
    w.cache
        .evict_by_scope(scope::user("acme", 7))
        .run()
        .expect("evicted");
}

fn evict_the_organization(w: &World) {
    w.cache
        .evict_by_scope(scope::organization("acme"))
        .run()
        .expect("evicted");
}

fn evict_everything(w: &World) {
    w.cache
        .evict_by_scope(scope::global())
        .run()
        .expect("evicted");
}

fn clear(w: &World) {
    w.cache.clear().run().expect("cleared");
}

#[test]
fn evict_wins_over_a_load() {
    let evict: fn(&World) = |w| _ = evict!(shared(w, "acme", 7)).expect("evicted");
    invalidation_wins(call_shared, evict);
    invalidation_wins_over_a_late_load(call_shared, evict);
}

#[test]
fn evict_by_scope_wins_over_a_load() {
    invalidation_wins(call_shared, evict_the_user);
    invalidation_wins(call_shared, evict_the_organization);
    invalidation_wins(call_shared, evict_everything);
}

#[test]
fn evict_by_scope_wins_over_a_load_that_begins_while_it_runs() {
    invalidation_wins_over_a_late_load(call_shared, evict_the_user);
    invalidation_wins_over_a_late_load(call_shared, evict_everything);
}

/// Computed from [`shared`], in the organization of its user.
#[cache(cache = w.cache, skip(w), scope = "organization", name = "made of shared")]
fn made_of_shared(w: &World, org_id: &str) -> u32 {
    shared(w, org_id, 7)
}

#[test]
fn what_a_load_makes_of_what_is_about_to_go_does_not_stay() {
    for evict in [evict_the_organization, clear] {
        check(move || {
            let w = World::new();
            shared(&w, "acme", 7);
            made_of_shared(&w, "acme");
            let late = spawn(&w, |w| made_of_shared(w, "acme"));
            w.write();
            evict(&w);
            assert_eq!(made_of_shared(&w, "acme"), 2);
            join(late);
            assert_eq!(made_of_shared(&w, "acme"), 2);
        });
    }
}

#[test]
fn clear_wins_over_a_load() {
    invalidation_wins(call_shared, clear);
    invalidation_wins_over_a_late_load(call_shared, clear);
}

#[test]
fn an_invalidation_wins_over_loads_that_are_not_shared() {
    invalidation_wins(call_unshared, |w| {
        _ = evict!(unshared(w, "acme", 7)).expect("evicted");
    });
    invalidation_wins(call_unshared, evict_the_organization);
    invalidation_wins(call_unshared, clear);
}

#[test]
fn put_wins_over_a_load() {
    invalidation_wins(call_shared, |w| {
        assert!(put!(shared(w, "acme", 7), 2).expect("put"));
    });
}

#[test]
fn set_wins_over_a_programmatic_load() {
    invalidation_wins(reading_now, |w| {
        assert!(w.cache.set("k", &2_u32).run().expect("set"));
    });
}

/// A load that finds nothing comes before the set or after it. Either way, the value of the set remains.
#[test]
fn a_set_is_not_lost_to_a_load_that_begins_while_it_runs() {
    check(|| {
        let w = World::new();
        let load = spawn(&w, |w| w.cache.get_or_load("k", || 1_u32).run());
        let set = w.cache.set("k", &2_u32).run().expect("set");
        join(load).expect("a value");
        assert_eq!(w.cache.get("k").run().expect("got"), Some(2_u32));
        assert!(set);
    });
}

#[test]
fn of_two_sets_at_once_one_is_left() {
    check(|| {
        let w = World::new();
        let other = spawn(&w, |w| w.cache.set("k", &1_u32).run().expect("set"));
        let _ = w.cache.set("k", &2_u32).run().expect("set");
        join(other);
        let left: Option<u32> = w.cache.get("k").run().expect("got");
        assert!(left.is_some());
    });
}

#[cache_put(cache = w.cache, skip(w), scope = "user", name = "written")]
fn write_through(w: &World, org_id: &str, user_id: u32) -> u32 {
    thread::yield_now();
    w.write();
    2
}

#[cache(cache = w.cache, skip(w), scope = "user", name = "written")]
fn written(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.read()
}

#[test]
fn cache_put_wins_over_a_load() {
    invalidation_wins(
        |w| written(w, "acme", 7),
        |w| _ = write_through(w, "acme", 7),
    );
    check(|| {
        let w = World::new();
        let load = spawn(&w, |w| written(w, "acme", 7));
        assert_eq!(write_through(&w, "acme", 7), 2);
        join(load);
        assert_eq!(written(&w, "acme", 7), 2);
    });
}

#[test]
fn a_refresh_wins_over_a_load() {
    invalidation_wins(call_shared, |w| {
        assert_eq!(refresh!(shared(w, "acme", 7)), 2);
    });
}

#[test]
fn an_invalidation_wins_over_a_refresh() {
    check(|| {
        let w = World::new();
        let refresh = spawn(&w, |w| refresh!(shared(w, "acme", 7)));
        let evict = spawn(&w, |w| {
            w.write();
            evict_the_organization(w);
        });
        join(refresh);
        join(evict);
        assert_ne!(w.stored(), Some(1));
    });
}

#[test]
fn an_invalidation_wins_over_an_async_load() {
    check(|| {
        let w = World::new();
        let others: Vec<_> = (0..2)
            .map(|_| spawn(&w, |w| block_on(reading(w))))
            .collect();
        let writer = spawn(&w, |w| {
            w.write();
            w.cache.evict("k").run().expect("evicted");
            block_on(reading(w))
        });
        assert_eq!(join(writer), 2);
        for other in others {
            join(other);
        }
        assert_eq!(reading_now(&w), 2);
    });
}

#[test]
fn the_later_of_two_puts_is_left() {
    check(|| {
        let w = World::new();
        let load = spawn(&w, call_shared);
        let first = spawn(&w, |w| put!(shared(w, "acme", 7), 10).expect("put"));
        assert!(join(first));
        assert!(put!(shared(&w, "acme", 7), 20).expect("put"));
        join(load);
        assert_eq!(w.stored(), Some(20));
    });
}

/// A leader that is not polled for longer than the timeout is overtaken. When it is polled again, it neither replaces a newer value
/// nor disturbs the callers that went on.
#[test]
fn an_overtaken_leader_replaces_nothing_newer() {
    check(|| {
        let w = World::new();
        let mut leader = reading(&w);
        assert!(poll_once(&mut leader).is_pending());
        w.write();
        cacheado::__model::advance(TIMEOUT);
        let waiters: Vec<_> = (0..2)
            .map(|_| spawn(&w, |w| poll_to_end(reading(w))))
            .collect();
        assert_eq!(poll_to_end(leader), 1);
        for waiter in waiters {
            let value = join(waiter);
            // if the leader was polled again before they gave it up, they have its value
            assert!(value == 1 || value == 2);
        }
        let left = w.cache.get::<u32>("k").run().expect("got");
        let newest = if w.runs.load(Ordering::SeqCst) == 1 {
            1
        } else {
            2
        };
        assert_eq!(left, Some(newest));
    });
}

#[test]
fn a_value_is_not_served_after_its_lifetime_to_who_calls_then() {
    check(|| {
        let w = World::new();
        let others: Vec<_> = (0..2)
            .map(|_| spawn(&w, |w| short_lived(w, "acme", 7)))
            .collect();
        let first = short_lived(&w, "acme", 7);
        assert_eq!(first, 1);
        w.write();
        for other in others {
            join(other);
        }
        w.clock.advance(Duration::from_secs(1));
        assert_eq!(short_lived(&w, "acme", 7), 2);
        assert_eq!(w.cache.stats().total_keys, 1);
    });
}

//! Background refreshes under a model checker: one runs at a time, an invalidation undoes them, and no caller is left waiting.
//!
//! `flight.rs` says how to run this, and how to replay a schedule.
#![cfg(shuttle)]

use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, evict, expire, put};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::thread;

fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(model.clone(), 5_000);
    shuttle::check_pct(model, 5_000, 3);
}

const SECOND: Duration = Duration::from_secs(1);

/// The source that the functions read, and a cache of what they have read.
#[derive(Clone)]
struct World(Arc<Inner>);

struct Inner {
    cache: Cache,
    clock: ManualClock,
    source: AtomicU32,
    running: AtomicU32,
    most: AtomicU32,
}

impl World {
    /// The source holds 1, and so does the cache.
    fn new() -> Self {
        let clock = ManualClock::new();
        let cache = Cache::builder().clock(clock.clone()).build();
        let world = Self(Arc::new(Inner {
            cache: cache.expect("a cache"),
            clock,
            source: AtomicU32::new(1),
            running: AtomicU32::new(0),
            most: AtomicU32::new(0),
        }));
        assert_eq!(stale(&world), 1);
        assert_eq!(early(&world), 1);
        world
    }

    fn read(&self) -> u32 {
        let running = self.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(running, Ordering::SeqCst);
        let value = self.0.source.load(Ordering::SeqCst);
        thread::yield_now();
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        value
    }

    fn write(&self) {
        self.0.source.store(2, Ordering::SeqCst);
    }

    fn pass(&self, seconds: u32) {
        self.0.clock.advance(SECOND * seconds);
    }

    /// The most loads that have run at once.
    fn most(&self) -> u32 {
        self.0.most.load(Ordering::SeqCst)
    }
}

#[cache(ttl = 10, stale = 100, cache = w.0.cache, skip(w))]
fn stale(w: &World) -> u32 {
    w.read()
}

#[cache(ttl = 10, refresh_after = 0.5, cache = w.0.cache, skip(w))]
fn early(w: &World) -> u32 {
    w.read()
}

#[cache(hard_timeout = 10, cache = w.0.cache, skip(w))]
fn timed(w: &World) -> cacheado::Result<u32> {
    Ok(w.read())
}

fn spawn<R: Send + 'static>(
    w: &World,
    run: impl FnOnce(&World) -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let w = w.clone();
    thread::spawn(move || run(&w))
}

fn join<R>(thread: thread::JoinHandle<R>) -> R {
    thread.join().expect("no panic")
}

#[test]
fn one_refresh_runs_at_a_time_and_nobody_waits_for_it() {
    check(|| {
        let w = World::new();
        w.pass(10);
        let readers = [(); 3].map(|()| spawn(&w, stale));
        for reader in readers {
            assert_eq!(join(reader), 1);
        }
        assert_eq!(w.most(), 1);
    });
}

#[test]
fn an_eviction_undoes_a_refresh_that_began_before_it() {
    check(|| {
        let w = World::new();
        w.pass(10);
        let reader = spawn(&w, stale);
        let evictor = spawn(&w, |w| {
            w.write();
            evict!(stale(w)).expect("nothing can fail");
            // this call joins no load that began before
            assert_eq!(stale(w), 2);
        });
        join(reader);
        join(evictor);
        assert_eq!(stale(&w), 2);
    });
}

#[test]
fn what_is_put_during_a_refresh_stays() {
    check(|| {
        let w = World::new();
        w.pass(5);
        let reader = spawn(&w, early);
        let writer = spawn(&w, |w| {
            w.write();
            put!(early(w), 2).expect("nothing can fail");
            assert_eq!(early(w), 2);
        });
        join(reader);
        join(writer);
        assert_eq!(early(&w), 2);
    });
}

#[test]
fn what_is_expired_during_a_refresh_is_loaded_anew() {
    check(|| {
        let w = World::new();
        w.pass(10);
        let reader = spawn(&w, stale);
        let expirer = spawn(&w, |w| {
            w.write();
            expire!(stale(w)).expect("nothing can fail");
            assert_eq!(stale(w), 2);
        });
        join(reader);
        join(expirer);
        assert_eq!(stale(&w), 2);
    });
}

#[test]
fn a_value_that_ends_during_its_refresh_is_loaded_by_one() {
    check(|| {
        let w = World::new();
        w.pass(5);
        let readers = [(); 2].map(|()| spawn(&w, early));
        let time = spawn(&w, |w| w.pass(5));
        for reader in readers {
            assert_eq!(join(reader), 1);
        }
        join(time);
        assert_eq!(early(&w), 1);
        assert_eq!(w.most(), 1);
    });
}

#[test]
fn a_shutdown_leaves_nobody_waiting() {
    check(|| {
        let w = World::new();
        w.pass(10);
        let reader = spawn(&w, stale);
        let closer = spawn(&w, |w| w.0.cache.shutdown());
        assert_eq!(join(reader), 1);
        join(closer);
        assert_eq!(stale(&w), 1);
        evict!(stale(&w)).expect("nothing can fail");
        assert_eq!(stale(&w), 1);
    });
}

#[test]
fn a_shutdown_leaves_alone_what_somebody_waits_for() {
    check(|| {
        let w = World::new();
        let callers = [(); 2].map(|()| spawn(&w, |w| timed(w).expect("in time")));
        let closer = spawn(&w, |w| w.0.cache.shutdown());
        for caller in callers {
            assert_eq!(join(caller), 1);
        }
        join(closer);
    });
}

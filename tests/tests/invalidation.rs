//! An invalidation wins over a load that began before it: the load's value is not kept, and a call that begins after the invalidation
//! never joins that load. Callers that had already joined still receive its value.
//!
//! Each test holds a load inside its body, after the body has read the source and before it returns, and invalidates then.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use cacheado::{Cache, cache, cache_evict, cache_put, evict, peek, put, refresh, scopes};
use cacheado_tests::within;
use futures::task::noop_waker;
use tokio::sync::Notify;

scopes! {
    organization(org_id) { user(user_id) }
}

/// Long enough for the slowest machine: a test that exceeds it hangs.
const LIMIT: Duration = Duration::from_mins(1);

/// The source that the functions read, and the cache of their results.
struct World {
    cache: Cache,
    source: AtomicU32,
    /// The next body that reads the source is held until it is released.
    hold: AtomicBool,
    inside: (Mutex<Sender<()>>, Mutex<Receiver<()>>),
    go: (Mutex<Sender<()>>, Mutex<Receiver<()>>),
    go_on: Notify,
}

fn channel() -> (Mutex<Sender<()>>, Mutex<Receiver<()>>) {
    let (sender, receiver) = mpsc::channel();
    (Mutex::new(sender), Mutex::new(receiver))
}

fn signal(channel: &(Mutex<Sender<()>>, Mutex<Receiver<()>>)) {
    channel
        .0
        .lock()
        .expect("unpoisoned")
        .send(())
        .expect("open");
}

fn await_signal(channel: &(Mutex<Sender<()>>, Mutex<Receiver<()>>)) {
    let receiver = channel.1.lock().expect("unpoisoned");
    receiver.recv_timeout(LIMIT / 2).expect("a signal");
}

impl World {
    /// The source holds 1.
    fn new() -> Self {
        Self {
            cache: Cache::builder()
                .scopes(scope::hierarchy())
                .flight_timeout(Duration::from_hours(1))
                .build()
                .expect("a cache"),
            source: AtomicU32::new(1),
            hold: AtomicBool::new(false),
            inside: channel(),
            go: channel(),
            go_on: Notify::new(),
        }
    }

    fn read(&self) -> u32 {
        let value = self.source.load(Ordering::SeqCst);
        if self.hold.swap(false, Ordering::SeqCst) {
            signal(&self.inside);
            await_signal(&self.go);
        }
        value
    }

    async fn read_async(&self) -> u32 {
        let value = self.source.load(Ordering::SeqCst);
        if self.hold.swap(false, Ordering::SeqCst) {
            self.go_on.notified().await;
        }
        value
    }
}

#[cache(cache = w.cache, skip(w), scope = "user")]
fn shared(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.read()
}

#[cache(cache = w.cache, skip(w), scope = "user", single_flight = false)]
fn unshared(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.read()
}

#[cache(cache = w.cache, skip(w), scope = "user", max_items = 10)]
fn bounded(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.read()
}

#[cache(cache = w.cache, skip(w), scope = "user")]
async fn shared_async(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.read_async().await
}

#[cache(cache = w.cache, skip(w), scope = "user", single_flight = false)]
async fn unshared_async(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.read_async().await
}

#[cache_evict(cache = w.cache, scope = "user")]
fn write_and_evict_the_user(w: &World, org_id: &str, user_id: u32) {
    w.source.store(2, Ordering::SeqCst);
}

#[cache_evict(cache = w.cache, scope = "organization")]
fn write_and_evict_the_organization(w: &World, org_id: &str) {
    w.source.store(2, Ordering::SeqCst);
}

/// Changes the source to 2 and invalidates what was cached before, in one way.
type Invalidate = fn(&World);

fn write(w: &World) {
    w.source.store(2, Ordering::SeqCst);
}

/// The invalidations that name no function.
const BY_SCOPE: &[(&str, Invalidate)] = &[
    ("evict_by_scope of the user", |w| {
        write(w);
        let evicted = w.cache.evict_by_scope(scope::user("acme", 7)).run();
        evicted.expect("evicted");
    }),
    ("evict_by_scope of the organization", |w| {
        write(w);
        let evicted = w.cache.evict_by_scope(scope::organization("acme")).run();
        evicted.expect("evicted");
    }),
    ("evict_by_scope of everything", |w| {
        write(w);
        w.cache
            .evict_by_scope(scope::global())
            .run()
            .expect("evicted");
    }),
    ("evict_by_scope of a scope named at run time", |w| {
        write(w);
        let user = w
            .cache
            .scope("user", [("org_id", "acme"), ("user_id", "7")]);
        let evicted = w.cache.evict_by_scope(user.expect("a scope")).run();
        evicted.expect("evicted");
    }),
    ("clear", |w| {
        write(w);
        w.cache.clear().run().expect("cleared");
    }),
    ("#[cache_evict] of the user", |w| {
        write_and_evict_the_user(w, "acme", 7);
    }),
    ("#[cache_evict] of the organization", |w| {
        write_and_evict_the_organization(w, "acme");
    }),
];

/// All invalidations of calls of `$function`, a sync function.
macro_rules! all_ways {
    ($function:ident) => {{
        #[cache_evict($function(w, org_id, user_id))]
        fn write_and_evict(w: &World, org_id: &str, user_id: u32) {
            write(w);
        }
        let by_call: &[(&str, Invalidate)] = &[
            ("evict!", |w| {
                write(w);
                assert!(!evict!($function(w, "acme", 7)).expect("evicted"));
            }),
            ("put!", |w| {
                write(w);
                assert!(put!($function(w, "acme", 7), 2).expect("put"));
            }),
            ("refresh!", |w| {
                write(w);
                assert_eq!(refresh!($function(w, "acme", 7)), 2);
            }),
            ("#[cache_evict] of the call", |w| {
                write_and_evict(w, "acme", 7);
            }),
        ];
        by_call.iter().chain(BY_SCOPE)
    }};
}

/// Holds a load of `call` inside its body, and invalidates.
fn load_is_overtaken(call: fn(&World) -> u32, way: &str, invalidate: Invalidate) {
    let way = way.to_owned();
    within(LIMIT, move || {
        let w = World::new();
        thread::scope(|scope| {
            w.hold.store(true, Ordering::SeqCst);
            let before = scope.spawn(|| call(&w));
            await_signal(&w.inside);
            invalidate(&w);
            assert_eq!(call(&w), 2, "after {way}, while the earlier load runs");
            signal(&w.go);
            assert_eq!(before.join().expect("no panic"), 1);
            assert_eq!(call(&w), 2, "after {way} and the earlier load");
        });
    });
}

/// The same without a load between the invalidation and the end of the held load.
fn load_leaves_nothing(call: fn(&World) -> u32, way: &str, invalidate: Invalidate) {
    let way = way.to_owned();
    within(LIMIT, move || {
        let w = World::new();
        thread::scope(|scope| {
            w.hold.store(true, Ordering::SeqCst);
            let before = scope.spawn(|| call(&w));
            await_signal(&w.inside);
            invalidate(&w);
            signal(&w.go);
            assert_eq!(before.join().expect("no panic"), 1);
            assert_eq!(call(&w), 2, "after {way}");
        });
    });
}

#[test]
fn an_invalidation_during_a_load_wins() {
    for (way, invalidate) in all_ways!(shared) {
        load_is_overtaken(|w| shared(w, "acme", 7), way, *invalidate);
        load_leaves_nothing(|w| shared(w, "acme", 7), way, *invalidate);
    }
}

#[test]
fn an_invalidation_during_a_load_that_is_not_shared_wins() {
    for (way, invalidate) in all_ways!(unshared) {
        load_is_overtaken(|w| unshared(w, "acme", 7), way, *invalidate);
        load_leaves_nothing(|w| unshared(w, "acme", 7), way, *invalidate);
    }
}

#[test]
fn an_invalidation_during_a_load_of_a_bounded_function_wins() {
    for (way, invalidate) in all_ways!(bounded) {
        load_is_overtaken(|w| bounded(w, "acme", 7), way, *invalidate);
        load_leaves_nothing(|w| bounded(w, "acme", 7), way, *invalidate);
    }
}

#[test]
fn an_invalidation_during_a_refresh_wins() {
    for (way, invalidate) in all_ways!(shared) {
        load_leaves_nothing_of_a_refresh(way, *invalidate);
    }
}

fn load_leaves_nothing_of_a_refresh(way: &str, invalidate: Invalidate) {
    let way = way.to_owned();
    within(LIMIT, move || {
        let w = World::new();
        thread::scope(|scope| {
            w.hold.store(true, Ordering::SeqCst);
            let before = scope.spawn(|| refresh!(shared(&w, "acme", 7)));
            await_signal(&w.inside);
            invalidate(&w);
            signal(&w.go);
            assert_eq!(before.join().expect("no panic"), 1);
            assert_eq!(shared(&w, "acme", 7), 2, "after {way}");
        });
    });
}

#[test]
fn an_invalidation_of_other_keys_lets_a_load_be() {
    let others: &[Invalidate] = &[
        |w| _ = evict!(shared(w, "acme", 8)).expect("evicted"),
        |w| _ = put!(shared(w, "acme", 70), 2).expect("put"),
        |w| {
            _ = w
                .cache
                .evict_by_scope(scope::user("acme", 70))
                .run()
                .expect("evicted");
        },
        |w| {
            _ = w
                .cache
                .evict_by_scope(scope::user("other", 7))
                .run()
                .expect("evicted");
        },
        |w| {
            _ = w
                .cache
                .evict_by_scope(scope::organization("acm"))
                .run()
                .expect("evicted");
        },
        |w| _ = w.cache.set(("acme", 7), &2_u32).run().expect("set"),
        |w| _ = w.cache.evict(("acme", 7)).run().expect("evicted"),
    ];
    for invalidate in others {
        within(LIMIT, || {
            let w = World::new();
            thread::scope(|scope| {
                w.hold.store(true, Ordering::SeqCst);
                let load = scope.spawn(|| shared(&w, "acme", 7));
                await_signal(&w.inside);
                invalidate(&w);
                signal(&w.go);
                assert_eq!(load.join().expect("no panic"), 1);
                write(&w);
                assert_eq!(shared(&w, "acme", 7), 1, "it is stored");
            });
        });
    }
}

#[test]
fn set_and_evict_during_a_programmatic_load_win() {
    let ways: &[Invalidate] = &[
        |w| assert!(w.cache.set("k", &2_u32).run().expect("set")),
        |w| assert!(!w.cache.evict("k").run().expect("evicted")),
        |w| {
            assert_eq!(
                w.cache
                    .evict_by_scope(scope::global())
                    .run()
                    .expect("evicted"),
                0
            );
        },
        |w| w.cache.clear().run().expect("cleared"),
        // a value with a lifetime of zero is not stored, and invalidates the old one
        |w| {
            assert!(
                !w.cache
                    .set("k", &2_u32)
                    .ttl(Duration::ZERO)
                    .run()
                    .expect("set")
            );
        },
    ];
    let call: fn(&World) -> u32 = |w| {
        w.cache
            .get_or_load("k", || w.read())
            .run()
            .expect("a value")
    };
    for invalidate in ways {
        within(LIMIT, move || {
            let w = World::new();
            thread::scope(|scope| {
                w.hold.store(true, Ordering::SeqCst);
                let before = scope.spawn(|| call(&w));
                await_signal(&w.inside);
                write(&w);
                invalidate(&w);
                assert_eq!(call(&w), 2);
                signal(&w.go);
                assert_eq!(before.join().expect("no panic"), 1);
                assert_eq!(call(&w), 2);
            });
        });
    }
}

#[test]
fn a_waiter_that_joined_before_an_invalidation_is_given_a_value() {
    within(LIMIT, || {
        let w = World::new();
        thread::scope(|scope| {
            w.hold.store(true, Ordering::SeqCst);
            let leader = scope.spawn(|| shared(&w, "acme", 7));
            await_signal(&w.inside);
            let waiters: Vec<_> = (0..5)
                .map(|_| scope.spawn(|| shared(&w, "acme", 7)))
                .collect();
            while w.cache.stats().misses < 6 {
                thread::yield_now();
            }
            write(&w);
            w.cache.clear().run().expect("cleared");
            signal(&w.go);
            assert_eq!(leader.join().expect("no panic"), 1);
            for waiter in waiters {
                let value = waiter.join().expect("no panic");
                assert!(value == 1 || value == 2);
            }
            assert_eq!(shared(&w, "acme", 7), 2);
        });
    });
}

#[test]
fn what_cache_put_returns_wins_over_a_load_that_began_before() {
    #[cache_put(cache = w.cache, skip(w), scope = "user", name = "renamed")]
    fn rename(w: &World, org_id: &str, user_id: u32) -> u32 {
        write(w);
        2
    }

    #[cache(cache = w.cache, skip(w), scope = "user", name = "renamed")]
    fn name(w: &World, org_id: &str, user_id: u32) -> u32 {
        w.read()
    }

    load_is_overtaken(
        |w| name(w, "acme", 7),
        "cache_put",
        |w| _ = rename(w, "acme", 7),
    );
    load_leaves_nothing(
        |w| name(w, "acme", 7),
        "cache_put",
        |w| _ = rename(w, "acme", 7),
    );
}

/// The load begins after the put's body, and reads the source before that body changes it.
#[test]
fn what_cache_put_returns_wins_over_a_load_that_its_body_outlasts() {
    #[cache_put(cache = w.cache, skip(w), scope = "user", name = "outlasted")]
    fn rename(w: &World, org_id: &str, user_id: u32) -> u32 {
        thread::scope(|scope| {
            let meanwhile = scope.spawn(|| name(w, "acme", 7));
            assert_eq!(meanwhile.join().expect("no panic"), 1);
        });
        write(w);
        2
    }

    #[cache(cache = w.cache, skip(w), scope = "user", name = "outlasted")]
    fn name(w: &World, org_id: &str, user_id: u32) -> u32 {
        w.read()
    }

    within(LIMIT, || {
        let w = World::new();
        assert_eq!(rename(&w, "acme", 7), 2);
        assert_eq!(name(&w, "acme", 7), 2);
        assert_eq!(w.cache.stats().total_keys, 1, "they share their entries");
        w.source.store(3, Ordering::SeqCst);
        assert_eq!(name(&w, "acme", 7), 2, "it is stored");
    });
}

/// A refresh invalidates like a put, from the moment it has its value.
#[test]
fn a_load_that_began_before_a_refresh_ended_is_not_stored_over_it() {
    within(LIMIT, || {
        let w = World::new();
        thread::scope(|scope| {
            w.hold.store(true, Ordering::SeqCst);
            let load = scope.spawn(|| shared(&w, "acme", 7));
            await_signal(&w.inside);
            write(&w);
            assert_eq!(refresh!(shared(&w, "acme", 7)), 2);
            assert_eq!(peek!(shared(&w, "acme", 7)).expect("peeked"), Some(2));
            signal(&w.go);
            assert_eq!(load.join().expect("no panic"), 1);
            assert_eq!(peek!(shared(&w, "acme", 7)).expect("peeked"), Some(2));
        });
    });
}

#[test]
fn a_refresh_that_fails_leaves_what_was_stored() {
    thread_local!(static FAILS: Cell<bool> = const { Cell::new(false) });

    #[cache(cache = w.cache, skip(w))]
    fn fallible(w: &World, x: u32) -> Result<u32, u32> {
        if FAILS.get() { Err(x) } else { Ok(w.read()) }
    }

    let w = World::new();
    assert_eq!(fallible(&w, 3), Ok(1));
    FAILS.set(true);
    assert_eq!(refresh!(fallible(&w, 3)), Err(3));
    assert_eq!(fallible(&w, 3), Ok(1));
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&noop_waker()))
}

fn ready<F: Future>(future: F) -> F::Output {
    match poll_once(&mut Box::pin(future)) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// All invalidations of calls of `$function`, an async function.
macro_rules! all_async_ways {
    ($function:ident) => {{
        let by_call: &[(&str, Invalidate)] = &[
            ("evict!", |w| {
                write(w);
                assert!(!ready(evict!($function(w, "acme", 7))).expect("evicted"));
            }),
            ("put!", |w| {
                write(w);
                assert!(ready(put!($function(w, "acme", 7), 2)).expect("put"));
            }),
            ("refresh!", |w| {
                write(w);
                assert_eq!(ready(refresh!($function(w, "acme", 7))), 2);
            }),
            ("evict_by_scope, awaited", |w| {
                write(w);
                let evict = w.cache.evict_by_scope(scope::user("acme", 7));
                ready(evict.into_future()).expect("evicted");
            }),
            ("clear, awaited", |w| {
                write(w);
                ready(w.cache.clear().into_future()).expect("cleared");
            }),
        ];
        by_call.iter().chain(BY_SCOPE)
    }};
}

/// For an async `$function`: a leader, a waiter if loads are shared, and a caller that begins after the invalidation.
macro_rules! async_load_is_overtaken {
    ($function:ident, $way:expr, $invalidate:expr, $shared:expr) => {{
        let w = World::new();
        w.hold.store(true, Ordering::SeqCst);
        let mut before = Box::pin($function(&w, "acme", 7));
        assert!(poll_once(&mut before).is_pending());
        let mut joined = $shared.then(|| Box::pin($function(&w, "acme", 7)));
        if let Some(joined) = &mut joined {
            assert!(poll_once(joined).is_pending());
        }
        $invalidate(&w);
        assert_eq!(ready($function(&w, "acme", 7)), 2, "after {}", $way);
        w.go_on.notify_one();
        assert_eq!(ready(before), 1);
        if let Some(joined) = joined {
            assert_eq!(ready(joined), 1, "who joined before has the leader's");
        }
        assert_eq!(
            ready($function(&w, "acme", 7)),
            2,
            "after {} and the load",
            $way
        );

        // the same without a load in between
        let w = World::new();
        w.hold.store(true, Ordering::SeqCst);
        let mut before = Box::pin($function(&w, "acme", 7));
        assert!(poll_once(&mut before).is_pending());
        $invalidate(&w);
        w.go_on.notify_one();
        assert_eq!(ready(before), 1);
        assert_eq!(ready($function(&w, "acme", 7)), 2, "after {}", $way);
    }};
}

#[test]
fn an_invalidation_during_an_async_load_wins() {
    for (way, invalidate) in all_async_ways!(shared_async) {
        async_load_is_overtaken!(shared_async, way, invalidate, true);
    }
}

#[test]
fn an_invalidation_during_an_async_load_that_is_not_shared_wins() {
    for (way, invalidate) in all_async_ways!(unshared_async) {
        async_load_is_overtaken!(unshared_async, way, invalidate, false);
    }
}

#[test]
fn those_who_come_after_an_invalidation_share_a_load_of_their_own() {
    let w = World::new();
    w.hold.store(true, Ordering::SeqCst);
    let mut old = Box::pin(shared_async(&w, "acme", 7));
    assert!(poll_once(&mut old).is_pending());
    write(&w);
    assert!(!ready(evict!(shared_async(&w, "acme", 7))).expect("evicted"));

    w.hold.store(true, Ordering::SeqCst);
    let mut new = Box::pin(shared_async(&w, "acme", 7));
    assert!(poll_once(&mut new).is_pending());
    let mut joined = Box::pin(shared_async(&w, "acme", 7));
    assert!(poll_once(&mut joined).is_pending());
    assert_eq!(w.cache.stats().loads, 2);

    // the old load is released first: it has waited longer
    w.go_on.notify_one();
    assert_eq!(ready(old), 1);
    assert!(
        poll_once(&mut joined).is_pending(),
        "not the old one's value"
    );
    w.go_on.notify_one();
    assert_eq!(ready(new), 2);
    assert_eq!(ready(joined), 2);
    assert_eq!(w.cache.stats().loads, 2);
}

/// Dropping an invalidated load does not affect a later one.
#[test]
fn an_invalidated_load_that_is_dropped_lets_the_later_one_be() {
    let w = World::new();
    w.hold.store(true, Ordering::SeqCst);
    let mut old = Box::pin(shared_async(&w, "acme", 7));
    assert!(poll_once(&mut old).is_pending());
    write(&w);
    w.cache.clear().run().expect("cleared");

    w.hold.store(true, Ordering::SeqCst);
    let mut new = Box::pin(shared_async(&w, "acme", 7));
    assert!(poll_once(&mut new).is_pending());
    drop(old);
    let mut joined = Box::pin(shared_async(&w, "acme", 7));
    assert!(poll_once(&mut joined).is_pending(), "it still joins");
    w.go_on.notify_one();
    assert_eq!(ready(new), 2);
    assert_eq!(ready(joined), 2);
    assert_eq!(w.cache.stats().total_keys, 1);
}

//! An invalidation wins over any load that began before it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cacheado_backends::Scope;
use cacheado_backends::backend::{Backend, Lookup, Mark};
use cacheado_backends::mongodb::MongoDb;

use super::{backend, forever, fresh, key, missed, organization, payload, user, value};

/// An invalidation, and the value that is there afterwards, if any.
type Invalidation = (&'static str, fn(&MongoDb), Option<&'static str>);

const INVALIDATIONS: [Invalidation; 7] = [
    (
        "evict",
        |backend| {
            let _ = backend.evict(&key("a")).unwrap();
        },
        None,
    ),
    (
        "evict user",
        |backend| {
            let _ = backend.evict_by_scope(&user("acme", "7")).unwrap();
        },
        None,
    ),
    (
        "evict organization",
        |backend| {
            let _ = backend.evict_by_scope(&organization("acme")).unwrap();
        },
        None,
    ),
    (
        "evict global",
        |backend| {
            let _ = backend.evict_by_scope(&Scope::global()).unwrap();
        },
        None,
    ),
    ("clear", |backend| backend.clear().unwrap(), None),
    (
        "set",
        |backend| backend.set(&key("a"), &forever("newer")).unwrap(),
        Some("newer"),
    ),
    (
        "put",
        |backend| {
            let mark = backend.mark(&key("a")).unwrap();
            assert!(backend.put(&key("a"), &forever("newer"), &mark).unwrap());
        },
        Some("newer"),
    ),
];

#[test]
fn nothing_is_filled_after_an_invalidation() {
    let database = fresh();
    let (one, other) = (backend(&database), backend(&database));
    for (name, invalidate, left) in INVALIDATIONS {
        for there in [false, true] {
            other.clear().unwrap();
            let mark = missed(&one, &key("a"));
            if there {
                let theirs = missed(&other, &key("a"));
                assert!(other.fill(&key("a"), &forever("theirs"), &theirs).unwrap());
            }
            invalidate(&other);
            assert!(
                !one.fill(&key("a"), &forever("old"), &mark).unwrap(),
                "{name}"
            );
            assert_eq!(value(&one, &key("a")).as_deref(), left, "{name}");
            // and not after a new load has begun either
            assert!(
                !one.fill(&key("a"), &forever("old"), &mark).unwrap(),
                "{name}"
            );
            assert_eq!(value(&one, &key("a")).as_deref(), left, "{name}");
        }
    }
}

#[test]
fn a_put_after_an_invalidation_leaves_nothing() {
    let database = fresh();
    let (one, other) = (backend(&database), backend(&database));
    for (name, invalidate, _) in INVALIDATIONS {
        other.clear().unwrap();
        let mark = one.mark(&key("a")).unwrap();
        invalidate(&other);
        assert!(
            !one.put(&key("a"), &forever("which?"), &mark).unwrap(),
            "{name}"
        );
        missed(&one, &key("a"));
    }
    let mark = one.mark(&key("b")).unwrap();
    assert!(one.put(&key("b"), &forever("1"), &mark).unwrap());
    // a put over a live value works too, and replaces the value of a load in between
    let mark = one.mark(&key("b")).unwrap();
    assert!(one.put(&key("b"), &forever("2"), &mark).unwrap());
    assert_eq!(value(&other, &key("b")).unwrap(), "2");
}

#[test]
fn two_loads_of_one_key_both_store() {
    let database = fresh();
    let (one, other) = (backend(&database), backend(&database));
    let (mine, theirs) = (missed(&one, &key("a")), missed(&other, &key("a")));
    assert!(one.fill(&key("a"), &forever("1"), &mine).unwrap());
    assert!(other.fill(&key("a"), &forever("2"), &theirs).unwrap());
    assert_eq!(value(&one, &key("a")).unwrap(), "2");
}

#[test]
fn an_expiry_is_no_invalidation() {
    let backend = backend(&fresh());
    let mark = missed(&backend, &key("a"));
    let over = payload("1", Some(Duration::ZERO));
    assert!(backend.fill(&key("a"), &over, &mark).unwrap());
    let again = missed(&backend, &key("a"));
    assert!(backend.fill(&key("a"), &forever("2"), &again).unwrap());
    assert!(backend.fill(&key("a"), &forever("3"), &mark).unwrap());
}

#[test]
fn a_load_past_the_limit_is_not_stored() {
    let backend = backend(&fresh()).load_limit(Duration::from_millis(20));
    let mark = missed(&backend, &key("a"));
    thread::sleep(Duration::from_millis(21));
    assert!(!backend.fill(&key("a"), &forever("1"), &mark).unwrap());
    missed(&backend, &key("a"));
    backend.set(&key("a"), &forever("1")).unwrap();
    assert!(!backend.put(&key("a"), &forever("2"), &mark).unwrap());
    missed(&backend, &key("a"));
}

#[test]
fn a_mark_that_says_nothing_stores_nothing() {
    let backend = backend(&fresh());
    missed(&backend, &key("a"));
    for mark in [
        Mark::none(),
        Mark::new(vec![1; 12], Instant::now()),
        Mark::new(vec![1; 5], Instant::now()),
    ] {
        assert!(!backend.fill(&key("a"), &forever("1"), &mark).unwrap());
        assert_eq!(
            backend
                .fill_many(&[(key("a"), forever("1"), mark)])
                .unwrap(),
            [false]
        );
    }
}

/// Sets the flag when dropped, also by a panic.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Loaders read a source and fill; writers change the source and invalidate, in every way. Once an invalidation has returned, no
/// process ever finds a value older than that invalidation.
#[test]
fn no_old_value_is_left_however_loads_and_invalidations_interleave() {
    let database = fresh();
    let source = AtomicU64::new(1);
    let known = AtomicU64::new(0);
    let (end, done) = (
        Instant::now() + Duration::from_secs(3),
        AtomicBool::new(false),
    );
    let load = |backend: &MongoDb, short: bool| {
        let least = known.load(Ordering::SeqCst);
        let mark = match backend.get(&key("a")).unwrap() {
            Lookup::Hit(found) => {
                let found: u64 = std::str::from_utf8(&found.bytes).unwrap().parse().unwrap();
                assert!(found >= least, "{found} was found, and {least} is known");
                return;
            }
            Lookup::Miss(mark) => mark,
        };
        let read = source.load(Ordering::SeqCst);
        let lifetime = short.then_some(Duration::from_millis(2));
        backend
            .fill(&key("a"), &payload(&read.to_string(), lifetime), &mark)
            .unwrap();
    };
    thread::scope(|scope| {
        for loader in 0..4 {
            let (load, done, backend) = (&load, &done, backend(&database));
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    load(&backend, loader % 2 == 0);
                }
            });
        }
        let (source, known, backend) = (&source, &known, backend(&database));
        let done = Done(&done);
        scope.spawn(move || {
            let _done = done;
            for turn in 0.. {
                // several times each way, even on a busy machine
                if turn > 20 && Instant::now() >= end {
                    break;
                }
                let mark = backend.mark(&key("a")).unwrap();
                let new = source.fetch_add(1, Ordering::SeqCst) + 1;
                match turn % 5 {
                    0 => assert!(backend.evict(&key("a")).is_ok()),
                    1 => assert!(backend.evict_by_scope(&organization("acme")).is_ok()),
                    2 => backend.clear().unwrap(),
                    3 => backend.set(&key("a"), &forever(&new.to_string())).unwrap(),
                    _ => assert!(
                        backend
                            .put(&key("a"), &forever(&new.to_string()), &mark)
                            .is_ok(),
                    ),
                }
                known.store(new, Ordering::SeqCst);
            }
        });
    });
}

//! The changes of one process reach another.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use cacheado_backends::backend::{Backend, Change, Changes};

use super::Mongo;
use super::{backend, backend_at, backend_of, forever, fresh, key, missed, organization, value};

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn watched(backend: &impl Backend) -> Receiver<Change> {
    let (sender, receiver) = channel();
    assert!(backend.watch(Changes::new(move |change| drop(sender.send(change)))));
    receiver
}

pub(super) fn next(changes: &Receiver<Change>) -> Change {
    changes.recv_timeout(PATIENCE).expect("nothing is reported")
}

pub(super) fn expect(changes: &Receiver<Change>, expected: &Change) {
    let change = next(changes);
    let same = match (&change, expected) {
        (Change::Key(one), Change::Key(other)) => one == other,
        (Change::Scope(one), Change::Scope(other)) => one == other,
        (Change::All, Change::All)
        | (Change::Covered, Change::Covered)
        | (Change::Lost, Change::Lost) => true,
        _ => false,
    };
    assert!(same, "{change:?}, not {expected:?}");
}

#[test]
fn all_that_another_does_is_reported_and_nothing_else() {
    let database = fresh();
    let (one, other) = (backend(&database), backend(&database));
    let (mine, theirs) = (watched(&one), watched(&other));
    expect(&mine, &Change::Covered);
    expect(&theirs, &Change::Covered);

    let mark = missed(&other, &key("b"));
    other.fill(&key("b"), &forever("1"), &mark).unwrap();
    backend_at(&super::server::SHARED, &database, "another")
        .clear()
        .unwrap();

    other.set(&key("a"), &forever("1")).unwrap();
    expect(&mine, &Change::Key(key("a")));
    let mark = other.mark(&key("b")).unwrap();
    other.put(&key("b"), &forever("1"), &mark).unwrap();
    expect(&mine, &Change::Key(key("b")));
    assert!(!other.put(&key("b"), &forever("1"), &mark).unwrap());
    expect(&mine, &Change::Key(key("b")));
    other.evict(&key("c")).unwrap();
    expect(&mine, &Change::Key(key("c")));
    other.evict_by_scope(&organization("acme")).unwrap();
    expect(&mine, &Change::Scope(organization("acme")));
    other.clear().unwrap();
    expect(&mine, &Change::All);
    let entries = [(key("d"), forever("1")), (key("e"), forever("1"))];
    other.set_many(&entries).unwrap();
    expect(&mine, &Change::Key(key("d")));
    expect(&mine, &Change::Key(key("e")));

    one.clear().unwrap();
    expect(&theirs, &Change::All);
    assert!(mine.try_recv().is_err());
}

#[test]
fn a_key_of_any_length_is_told_as_its_scope_if_it_is_long() {
    let database = fresh();
    let (one, other) = (backend(&database), backend(&database));
    let changes = watched(&one);
    expect(&changes, &Change::Covered);
    for (len, whole) in [(60 << 10, true), (70 << 10, false), (1 << 20, false)] {
        let long = key(&"x".repeat(len));
        let told = if whole {
            Change::Key(long.clone())
        } else {
            Change::Scope(long.scope())
        };
        other.set(&long, &forever("1")).unwrap();
        expect(&changes, &told);
        assert!(other.evict(&long).unwrap());
        expect(&changes, &told);
    }
    assert!(changes.try_recv().is_err());
    // longer than a document may be
    let longest = key(&"x".repeat(17 << 20));
    other.set(&longest, &forever("1")).unwrap();
    assert!(other.evict(&longest).unwrap());
}

/// One change may remove thousands of entries, and runs the destructors of their values.
#[test]
fn operations_go_on_while_a_change_takes_long() {
    let database = fresh();
    let (one, other) = (backend(&database), backend(&database));
    let (began, begins) = channel();
    let (end, ends) = channel();
    let ends = Mutex::new(ends);
    let watched = one.watch(Changes::new(move |change| {
        let long = matches!(change, Change::Scope(_));
        began.send(change).unwrap();
        if long {
            ends.lock().unwrap().recv().unwrap();
        }
    }));
    assert!(watched);
    expect(&begins, &Change::Covered);
    other.evict_by_scope(&organization("acme")).unwrap();
    expect(&begins, &Change::Scope(organization("acme")));
    for nth in 0..10 {
        let text = nth.to_string();
        one.set(&key("a"), &forever(&text)).unwrap();
        assert_eq!(value(&one, &key("a")), Some(text));
    }
    end.send(()).unwrap();
    other.clear().unwrap();
    expect(&begins, &Change::All);
}

#[test]
fn two_connections_are_enough_to_listen_and_work() {
    let database = fresh();
    let url = format!("{}&maxPoolSize=2", super::server::SHARED.url());
    let (one, other) = (
        backend_of(&url, &database, "narrow"),
        backend_of(&url, &database, "narrow"),
    );
    let changes = watched(&one);
    expect(&changes, &Change::Covered);
    for nth in 0..20 {
        one.set(&key("mine"), &forever("1")).unwrap();
        other
            .set(&key("theirs"), &forever(&nth.to_string()))
            .unwrap();
        expect(&changes, &Change::Key(key("theirs")));
        assert_eq!(value(&one, &key("theirs")).unwrap(), nth.to_string());
    }
}

#[test]
fn what_is_told_is_heard_soon() {
    let database = fresh();
    let (one, other) = (backend(&database), backend(&database));
    let changes = watched(&one);
    expect(&changes, &Change::Covered);
    let mut took: Vec<Duration> = (0..21)
        .map(|_| {
            other.evict(&key("a")).unwrap();
            let told = Instant::now();
            expect(&changes, &Change::Key(key("a")));
            told.elapsed()
        })
        .collect();
    took.sort_unstable();
    // by itself the server journals every 100 ms, and an eviction made right after the last report would wait as long
    assert!(took[10] < Duration::from_millis(40), "{took:?}");
}

#[test]
fn a_server_that_falls_silent_is_noticed_and_heard_again() {
    let server = Mongo::start();
    let database = fresh();
    let watcher = backend_at(&server, &database, "x");
    let changes = watched(&watcher);
    expect(&changes, &Change::Covered);
    server.pause();
    let paused = Instant::now();
    expect(&changes, &Change::Lost);
    let noticed = paused.elapsed();
    server.resume();
    assert!(noticed < Duration::from_millis(1500), "{noticed:?}");
    expect(&changes, &Change::Covered);
    backend_at(&server, &database, "x").clear().unwrap();
    expect(&changes, &Change::All);
}

#[test]
fn a_server_that_is_killed_is_noticed_and_heard_again() {
    let server = Mongo::start();
    let watcher = backend_at(&server, "x", "x");
    let changes = watched(&watcher);
    expect(&changes, &Change::Covered);
    server.kill();
    let killed = Instant::now();
    expect(&changes, &Change::Lost);
    assert!(killed.elapsed() < Duration::from_millis(1500));
    server.restart();
    expect(&changes, &Change::Covered);
    let other = backend_at(&server, "x", "x");
    other.evict(&key("a")).unwrap();
    expect(&changes, &Change::Key(key("a")));
}

/// The change stream skips other writes, and is not taken for a late one.
#[test]
fn writes_that_tell_nothing_do_not_hide_that_all_is_heard() {
    let database = fresh();
    let (one, other) = (backend(&database), backend(&database));
    let changes = watched(&one);
    expect(&changes, &Change::Covered);
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        let mark = other.mark(&key("a")).unwrap();
        assert!(other.fill(&key("a"), &forever("1"), &mark).unwrap());
    }
    assert!(changes.try_recv().is_err());
    other.evict(&key("a")).unwrap();
    expect(&changes, &Change::Key(key("a")));
}

#[test]
fn a_standalone_server_covers_nothing() {
    let server = Mongo::standalone();
    let one = backend_at(&server, "x", "x");
    let changes = watched(&one);
    one.set(&key("a"), &forever("1")).unwrap();
    backend_at(&server, "x", "x").clear().unwrap();
    missed(&one, &key("a"));
    assert!(changes.recv_timeout(Duration::from_millis(500)).is_err());
}

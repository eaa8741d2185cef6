//! Replica sets of several members: a majority that is lost, and primaries that are replaced.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use cacheado::Cache;
use cacheado_backends::Scope;
use cacheado_backends::backend::{Backend, BackendResult, Change, Lookup, Refused};
use cacheado_backends::mongodb::MongoDb;
use cacheado_tests::servers::{MongoSet, Server, wait_until};

use super::watch::{expect, next, watched};
use super::{backend_of, forever, key};

const PATIENCE: Duration = Duration::from_secs(120);

/// The documented time, plus what a busy machine may add.
const NOTICED_WITHIN: Duration = Duration::from_millis(1500 + 500);

const LIMIT: Duration = Duration::from_secs(1);

fn backend(set: &MongoSet) -> MongoDb {
    backend_of(&set.url(), "x", "x").timeout(LIMIT)
}

/// The result of `operation`; `None` if it fails, which must be as an outage and in time.
fn in_time<T>(operation: impl FnOnce() -> BackendResult<T>) -> Option<T> {
    let started = Instant::now();
    let done = operation();
    let took = started.elapsed();
    assert!(took < LIMIT + Duration::from_millis(500), "{took:?}");
    if let Err(error) = &done {
        assert!(!error.is::<Refused>(), "{error}");
    }
    done.ok()
}

/// The result of `operation`, once it succeeds.
fn eventually<T>(mut operation: impl FnMut() -> BackendResult<T>) -> T {
    let mut done = None;
    wait_until(PATIENCE, || {
        done = in_time(&mut operation);
        done.is_some()
    });
    done.expect("it answers again")
}

fn value(backend: &MongoDb, name: &str) -> Option<String> {
    match eventually(|| backend.get(&key(name))) {
        Lookup::Hit(found) => Some(String::from_utf8(found.bytes.to_vec()).unwrap()),
        Lookup::Miss(_) => None,
    }
}

/// Waits until `changes` reports an eviction by `other`. It may report earlier changes first.
fn is_heard(changes: &Receiver<Change>, other: &MongoDb) {
    eventually(|| other.evict(&key("heard")));
    while !matches!(next(changes), Change::Key(told) if told == key("heard")) {}
}

/// Writes without a majority are acknowledged, but no change stream reports them.
#[test]
fn a_majority_that_stalls_is_noticed_and_heard_again() {
    let set = MongoSet::with_arbiter();
    let (one, other) = (backend(&set), backend(&set));
    let changes = watched(&one);
    expect(&changes, &Change::Covered);
    let secondary = set.secondaries().next().expect("it follows");
    for stop in [Server::pause as fn(&Server), Server::kill] {
        stop(secondary);
        eventually(|| other.evict(&key("a")));
        let told = Instant::now();
        expect(&changes, &Change::Lost);
        let noticed = told.elapsed();
        assert!(noticed < NOTICED_WITHIN, "{noticed:?}");
        // the primary still accepts writes, and change streams can be opened, but that is not enough
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            eventually(|| other.evict(&key("a")));
            let heard = changes.recv_timeout(Duration::from_millis(50));
            assert!(heard.is_err(), "{heard:?}");
        }
        if secondary.id().is_some() {
            secondary.resume();
        } else {
            secondary.restart();
        }
        // changes made meanwhile may be reported before that
        while !matches!(next(&changes), Change::Covered) {}
        is_heard(&changes, &other);
    }
}

/// The majority has an old state, and no cache may act on it.
#[test]
fn what_the_primary_has_counts_whatever_is_read_by_default() {
    let set = MongoSet::with_arbiter();
    set.read_by_default("majority");
    let (alone, majority) = (backend(&set), backend(&set).write_concern_majority());
    eventually(|| majority.set(&key("a"), &forever("1")));
    let secondary = set.secondaries().next().expect("it follows");
    secondary.pause();
    assert!(eventually(|| alone.evict(&key("a"))));
    assert_eq!(value(&alone, "a"), None);
    eventually(|| alone.set(&key("b"), &forever("1")));
    assert_eq!(value(&alone, "b").as_deref(), Some("1"));
    assert_eq!(eventually(|| alone.evict_by_scope(&Scope::global())), 1);
    assert_eq!(value(&alone, "b"), None);
    secondary.resume();
}

/// The same, seen by the callers of a cache.
#[test]
fn no_copy_outlives_its_eviction_while_a_majority_stalls() {
    let set = MongoSet::with_arbiter();
    let cache = || {
        let built = Cache::builder()
            .name("x")
            .backend(MongoDb::new(&set.url()).unwrap().timeout(LIMIT))
            // a copy whose change is not reported stays
            .coherence(Duration::from_secs(3600));
        built.build().unwrap()
    };
    let (one, other) = (cache(), cache());
    let becomes = |number: u64, limit| {
        let told = wait_until(PATIENCE, || other.set("a", &number).run().is_ok());
        assert!(told, "{number} is not told");
        let seen = || one.get::<u64>("a").run().is_ok_and(|it| it == Some(number));
        assert!(wait_until(limit, seen), "{number} is not seen");
    };
    for number in 0..3 {
        becomes(number, PATIENCE);
    }
    let secondary = set.secondaries().next().expect("it follows");
    secondary.pause();
    becomes(3, NOTICED_WITHIN);
    secondary.resume();
    wait_until(PATIENCE, || set.is_whole());
    for number in 4..6 {
        becomes(number, PATIENCE);
    }
}

#[test]
fn a_primary_that_steps_down_is_an_outage_and_another_is_heard() {
    let set = MongoSet::start();
    let (one, other) = (backend(&set), backend(&set));
    let changes = watched(&one);
    expect(&changes, &Change::Covered);
    for _ in 0..2 {
        let before = set.primary().port();
        set.step_down(Duration::from_secs(60));
        let replaced = wait_until(PATIENCE, || {
            in_time(|| other.set(&key("a"), &forever("1")));
            in_time(|| one.get(&key("a")));
            in_time(|| other.evict(&key("a")));
            in_time(|| one.get_many(&[key("a"), key("b")]));
            set.is_whole()
        });
        assert!(replaced && set.primary().port() != before);
        // changes that only the old primary acknowledged may not be reported, so all copies must go
        while !matches!(next(&changes), Change::Lost) {}
        while !matches!(next(&changes), Change::Covered) {}
        is_heard(&changes, &other);
        eventually(|| other.set(&key("a"), &forever("2")));
        assert_eq!(value(&one, "a").unwrap(), "2");
    }
}

/// The primary is killed when it alone has the writes; the members that replace it never had them.
fn fails_over_alone(set: &MongoSet, write: impl FnOnce()) {
    let primary = set.primary();
    let secondaries: Vec<_> = set.secondaries().collect();
    assert_eq!(secondaries.len(), 2);
    // kill, not pause: a paused member would find the writes in its connection when resumed
    for secondary in &secondaries {
        secondary.kill();
    }
    write();
    primary.kill();
    for secondary in &secondaries {
        secondary.restart();
    }
    set.primary();
    primary.restart();
    assert!(wait_until(PATIENCE, || set.is_whole()), "{set:?}");
}

#[test]
fn a_failover_undoes_what_the_primary_alone_has_acknowledged_and_nothing_else() {
    let set = MongoSet::start();
    let (alone, majority) = (backend(&set), backend(&set).write_concern_majority());
    eventually(|| majority.set(&key("a"), &forever("1")));
    eventually(|| majority.set(&key("b"), &forever("1")));
    assert!(eventually(|| majority.evict(&key("b"))));
    fails_over_alone(&set, || {
        assert!(eventually(|| alone.evict(&key("a"))));
        // the failure shows that no other member has it
        assert!(in_time(|| majority.evict(&key("a"))).is_none());
    });
    assert_eq!(value(&alone, "a").unwrap(), "1");
    assert_eq!(value(&alone, "b"), None);
}

#[test]
fn with_a_majority_no_acknowledged_eviction_is_undone_by_a_failover() {
    let set = MongoSet::start();
    let backend = backend(&set).write_concern_majority();
    let names: Vec<String> = (0..10).map(|nth| nth.to_string()).collect();
    for _ in 0..3 {
        for name in &names {
            eventually(|| backend.set(&key(name), &forever("1")));
        }
        let acknowledged: Vec<&String> = names
            .iter()
            .filter(|name| in_time(|| backend.evict(&key(name))).is_some())
            .collect();
        assert_ne!(acknowledged.len(), 0);
        let primary = set.primary();
        primary.kill();
        for name in acknowledged {
            assert_eq!(value(&backend, name), None);
        }
        primary.restart();
        assert!(wait_until(PATIENCE, || set.is_whole()), "{set:?}");
    }
}

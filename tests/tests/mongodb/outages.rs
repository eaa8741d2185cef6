//! A server that is slow, down or refusing.

use std::time::{Duration, Instant};

use cacheado_backends::backend::{Backend, BackendResult, Change, Payload, Refused};
use cacheado_backends::mongodb::MongoDb;
use mongodb::bson::doc;

use super::server::{RUNTIME, SHARED, admin, documents};
use super::watch::{expect, next, watched};
use super::{backend, backend_at, backend_of, forever, fresh, key, missed, organization, value};
use cacheado_tests::servers::{Mongo, Proxy, wait_until};

const LIMIT: Duration = Duration::from_millis(200);

/// Checks that an operation fails as an outage, and in time.
fn fails_in_time(backend: &MongoDb) {
    let started = Instant::now();
    let error = backend.get(&key("a")).unwrap_err();
    let took = started.elapsed();
    assert!(took < LIMIT * 2, "{took:?}: {error}");
    assert!(!error.is::<Refused>(), "{error}");
    let started = Instant::now();
    let error = backend.evict_by_scope(&organization("acme")).unwrap_err();
    let took = started.elapsed();
    assert!(took < LIMIT * 2, "{took:?}: {error}");
    assert!(!error.is::<Refused>(), "{error}");
    let started = Instant::now();
    let error = RUNTIME
        .block_on(backend.set_async(&key("a"), &forever("1")))
        .unwrap_err();
    let took = started.elapsed();
    assert!(took < LIMIT * 2, "{took:?}: {error}");
    assert!(!error.is::<Refused>(), "{error}");
}

/// The result of `operation`, once it succeeds.
fn in_the_end<T>(operation: impl Fn() -> BackendResult<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match operation() {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The value, once the server can be reached.
fn recovers(backend: &MongoDb) -> Option<Payload> {
    in_the_end(|| backend.get(&key("b"))).hit()
}

#[test]
fn a_server_that_is_not_there_is_an_outage_in_time() {
    let backend = MongoDb::new("mongodb://user:hunter2@127.0.0.1:9/").unwrap();
    fails_in_time(&backend);
    fails_in_time(&backend);
    let error = backend.clear().unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn a_server_that_hangs_or_is_killed_is_an_outage_in_time_and_comes_back() {
    let server = Mongo::start();
    let backend = backend_at(&server, "x", "x").timeout(LIMIT);
    in_the_end(|| backend.set(&key("b"), &forever("1")));
    server.pause();
    for _ in 0..15 {
        fails_in_time(&backend);
    }
    server.resume();
    recovers(&backend);
    server.kill();
    fails_in_time(&backend);
    server.restart();
    let kept = recovers(&backend);
    assert!(kept.is_none_or(|kept| *kept.bytes == *b"1"));
}

/// The driver opens two connections at a time, and without a limit waits for a handshake that is never answered.
#[test]
fn connections_that_are_never_answered_keep_it_from_no_others() {
    let server = Mongo::start();
    let network = Proxy::start(server.addr());
    // no idle connection is kept except the one that monitors the server, so each operation needs a new one
    let query = "directConnection=true&maxIdleTimeMS=1";
    let uri = format!("{}/?{query}", network.url("mongodb"));
    let backend = backend_of(&uri, "x", "x").timeout(Duration::from_millis(100));
    let heard = watched(&backend);
    in_the_end(|| backend.set(&key("b"), &forever("1")));
    expect(&heard, &Change::Covered);
    let known = Instant::now();
    network.swallow();
    let swallowed = || {
        let _ = backend.get(&key("b"));
        network.swallowed() >= 2 && known.elapsed() > Duration::from_secs(1)
    };
    assert!(wait_until(Duration::from_secs(20), swallowed));
    network.restore();
    assert_eq!(*recovers(&backend).unwrap().bytes, *b"1");
    // and the changes of others are reported again
    while next(&heard) != Change::Covered {}
    let other = backend_at(&server, "x", "x");
    other.evict(&key("b")).unwrap();
    while next(&heard) != Change::Key(key("b")) {}
    assert!(recovers(&backend).is_none());
}

#[test]
fn a_primary_that_steps_down_is_an_outage_and_comes_back() {
    let server = Mongo::start();
    let backend = backend_at(&server, "x", "x").timeout(LIMIT);
    recovers(&backend);
    admin(
        &server,
        &doc! { "replSetStepDown": 1, "secondaryCatchUpPeriodSecs": 0, "force": true },
    );
    let error = backend.set(&key("a"), &forever("1")).unwrap_err();
    assert!(!error.is::<Refused>(), "{error}");
    recovers(&backend);
}

#[test]
fn what_the_server_refuses_is_no_outage() {
    let database = fresh();
    let documents = documents(&database);
    let validated = documents.client().database(&database);
    let create = validated
        .create_collection(documents.name())
        .validator(doc! { "nope": true });
    RUNTIME.block_on(create.into_future()).unwrap();
    let backend = backend(&database);
    let entries = [(key("a"), forever("1"))];
    let errors = [
        backend.set(&key("a"), &forever("1")).unwrap_err(),
        backend.set_many(&entries).unwrap_err(),
        backend.get(&key("a")).unwrap_err(),
        backend.get_many(&[key("a")]).unwrap_err(),
    ];
    for error in errors {
        assert!(error.is::<Refused>(), "{error}");
    }
}

#[test]
fn a_wrong_password_is_an_outage_and_not_told() {
    let uri = SHARED
        .url()
        .replace("mongodb://", "mongodb://nobody:hunter2@");
    let backend = MongoDb::new(&uri).unwrap().timeout(Duration::from_secs(5));
    let error = backend.get(&key("a")).unwrap_err();
    assert!(!error.is::<Refused>());
    assert!(
        !format!("{error} {error:?} {backend:?}").contains("hunter2"),
        "{error}"
    );
}

#[test]
fn a_majority_can_be_asked_for() {
    let backend = backend(&fresh()).write_concern_majority();
    backend.set(&key("a"), &forever("1")).unwrap();
    backend.set_many(&[(key("b"), forever("2"))]).unwrap();
    assert_eq!(value(&backend, &key("b")).unwrap(), "2");
    assert!(backend.evict(&key("a")).unwrap());
    missed(&backend, &key("a"));
}

//! The MongoDB backend on a real server.

mod access;
mod by_hand;
mod conformance;
mod ends;
mod long_names;
mod operations;
mod outages;
mod races;
mod scopes;
mod server;
mod set;
mod upkeep;
mod watch;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cacheado_backends::backend::{Backend, Lookup, Mark, Payload};
use cacheado_backends::mongodb::MongoDb;
use cacheado_backends::{Hierarchy, Key, Probe, Scope, Space};
use cacheado_tests::servers::Mongo;

static HIERARCHY: LazyLock<Hierarchy> = LazyLock::new(|| {
    Hierarchy::builder()
        .level("organization", "org_id")
        .level_under("organization", "user", "user_id")
        .build()
        .unwrap()
});

fn organization(id: &str) -> Scope {
    HIERARCHY.scope("organization", [("org_id", id)]).unwrap()
}

fn user(organization: &str, id: &str) -> Scope {
    let ids = [("org_id", organization), ("user_id", id)];
    HIERARCHY.scope("user", ids).unwrap()
}

fn key_in(scope: &Scope, name: &str) -> Key {
    let space = Space::programmatic(scope.level());
    let probe = Probe::in_scope(space, scope, name).unwrap();
    probe.to_key().unwrap()
}

fn key(name: &str) -> Key {
    key_in(&user("acme", "7"), name)
}

fn payload(text: &str, lifetime: Option<Duration>) -> Payload {
    Payload {
        bytes: text.as_bytes().into(),
        lifetime,
    }
}

fn forever(text: &str) -> Payload {
    payload(text, None)
}

/// The name of a database of the test's own.
fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn backend_at(server: &Mongo, database: &str, cache: &str) -> MongoDb {
    backend_of(&server.url(), database, cache)
}

fn backend_of(url: &str, database: &str, cache: &str) -> MongoDb {
    let mut backend = MongoDb::new(url)
        .unwrap()
        .database(database)
        // the test machine may be busy
        .timeout(Duration::from_secs(5));
    backend.bind(cache);
    backend
}

fn backend(database: &str) -> MongoDb {
    backend_at(&server::SHARED, database, "storefront")
}

fn value(backend: &impl Backend, key: &Key) -> Option<String> {
    let found = backend.get(key).unwrap().hit()?;
    Some(String::from_utf8(found.bytes.to_vec()).unwrap())
}

fn missed(backend: &impl Backend, key: &Key) -> Mark {
    match backend.get(key).unwrap() {
        Lookup::Miss(mark) => mark,
        Lookup::Hit(payload) => panic!("{payload:?} is there"),
    }
}

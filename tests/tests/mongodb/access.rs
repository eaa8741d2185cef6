//! A server that asks who one is.

use std::time::{Duration, Instant};

use cacheado_backends::backend::{Backend, Change, Refused};
use cacheado_backends::mongodb::MongoDb;
use cacheado_tests::servers::Mongo;
use mongodb::Client;
use mongodb::bson::doc;

use super::server::RUNTIME;
use super::watch::{expect, watched};
use super::{backend_of, forever, key, user, value};

const PASSWORD: &str = "hunter2";

fn url(server: &Mongo, user: &str, password: &str) -> String {
    let credentials = format!("mongodb://{user}:{password}@");
    server.url().replace("mongodb://", &credentials)
}

/// Adds somebody who may read and write the database `x`, and no other.
fn add_somebody(url: &str) {
    RUNTIME.block_on(async {
        let client = Client::with_uri_str(url).await.unwrap();
        let create = doc! {
            "createUser": "somebody",
            "pwd": PASSWORD,
            "roles": [{ "role": "readWrite", "db": "x" }],
        };
        client.database("admin").run_command(create).await.unwrap();
    });
}

#[test]
fn who_may_read_and_write_the_database_may_use_it_and_nobody_else() {
    let server = Mongo::with_root("root", "toor");
    add_somebody(&url(&server, "root", "toor"));
    let allowed = url(&server, "somebody", PASSWORD);
    let (one, other) = (
        backend_of(&allowed, "x", "x"),
        backend_of(&allowed, "x", "x"),
    );
    let changes = watched(&one);
    expect(&changes, &Change::Covered);
    one.set(&key("a"), &forever("1")).unwrap();
    assert_eq!(value(&other, &key("a")).unwrap(), "1");
    assert_eq!(other.evict_by_scope(&user("acme", "7")).unwrap(), 1);
    expect(&changes, &Change::Scope(user("acme", "7")));

    // the server answers, and would do so again
    let elsewhere = backend_of(&allowed, "y", "x");
    let error = elsewhere.set(&key("a"), &forever("1")).unwrap_err();
    assert!(error.is::<Refused>(), "{error}");
    is_silent(&*error, &elsewhere);

    let wrong = backend_of(&url(&server, "somebody", "hunter22"), "x", "x");
    let started = Instant::now();
    let error = wrong.get(&key("a")).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(6));
    assert!(!error.is::<Refused>(), "{error}");
    is_silent(&*error, &wrong);
}

/// Nothing that is said holds the password.
fn is_silent(error: &(dyn std::error::Error + Send + Sync), backend: &MongoDb) {
    let said = format!("{error} {error:?} {backend:?}");
    assert!(!said.contains(PASSWORD), "{said}");
}

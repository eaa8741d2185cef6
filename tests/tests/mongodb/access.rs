//! A server with authentication.

use std::time::{Duration, Instant};

use cacheado::Cache;
use cacheado_backends::backend::{Backend, Change, Refused};
use cacheado_backends::mongodb::MongoDb;
use cacheado_tests::servers::Mongo;
use mongodb::Client;
use mongodb::bson::doc;

use super::server::{RUNTIME, SHARED};
use super::watch::{expect, watched};
use super::{backend_of, forever, fresh, key, user, value};

const PASSWORD: &str = "hunter2";

fn url(server: &Mongo, user: &str, password: &str) -> String {
    let credentials = format!("mongodb://{user}:{password}@");
    server.url().replace("mongodb://", &credentials)
}

/// Adds a user that may read and write the database `x`, and no other.
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

    // the server answers with a refusal, and would do so again
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

/// Neither the error nor the backend prints the password.
fn is_silent(error: &(dyn std::error::Error + Send + Sync), backend: &MongoDb) {
    let said = format!("{error} {error:?} {backend:?}");
    assert!(!said.contains(PASSWORD), "{said}");
}

fn refused(address: &str) -> String {
    let error = MongoDb::new(address).unwrap_err();
    format!("{error} {error:?}")
}

#[test]
fn no_message_about_an_address_holds_a_secret() {
    for options in [
        "tlsCertificateKeyFilePassword=hunter2",
        "tlsCertificateKeyFilePassword=x@hunter2:x",
        "tlsCertificateKeyFilePassword=x&hunter2",
        "tlscertificatekeyfilepassword=x&hunter2=x",
        "tls=false&tlsCertificateKeyFilePassword=hunter2",
        "authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:hunter2",
        "authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:x@hunter2:x",
        "authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:x&hunter2",
    ] {
        for user in ["", "somebody:hunter2@"] {
            let said = refused(&format!("mongodb://{user}h/?{options}"));
            assert!(!said.contains(PASSWORD), "{options}: {said}");
            assert!(said.contains("cert-key-password"), "{said}");
        }
    }
}

#[test]
fn no_message_about_an_address_without_a_host_holds_a_password() {
    for address in [
        "somebody:hunter2",
        "somebody:hunter2%40h/db",
        "somebody:hunter2/db?w=1",
        "somebody:hunter2?w=1",
        "somebody%3Ahunter2%40h:27017/db",
        "h,somebody:hunter2",
    ] {
        let said = refused(&format!("mongodb://{address}"));
        assert!(!said.contains(PASSWORD), "{address}: {said}");
        assert!(said.contains("percent-encoded"), "{said}");
    }
    for address in [
        "h",
        "h:1,i:2/db?w=1",
        "[::1]:27017",
        "[::1]",
        "%2Ftmp%2Fmongodb.sock",
    ] {
        MongoDb::new(&format!("mongodb://{address}")).unwrap();
    }
}

#[test]
fn options_that_make_no_cache_are_refused_by_name() {
    for (option, named) in [
        ("w=0", "`w` of 1 or more"),
        ("readPreference=secondary", "leave `readPreference` out"),
        ("unknown=1", "unknown"),
        ("retryWrites=maybe", "retrywrites"),
    ] {
        let said = refused(&format!("mongodb://somebody:hunter2@h/?{option}"));
        assert!(said.contains(named) && !said.contains(PASSWORD), "{said}");
    }
}

/// The longest database and collection name together, in bytes.
const LONGEST: usize = 246;

#[test]
fn names_that_are_none_are_refused_by_name() {
    let backend = || MongoDb::new(&SHARED.url()).unwrap();
    let wrong = [
        (backend().database(""), "database(\"\")"),
        (backend().database("a.b"), "database(\"a.b\")"),
        (backend().database("x".repeat(64)), "database(\"xxx"),
        (backend().collection(""), "collection(\"\")"),
        (backend().collection("a$b"), "collection(\"a$b\")"),
        (backend().collection(".c"), "collection(\".c\")"),
        (backend().collection("system.c"), "collection(\"system.c\")"),
        // the name of its collection of changes would be one of the server's own
        (backend().collection("system"), "collection(\"system\")"),
        (
            backend().collection("y".repeat(LONGEST)),
            "collection(\"yyy",
        ),
    ];
    for (backend, named) in wrong {
        let said = Cache::builder().backend(backend).build().unwrap_err();
        assert!(said.to_string().contains(named), "{said}");
    }
}

#[test]
fn the_longest_names_are_names() {
    let database = format!("{:x<63}", fresh());
    let collection = "y".repeat(LONGEST - database.len());
    let backend = backend_of(&SHARED.url(), &database, "x").collection(collection);
    backend.check().unwrap();
    backend.set(&key("a"), &forever("1")).unwrap();
    assert_eq!(value(&backend, &key("a")).as_deref(), Some("1"));
    assert!(backend.evict(&key("a")).unwrap());
}

#[test]
fn what_has_no_effect_does_no_harm() {
    let address = SHARED
        .url()
        .replace("/?", "/elsewhere?retryWrites=false&w=1&");
    let database = fresh();
    let backend = backend_of(&address, &database, "x");
    backend.set(&key("a"), &forever("1")).unwrap();
    // the path of the URI does not select the database of the entries
    let found = value(&backend_of(&SHARED.url(), &database, "x"), &key("a"));
    assert_eq!(found.as_deref(), Some("1"));
}

//! Whatever an administrator drops is created again as before.

use std::time::Duration;

use cacheado_backends::backend::{Backend, Change};
use cacheado_tests::servers::wait_until;
use mongodb::Database;
use mongodb::bson::{Document, doc};

use super::server::{self, RUNTIME};
use super::watch::{expect, next, watched};
use super::{backend, forever, fresh, key};

const ENTRIES: &str = "cacheado_cache_collection";
const CHANGES: &str = "cacheado_cache_collection.changes";

/// Whether the server deletes expired entries, and bounds the collection of changes.
fn is_bounded(database: &Database) -> bool {
    RUNTIME.block_on(async {
        let entries = database.collection::<Document>(ENTRIES);
        let indices = entries.list_index_names().await.unwrap_or_default();
        let stats = doc! { "collStats": CHANGES };
        let stats = database.run_command(stats).await;
        indices.len() > 1 && stats.is_ok_and(|stats| stats.get_bool("capped").unwrap_or(false))
    })
}

fn wait_until_bounded(database: &Database) {
    let patience = Duration::from_secs(20);
    assert!(wait_until(patience, || is_bounded(database)));
}

#[test]
fn what_was_dropped_is_made_again_with_its_bounds() {
    let name = fresh();
    let database = server::database(&name);
    let (one, other) = (backend(&name), backend(&name));
    let changes = watched(&one);
    expect(&changes, &Change::Covered);
    wait_until_bounded(&database);
    // another process that recreates it at the same time
    let others = watched(&other);
    expect(&others, &Change::Covered);
    for all in [true, false] {
        RUNTIME.block_on(async {
            if all {
                database.drop().await.unwrap();
            } else {
                let changes = database.collection::<Document>(CHANGES);
                changes.drop().await.unwrap();
            }
        });
        // a write recreates it without the bounds
        one.set(&key("a"), &forever("1")).unwrap();
        wait_until_bounded(&database);
        expect(&changes, &Change::Lost);
        while next(&changes) != Change::Covered {}
    }
    other.set(&key("b"), &forever("1")).unwrap();
    while next(&changes) != Change::Key(key("b")) {}
}

#[test]
fn changes_without_a_cap_are_given_one() {
    let name = fresh();
    let database = server::database(&name);
    RUNTIME.block_on(async {
        let changes = database.collection::<Document>(CHANGES);
        changes.insert_one(doc! { "x": 1 }).await.unwrap();
    });
    let backend = backend(&name);
    let changes = watched(&backend);
    wait_until_bounded(&database);
    while next(&changes) != Change::Covered {}
}

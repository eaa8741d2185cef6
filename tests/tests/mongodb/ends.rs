//! What is left of dropped caches.

use std::time::Duration;

use cacheado_backends::backend::Backend;
use cacheado_tests::servers::wait_until;
use mongodb::bson::doc;

use super::server::{self, RUNTIME, SHARED};
use super::{backend_of, forever, fresh, key};

/// The driver's own connection, which measures round trips, would stay for ten seconds.
#[test]
fn caches_that_have_gone_leave_no_connections() {
    let admin = server::database("admin");
    let url = format!("{}&appName=gone", SHARED.url());
    let connections = || {
        let all = doc! { "$currentOp": { "allUsers": true, "idleConnections": true } };
        let pipeline = [all, doc! { "$match": { "appName": "gone" } }];
        let ask = doc! { "aggregate": 1, "pipeline": pipeline.to_vec(), "cursor": {} };
        let answer = RUNTIME.block_on(admin.run_command(ask).into_future());
        let answer = answer.unwrap();
        let cursor = answer.get_document("cursor").unwrap();
        cursor.get_array("firstBatch").unwrap().len()
    };
    let patience = Duration::from_secs(5);
    for _ in 0..6 {
        let backend = backend_of(&url, &fresh(), "storefront");
        backend.set(&key("a"), &forever("1")).unwrap();
        // one for operations, one to monitor the server, and one to measure round trips
        assert!(wait_until(patience, || connections() >= 3));
    }
    let gone = wait_until(patience, || connections() == 0);
    assert!(gone, "{} stay", connections());
}

//! The conformance suite.

use std::time::Duration;

use cacheado_backends::conformance::Suite;
use cacheado_backends::mongodb::MongoDb;

use super::fresh;
use super::server::SHARED;

#[test]
fn it_is_a_backend() {
    let database = fresh();
    let make = || {
        let backend = MongoDb::new(&SHARED.url()).unwrap().database(&database);
        // the test machine may be busy
        backend.timeout(Duration::from_secs(5))
    };
    Suite::new(make).run();
}

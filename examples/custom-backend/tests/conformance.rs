//! The backend does what a cache expects of every backend.

use cacheado_backends::conformance::{Check, Suite};
use custom_backend::Files;

#[test]
fn conforms() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::new(directory.path()).unwrap();
    let suite = Suite::new(|| files.clone());
    // it has only what every backend must have
    let suite = suite.marks(false).leases(false).watch(false);
    // an id becomes the name of a directory
    suite.longest_id(96).run();
}

#[test]
fn conforms_inside_of_a_runtime() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::new(directory.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let suite = Suite::new(|| files.clone()).executor(|task| runtime.block_on(task));
    let suite = suite.marks(false).leases(false).watch(false).longest_id(96);
    for check in suite.checks().filter(Check::is_async) {
        check.run();
    }
}

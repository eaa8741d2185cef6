//! The conformance suite over a real memcached.

use std::time::Duration;

use cacheado_backends::conformance::Suite;
use cacheado_backends::memcached::Memcached;
use cacheado_tests::servers;

/// How early entries may go for a process that doesn't store them itself. Here one process does it all.
const EARLY: Duration = Duration::from_secs(1);

#[test]
fn memcached_conforms() {
    let server = servers::Memcached::start();
    suite(&[&server]).run();
}

#[test]
fn several_memcacheds_conform() {
    let servers: Vec<_> = (0..3).map(|_| servers::Memcached::start()).collect();
    suite(&servers.iter().collect::<Vec<_>>()).run();
}

#[test]
fn memcached_conforms_within_a_runtime() {
    let server = servers::Memcached::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let suite = suite(&[&server]);
    runtime.block_on(async { suite.run() });
}

fn suite(servers: &[&servers::Memcached]) -> Suite<'static> {
    let addresses: Vec<String> = servers.iter().map(|server| server.url()).collect();
    let make = move || {
        let backend = Memcached::several(&addresses).expect("these are addresses");
        backend.timeout(Duration::from_secs(5))
    };
    Suite::new(make).counts(false).watch(false).early(EARLY)
}

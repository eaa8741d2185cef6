//! The conformance suite against a real memcached.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use cacheado_backends::conformance::{Check, Suite};
use cacheado_backends::memcached::Memcached;
use cacheado_tests::servers;

/// How early entries may expire for a process that did not store them itself. Here one process does everything.
const EARLY: Duration = Duration::from_secs(1);

/// How many checks run in parallel: they mostly wait for the server's whole seconds.
const AT_ONCE: usize = 4;

#[test]
fn memcached_conforms() {
    let server = servers::Memcached::start();
    side_by_side(&suite(&[&server]), |check| check.run());
}

#[test]
fn several_memcacheds_conform() {
    let servers: Vec<_> = (0..3).map(|_| servers::Memcached::start()).collect();
    let suite = suite(&servers.iter().collect::<Vec<_>>());
    side_by_side(&suite, |check| check.run());
}

#[test]
fn memcached_conforms_within_a_runtime() {
    let server = servers::Memcached::start();
    side_by_side(&suite(&[&server]), |check| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async { check.run() });
    });
}

fn side_by_side<'s>(suite: &'s Suite<'_>, run: impl Fn(Check<'s>) + Sync) {
    let checks = Mutex::new(suite.checks());
    let next = || {
        checks
            .lock()
            .expect("no check runs while it is locked")
            .next()
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(check) = next() {
                    run(check);
                }
            });
        }
    });
}

fn suite(servers: &[&servers::Memcached]) -> Suite<'static> {
    let addresses: Vec<String> = servers.iter().map(|server| server.url()).collect();
    let make = move || {
        let backend = Memcached::several(&addresses).expect("these are addresses");
        backend.timeout(Duration::from_secs(5))
    };
    Suite::new(make).counts(false).watch(false).early(EARLY)
}

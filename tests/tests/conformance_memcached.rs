//! The conformance suite over a real memcached.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use cacheado_backends::conformance::Suite;
use cacheado_backends::memcached::Memcached;
use cacheado_tests::servers;

/// How early entries may go for a process that doesn't store them itself. Here one process does it all.
const EARLY: Duration = Duration::from_secs(1);

/// How many checks run side by side: most of their time they wait for the server's seconds.
const AT_ONCE: usize = 4;

#[test]
fn memcached_conforms() {
    let server = servers::Memcached::start();
    side_by_side(&suite(&[&server]));
}

#[test]
fn several_memcacheds_conform() {
    let servers: Vec<_> = (0..3).map(|_| servers::Memcached::start()).collect();
    side_by_side(&suite(&servers.iter().collect::<Vec<_>>()));
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

fn side_by_side(suite: &Suite<'_>) {
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
                    check.run();
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

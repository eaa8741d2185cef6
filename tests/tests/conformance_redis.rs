//! Redis passes the conformance suite: alone, with TLS, in a cluster, and behind sentinels.

use std::time::Duration;

use cacheado_backends::conformance::{Check, Suite};
use cacheado_backends::redis::Redis;
use cacheado_tests::servers;

/// The test machine may be busy; another test checks that operations end in time.
const PATIENT: Duration = Duration::from_secs(10);

#[test]
fn one_server() {
    let redis = servers::Redis::start();
    Suite::new(|| Redis::new(&redis.url()).unwrap().timeout(PATIENT)).run();
}

/// Futures are polled and blocking operations called inside a runtime of the user.
#[test]
fn one_server_inside_of_a_runtime() {
    let redis = servers::Redis::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let suite = Suite::new(|| Redis::new(&redis.url()).unwrap().timeout(PATIENT));
    runtime.block_on(async {
        for check in suite.checks().filter(|check| !check.is_async()) {
            check.run();
        }
    });
    let suite = suite.executor(|task| runtime.block_on(task));
    suite
        .checks()
        .filter(Check::is_async)
        .for_each(|check| check.run());
}

#[test]
fn with_tls() {
    let redis = servers::Redis::start_tls();
    let ca = std::fs::read(redis.ca()).unwrap();
    let connect = || Redis::new(&redis.url())?.root_certificate(&ca);
    Suite::new(|| connect().unwrap().timeout(PATIENT)).run();
}

#[test]
fn a_cluster() {
    let cluster = servers::RedisCluster::start();
    let urls = cluster.urls();
    let connect = || Redis::cluster(urls.iter().map(String::as_str)).unwrap();
    Suite::new(|| connect().timeout(PATIENT)).run();
}

#[test]
fn behind_sentinels() {
    let sentinel = servers::Sentinel::start();
    let urls = sentinel.urls();
    let urls = || urls.iter().map(String::as_str);
    let connect = || Redis::sentinel(urls(), servers::Sentinel::MASTER).unwrap();
    Suite::new(|| connect().timeout(PATIENT)).run();
}

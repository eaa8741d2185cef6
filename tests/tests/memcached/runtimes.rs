//! The backend works in every thread and runtime, and without a runtime.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use cacheado_backends::backend::Payload;
use cacheado_backends::memcached::Memcached;
use cacheado_backends::{Backend, Key};
use cacheado_tests::servers;
use futures::executor::block_on;
use tokio::runtime::Builder;

use crate::shared::{key, payload};

#[test]
fn many_callers_at_once_share_connections() {
    let server = servers::Memcached::start();
    let backend = Memcached::new(server.url())
        .unwrap()
        .timeout(Duration::from_secs(10));
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let backend = Arc::new(backend);
    let tasks: Vec<_> = (0..200)
        .map(|nth| {
            let backend = Arc::clone(&backend);
            runtime.spawn(async move {
                let key = key(&nth.to_string());
                let value = payload(nth.to_string());
                for _ in 0..10 {
                    backend.set_async(&key, &value).await.unwrap();
                    let found = backend.get_async(&key).await.unwrap().hit().unwrap();
                    assert_eq!(found.bytes, value.bytes);
                }
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
}

/// The backend's connections belong to a runtime that never ends, whichever runtime asked for them.
#[test]
fn a_runtime_that_ends_amid_an_operation_takes_nothing_from_others() {
    const COUNT: u32 = 20;
    let server = servers::Memcached::start();
    let backend = Memcached::new(server.url()).unwrap();
    let backend = Arc::new(backend.timeout(Duration::from_secs(5)));
    let keys: Vec<Key> = (0..COUNT).map(|nth| key(&nth.to_string())).collect();
    for (nth, key) in keys.iter().enumerate() {
        backend.set(key, &payload(nth.to_string())).unwrap();
    }
    let all_are_found = |found: Vec<Option<Payload>>| {
        for (nth, found) in found.into_iter().enumerate() {
            assert_eq!(&*found.unwrap().bytes, nth.to_string().as_bytes());
        }
    };
    let find = async || {
        let mut found = Vec::new();
        for key in &keys {
            found.push(backend.get_async(key).await.unwrap().hit());
        }
        found
    };
    for ends_amid in [false, true] {
        let first = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        all_are_found(first.block_on(find()));
        if ends_amid {
            server.pause();
            let begun = Arc::new(Barrier::new(keys.len() + 1));
            for key in keys.clone() {
                let (backend, begun) = (Arc::clone(&backend), Arc::clone(&begun));
                first.spawn(async move {
                    let mut asked = backend.get_async(&key);
                    // the request is in flight
                    let answered = futures::poll!(&mut asked);
                    assert!(answered.is_pending());
                    tokio::task::block_in_place(|| begun.wait());
                    asked.await
                });
            }
            begun.wait();
        }
        drop(first);
        if ends_amid {
            server.resume();
        }
        // a runtime without timers and I/O, and no runtime at all
        let second = Builder::new_current_thread().build();
        all_are_found(second.unwrap().block_on(find()));
        all_are_found(block_on(find()));
        let blocking = keys.iter().map(|key| backend.get(key).unwrap().hit());
        all_are_found(blocking.collect());
    }
}

async fn awaits(backend: &Memcached, bytes: &str) {
    let key = key("k");
    backend.set_async(&key, &payload(bytes)).await.unwrap();
    let found = backend.get_async(&key).await.unwrap().hit().unwrap();
    assert_eq!(&*found.bytes, bytes.as_bytes());
}

fn blocks(backend: &Memcached, bytes: &str) {
    let key = key("k");
    backend.set(&key, &payload(bytes)).unwrap();
    let found = backend.get(&key).unwrap().hit().unwrap();
    assert_eq!(&*found.bytes, bytes.as_bytes());
}

/// Blocking a thread of the runtime does not block the I/O that the call waits for. The same holds for several servers, which are
/// asked concurrently.
#[test]
fn a_runtime_of_the_users() {
    let servers = [servers::Memcached::start(), servers::Memcached::start()];
    for kind in [Builder::new_current_thread, Builder::new_multi_thread] {
        for count in [1, 2] {
            let runtime = kind().enable_all().build().unwrap();
            let urls = servers[..count].iter().map(servers::Memcached::url);
            let backend = Memcached::several(urls).unwrap();
            let backend = backend.runtime(runtime.handle().clone()).unwrap();
            // a setting made after `runtime`
            let backend = backend.timeout(Duration::from_secs(5));
            runtime.block_on(async {
                blocks(&backend, "blocked on");
                awaits(&backend, "awaited").await;
                blocks(&backend, "blocked on again");
                awaits(&backend, "awaited again").await;
            });
            drop(runtime);
            // operations driven by the ended runtime fail at once as an outage; blocking ones are not driven by it
            let began = Instant::now();
            for _ in 0..2 {
                let error = block_on(backend.get_async(&key("k"))).unwrap_err();
                assert!(error.to_string().contains("no connection"), "{error}");
            }
            let other = Builder::new_current_thread().enable_all().build().unwrap();
            assert!(other.block_on(backend.get_async(&key("k"))).is_err());
            assert!(began.elapsed() < Duration::from_secs(1));
            blocks(&backend, "it has ended");
        }
    }
}

#[test]
fn a_runtime_that_can_not_connect_is_refused() {
    for lacks in [Builder::enable_time, Builder::enable_io] {
        let runtime = lacks(&mut Builder::new_current_thread()).build().unwrap();
        let backend = Memcached::new("127.0.0.1:1").unwrap();
        let refused = backend.runtime(runtime.handle().clone());
        let error = refused.unwrap_err().to_string();
        assert!(
            error.contains("Memcached::runtime") && error.contains("enable_all()"),
            "{error}"
        );
    }
}

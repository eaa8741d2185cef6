//! The backend works in every thread and runtime, and without a runtime.

use std::sync::Arc;
use std::thread;

use cacheado_backends::Backend;
use cacheado_backends::redis::Redis;
use cacheado_tests::servers;
use futures::executor::block_on;
use tokio::runtime::{Builder, Runtime};

use crate::shared::{key, patient, text};

fn runtimes() -> [Runtime; 4] {
    [
        Builder::new_current_thread().build().unwrap(),
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap(),
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap(),
    ]
}

fn blocking(backend: &Redis, value: &str) {
    backend.set(&key("x"), &text(value)).unwrap();
    let found = backend.get(&key("x")).unwrap().hit().unwrap();
    assert_eq!(&*found.bytes, value.as_bytes());
}

async fn without(backend: &Redis, value: &str) {
    backend.set_async(&key("x"), &text(value)).await.unwrap();
    let found = backend.get_async(&key("x")).await.unwrap().hit().unwrap();
    assert_eq!(&*found.bytes, value.as_bytes());
}

fn everywhere(backend: &Arc<Redis>) {
    blocking(backend, "no runtime");
    block_on(without(backend, "no runtime"));
    for runtime in runtimes() {
        runtime.block_on(async {
            blocking(backend, "blocked on");
            without(backend, "blocked on").await;
        });
        let spawned = Arc::clone(backend);
        let task = runtime.spawn(async move {
            blocking(&spawned, "spawned");
            without(&spawned, "spawned").await;
        });
        runtime.block_on(task).unwrap();
        // the runtime ends here, but connections made in it must not
    }
}

#[test]
fn one_server() {
    let server = servers::Redis::start();
    everywhere(&Arc::new(patient(&server.url())));
}

#[test]
fn a_cluster() {
    let cluster = servers::RedisCluster::start();
    let urls = cluster.urls();
    let urls = urls.iter().map(String::as_str);
    everywhere(&Arc::new(Redis::cluster(urls).unwrap()));
}

/// Async operations on a runtime of the user. Blocking a thread of the runtime does not block the I/O that the call waits for.
fn on(runtime: &Runtime, backend: Redis) -> Arc<Redis> {
    let backend = Arc::new(backend.runtime(runtime.handle().clone()).unwrap());
    runtime.block_on(async {
        blocking(&backend, "blocked on");
        without(&backend, "blocked on").await;
        // the runtime does nothing else meanwhile
        blocking(&backend, "blocked on again");
        without(&backend, "blocked on again").await;
    });
    backend
}

#[test]
fn a_runtime_of_the_users() {
    let server = servers::Redis::start();
    for kind in [Builder::new_current_thread, Builder::new_multi_thread] {
        let runtime = kind().enable_all().build().unwrap();
        let backend = on(&runtime, patient(&server.url()));
        drop(runtime);
        // operations driven by the ended runtime fail as an outage; blocking ones are not driven by it
        let error = block_on(backend.get_async(&key("x"))).unwrap_err();
        assert!(error.to_string().contains("runtime"), "{error}");
        let other = Builder::new_current_thread().enable_all().build().unwrap();
        assert!(other.block_on(backend.get_async(&key("x"))).is_err());
        blocking(&backend, "it has ended");
    }
}

#[test]
fn a_cluster_on_a_runtime_of_the_users() {
    let cluster = servers::RedisCluster::start();
    let urls = cluster.urls();
    for kind in [Builder::new_current_thread, Builder::new_multi_thread] {
        let runtime = kind().enable_all().build().unwrap();
        let backend = Redis::cluster(urls.iter().map(String::as_str)).unwrap();
        let backend = on(&runtime, backend);
        drop(runtime);
        assert!(block_on(backend.get_async(&key("x"))).is_err());
        blocking(&backend, "it has ended");
    }
}

#[test]
fn a_runtime_that_can_not_connect_is_refused() {
    for lacks in [Builder::enable_time, Builder::enable_io] {
        let runtime = lacks(&mut Builder::new_current_thread()).build().unwrap();
        let backend = Redis::new("redis://127.0.0.1:1").unwrap();
        let refused = backend.runtime(runtime.handle().clone());
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("enable_all()"), "{error}");
    }
}

#[test]
fn many_at_once() {
    let server = servers::Redis::start();
    let backend = Arc::new(patient(&server.url()));
    let threads = (0..16).map(|thread| {
        let backend = Arc::clone(&backend);
        thread::spawn(move || {
            for nth in 0..100 {
                let key = key(&format!("{thread}/{nth}"));
                let value = format!("{thread}:{nth}");
                if nth % 2 == 0 {
                    backend.set(&key, &text(&value)).unwrap();
                } else {
                    block_on(backend.set_async(&key, &text(&value))).unwrap();
                }
                for found in [backend.get(&key), block_on(backend.get_async(&key))] {
                    assert_eq!(&*found.unwrap().hit().unwrap().bytes, value.as_bytes());
                }
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
}

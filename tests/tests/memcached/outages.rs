//! A server that can't be reached, or does not answer as it should.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use cacheado_backends::backend::{Mark, Refused};
use cacheado_backends::memcached::Memcached;
use cacheado_backends::{Backend, Scope};
use cacheado_tests::servers::{self, Silent, wait_until};

use crate::shared::{BOUND, backend, key, miss, payload, value};

/// Panics if any operation succeeds, or takes too long to fail.
fn expect_outage(backend: &Memcached) {
    let key = key("k");
    let everywhere = Scope::global();
    let payload = payload("v");
    let mark = Mark::none();
    let lease = Duration::from_secs(1);
    let operations: [(&str, &dyn Fn() -> bool); 9] = [
        ("get", &|| {
            backend.get(&key).is_err_and(|error| !error.is::<Refused>())
        }),
        ("set", &|| backend.set(&key, &payload).is_err()),
        ("put", &|| backend.put(&key, &payload, &mark).is_err()),
        ("evict", &|| backend.evict(&key).is_err()),
        ("evict_by_scope", &|| {
            backend.evict_by_scope(&everywhere).is_err()
        }),
        ("lease", &|| backend.lease(&key, lease).is_err()),
        ("get_async", &|| {
            futures::executor::block_on(backend.get_async(&key)).is_err()
        }),
        ("set_async", &|| {
            futures::executor::block_on(backend.set_async(&key, &payload)).is_err()
        }),
        ("clear_async", &|| {
            futures::executor::block_on(backend.clear_async()).is_err()
        }),
    ];
    for (name, fails) in operations {
        let began = Instant::now();
        assert!(fails(), "{name} should fail");
        let took = began.elapsed();
        assert!(took < BOUND, "{name} took {took:?}");
    }
}

#[test]
fn a_server_that_refuses_connections_is_an_outage() {
    let server = servers::Memcached::start();
    server.kill();
    expect_outage(&backend(&server.addr()));
}

#[test]
fn a_server_that_never_answers_is_an_outage() {
    let silent = Silent::start();
    expect_outage(&backend(&silent.addr()));
}

#[test]
fn a_paused_server_is_an_outage_until_it_goes_on() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    backend.set(&key, &payload("v")).unwrap();
    assert_eq!(value(&backend, &key).as_deref(), Some(&b"v"[..]));
    server.pause();
    expect_outage(&backend);
    server.resume();
    // operations sent earlier may arrive only now, among them a clear
    let set = || {
        let found = backend
            .set(&key, &payload("w"))
            .and_then(|()| backend.get(&key));
        found.is_ok_and(|found| found.hit().is_some_and(|it| &*it.bytes == b"w"))
    };
    assert!(wait_until(Duration::from_secs(5), set));
}

#[test]
fn a_server_that_starts_anew_is_used_again_and_old_marks_are_over() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let (loading, set) = (key("loading"), key("set"));
    let mark = miss(backend.get(&loading));
    backend.set(&set, &payload("v")).unwrap();
    server.kill();
    expect_outage(&backend);
    server.restart();
    assert!(wait_until(Duration::from_secs(5), || backend
        .get(&set)
        .is_ok()));
    assert_eq!(value(&backend, &set), None);
    // the restarted server numbers items from 1 again, so another item soon has the number in the mark
    for _ in 0..20 {
        miss(backend.get(&loading));
        assert!(!backend.fill(&loading, &payload("old"), &mark).unwrap());
        backend.evict(&loading).unwrap();
    }
    assert_eq!(value(&backend, &loading), None);
    let mark = miss(backend.get(&loading));
    assert!(backend.fill(&loading, &payload("new"), &mark).unwrap());
    assert_eq!(value(&backend, &loading).as_deref(), Some(&b"new"[..]));
}

/// A server that sends `answer` in response to anything.
fn liar(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut asked = [0; 4096];
                while stream.read(&mut asked).is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(answer);
                }
            });
        }
    });
    address
}

#[test]
fn a_server_that_answers_something_else_is_an_outage() {
    let answers: [&[u8]; 9] = [
        b"ERROR\r\n",
        b"CLIENT_ERROR bad command line format\r\nERROR\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\r\n",
        b"\0\xff\xfe\r\n",
        b"VA 18446744073709551615 O0\r\n",
        b"HD O0\r\nHD O1\r\nHD O2\r\nHD O3\r\n",
        b"VA 8 O1\r\n12345678\r\n",
        b"SERVER_ERROR busy\r\n",
    ];
    for answer in answers {
        let backend = backend(&liar(answer));
        let error = backend.get(&key("k")).unwrap_err();
        assert!(!error.is::<Refused>(), "{}: {error}", answer.escape_ascii());
        futures::executor::block_on(backend.get_async(&key("k"))).unwrap_err();
        backend.set(&key("k"), &payload("v")).unwrap_err();
    }
}

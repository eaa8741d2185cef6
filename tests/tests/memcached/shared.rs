//! What the tests share.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::backend::{BackendResult, Lookup, Mark, Payload};
use cacheado_backends::memcached::Memcached;
use cacheado_backends::{Backend, Key, Level, Probe, Scope, Space, address};
use cacheado_tests::servers;

/// The time limit of an operation in these tests, and the longest measured duration accepted on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_millis(200);

pub(crate) const BOUND: Duration = Duration::from_millis(450);

pub(crate) fn backend(address: &impl ToString) -> Memcached {
    let mut backend = Memcached::new(address.to_string()).unwrap().timeout(LIMIT);
    backend.bind("tests");
    backend
}

pub(crate) fn key(args: &str) -> Key {
    let scope = Scope::global();
    let probe = Probe::in_scope(Space::programmatic(Level::global()), &scope, &args);
    probe.unwrap().to_key().unwrap()
}

pub(crate) fn lasting(bytes: impl AsRef<[u8]>, lifetime: Duration) -> Payload {
    Payload {
        lifetime: Some(lifetime),
        ..payload(bytes)
    }
}

pub(crate) fn payload(bytes: impl AsRef<[u8]>) -> Payload {
    Payload {
        bytes: Arc::from(bytes.as_ref()),
        lifetime: None,
    }
}

pub(crate) fn miss(found: BackendResult<Lookup>) -> Mark {
    match found.unwrap() {
        Lookup::Miss(mark) => mark,
        Lookup::Hit(payload) => panic!("nothing should be there, and {payload:?} is"),
    }
}

/// The value stored under `key`, read both blocking and async.
pub(crate) fn value(backend: &Memcached, key: &Key) -> Option<Vec<u8>> {
    let found = backend.get(key).unwrap().hit();
    let awaited = futures::executor::block_on(backend.get_async(key))
        .unwrap()
        .hit();
    let bytes = |found: Option<Payload>| found.map(|found| found.bytes.to_vec());
    let found = bytes(found);
    assert_eq!(found, bytes(awaited));
    found
}

/// Sends a command as any client could, and returns the first line of the response.
pub(crate) fn raw(server: SocketAddr, command: &str) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(command.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// The name of `key`'s item in the store.
pub(crate) fn name(key: &Key) -> String {
    format!("tests/e/{}", address::entry(key))
}

/// For how many more seconds the server keeps the item of `key`.
pub(crate) fn kept(server: &servers::Memcached, key: &Key) -> u64 {
    let answer = raw(server.addr(), &format!("mg {} t\r\n", name(key)));
    let left = answer.strip_prefix("HD t").unwrap().split(' ').next();
    left.unwrap().parse().unwrap()
}

/// Has the server keep the item of `key` for this many seconds.
pub(crate) fn keep(server: &servers::Memcached, key: &Key, seconds: u64) {
    let answer = raw(server.addr(), &format!("mg {} T{seconds}\r\n", name(key)));
    assert!(answer.starts_with("HD"), "{answer}");
}

//! What the server holds, and what other clients have written there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use cacheado::Cache;
use cacheado_backends::memcached::Memcached;
use cacheado_backends::{Backend, Hierarchy, Probe, Scope, Space, address};
use cacheado_tests::servers;

use crate::shared::{LIMIT, backend, key, lasting, name, payload, raw, value};

#[test]
fn foreign_keys_stay_and_foreign_values_are_nothing_that_decodes() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    assert_eq!(raw(server.addr(), "set tests 0 0 3\r\nabc\r\n"), "STORED");
    backend.set(&key, &payload("v")).unwrap();
    for (flags, bytes) in [
        (0, "abc"),
        (3244, "abc"),
        (3244, ""),
        (3244, &*"\u{1}".repeat(80)),
    ] {
        let set = format!(
            "set {} {flags} 0 {}\r\n{bytes}\r\n",
            name(&key),
            bytes.len()
        );
        assert_eq!(raw(server.addr(), &set), "STORED");
        assert_eq!(value(&backend, &key).as_deref(), Some(&b""[..]));
        let mark = backend.mark(&key).unwrap();
        assert!(backend.fill(&key, &payload("w"), &mark).unwrap());
        assert_eq!(value(&backend, &key).as_deref(), Some(&b"w"[..]));
    }
    backend.clear().unwrap();
    backend.evict_by_scope(&Scope::global()).unwrap();
    assert_eq!(raw(server.addr(), "get tests\r\n"), "VALUE tests 0 3");
}

/// A shared-only cache, and two tenants.
fn tenants(server: &servers::Memcached) -> (Cache, [Scope; 2]) {
    let hierarchy = Hierarchy::builder().level("organization", "org_id");
    let builder = Cache::builder().name("shop").in_process(false);
    let builder = builder.scopes(hierarchy.build().unwrap());
    let backend = Memcached::new(server.url()).unwrap().timeout(LIMIT);
    let cache = builder.backend(backend).build().unwrap();
    let scopes = ["acme", "globex"].map(|id| {
        let scope = cache.scope("organization", [("org_id", id)]);
        scope.unwrap()
    });
    (cache, scopes)
}

fn load(cache: &Cache, scope: &Scope, value: u32) -> u32 {
    let load = cache.get_or_load("k", || value);
    load.scope(scope.clone()).run().unwrap()
}

#[test]
fn a_mark_that_another_client_has_written_over_is_made_anew() {
    let server = servers::Memcached::start();
    let (cache, [acme, globex]) = tenants(&server);
    assert_eq!(load(&cache, &globex, 1), 1);
    let mut value = 10;
    for bytes in ["", "7 bytes", "more than a mark has"] {
        assert_eq!(load(&cache, &acme, value), value);
        let len = bytes.len();
        let set = format!("set shop/g/organization=acme/ 0 0 {len}\r\n{bytes}\r\n");
        assert_eq!(raw(server.addr(), &set), "STORED");
        value += 1;
        assert_eq!(load(&cache, &acme, value), value, "evicted with its mark");
        assert_eq!(load(&cache, &acme, 0), value);
        assert_eq!(load(&cache, &globex, 0), 1, "no affair of its");
        cache.evict_by_scope(acme.clone()).run().unwrap();
    }
    let stats = cache.stats();
    assert_eq!((stats.backend_errors, stats.backend_skips), (0, 0));
}

/// The value and the flags that the server has under `name`.
fn item(server: SocketAddr, name: &str) -> (String, Vec<u8>) {
    let mut stream = BufReader::new(TcpStream::connect(server).unwrap());
    let get = format!("get {name}\r\n");
    stream.get_mut().write_all(get.as_bytes()).unwrap();
    let mut head = String::new();
    stream.read_line(&mut head).unwrap();
    let mut words = head.split_whitespace().skip(2).map(str::to_owned);
    let (flags, len) = (words.next().unwrap(), words.next().unwrap());
    let mut bytes = vec![0; len.parse().unwrap()];
    stream.read_exact(&mut bytes).unwrap();
    (flags, bytes)
}

/// The copied value carries other marks, like a value whose scope was evicted.
#[test]
fn what_was_copied_from_another_tenant_is_a_miss_that_is_counted() {
    let server = servers::Memcached::start();
    let (cache, [acme, globex]) = tenants(&server);
    let probe = |scope: &Scope| {
        let probe = Probe::in_scope(Space::programmatic(scope.level()), scope, &"k");
        let key = probe.unwrap().to_key().unwrap();
        format!("shop/e/{}", address::entry(&key))
    };
    load(&cache, &acme, 1);
    load(&cache, &globex, 2);
    let (flags, bytes) = item(server.addr(), &probe(&acme));
    let set = format!("set {} {flags} 0 {}\r\n", probe(&globex), bytes.len());
    let set = [set.as_bytes(), &bytes, b"\r\n"].concat();
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.write_all(&set).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert_eq!(line, "STORED\r\n");
    let before = cache.stats().backend_errors;
    assert_eq!(load(&cache, &globex, 3), 3);
    assert_eq!(cache.stats().backend_errors - before, 1);
    assert_eq!(load(&cache, &globex, 0), 3, "it was stored over");
    // an evicted entry is an ordinary miss
    cache.evict_by_scope(globex.clone()).run().unwrap();
    assert_eq!(load(&cache, &globex, 4), 4);
    assert_eq!(cache.stats().backend_errors - before, 1);
}

#[test]
fn of_what_stands_before_a_value_nothing_can_be_changed_or_cut() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    let stored = lasting("value", Duration::from_mins(1));
    backend.set(&key, &stored).unwrap();
    let (flags, whole) = item(server.addr(), &name(&key));
    let header = whole.len() - "value".len();
    let changed = (0..header).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        bytes
    });
    let cut = (1..=header).map(|len| whole[..len].to_vec());
    for bytes in changed.chain(cut) {
        let mut set = format!("set {} {flags} 0 {}\r\n", name(&key), bytes.len()).into_bytes();
        set.extend(&bytes);
        set.extend(b"\r\n");
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.write_all(&set).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert_eq!(answer.trim_end(), "STORED");
        let found = value(&backend, &key);
        assert_eq!(found.as_deref(), Some(&b""[..]), "of {bytes:?}");
    }
}

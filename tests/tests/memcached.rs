//! The Memcached backend when things go wrong, and what it does beyond the conformance suite, over real servers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use cacheado::Cache;
use cacheado::testing::ManualClock;
use cacheado_backends::backend::{BackendResult, Lease, Lookup, Mark, Payload, Refused};
use cacheado_backends::memcached::Memcached;
use cacheado_backends::{Backend, Hierarchy, Key, Level, Probe, Scope, Space, address};
use cacheado_tests::servers::{self, Proxy, Silent, wait_until};

/// How long an operation may take in these tests, and the most that one is measured to take on a busy machine.
const LIMIT: Duration = Duration::from_millis(200);
const BOUND: Duration = Duration::from_millis(450);

fn backend(address: &impl ToString) -> Memcached {
    let mut backend = Memcached::new(address.to_string()).unwrap().timeout(LIMIT);
    backend.bind("tests");
    backend
}

fn key(args: &str) -> Key {
    let scope = Scope::global();
    let probe = Probe::in_scope(Space::programmatic(Level::global()), &scope, &args);
    probe.unwrap().to_key().unwrap()
}

fn lasting(bytes: impl AsRef<[u8]>, lifetime: Duration) -> Payload {
    Payload {
        lifetime: Some(lifetime),
        ..payload(bytes)
    }
}

fn payload(bytes: impl AsRef<[u8]>) -> Payload {
    Payload {
        bytes: Arc::from(bytes.as_ref()),
        lifetime: None,
    }
}

fn miss(found: BackendResult<Lookup>) -> Mark {
    match found.unwrap() {
        Lookup::Miss(mark) => mark,
        Lookup::Hit(payload) => panic!("nothing should be there, and {payload:?} is"),
    }
}

/// What is stored under `key`, both ways.
fn value(backend: &Memcached, key: &Key) -> Option<Vec<u8>> {
    let found = backend.get(key).unwrap().hit();
    let awaited = futures::executor::block_on(backend.get_async(key))
        .unwrap()
        .hit();
    let bytes = |found: Option<Payload>| found.map(|found| found.bytes.to_vec());
    let found = bytes(found);
    assert_eq!(found, bytes(awaited));
    found
}

/// Fails if any operation answers, or takes too long to fail.
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

/// Sends a command as anybody could, and returns the first line of the answer.
fn raw(server: SocketAddr, command: &str) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(command.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// What the store calls the entry of `key`.
fn name(key: &Key) -> String {
    format!("tests/e/{}", address::entry(key))
}

/// For how many seconds the server keeps what is under `key`.
fn kept(server: &servers::Memcached, key: &Key) -> u64 {
    let answer = raw(server.addr(), &format!("mg {} t\r\n", name(key)));
    let left = answer.strip_prefix("HD t").unwrap().split(' ').next();
    left.unwrap().parse().unwrap()
}

/// Has the server keep it for so many seconds.
fn keep(server: &servers::Memcached, key: &Key, seconds: u64) {
    let answer = raw(server.addr(), &format!("mg {} T{seconds}\r\n", name(key)));
    assert!(answer.starts_with("HD"), "{answer}");
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
    // what was sent before may arrive only now, a clear among it
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
    // it numbers items from 1 again, so the number in the mark is soon another item's
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

#[test]
fn a_value_that_is_too_large_is_refused_and_takes_the_old_one_along() {
    let server = servers::Memcached::start();
    let usual = backend(&server.url());
    let key = key("k");
    let most = 1024 * 1024 - 1024;
    usual.set(&key, &payload(vec![7; most])).unwrap();
    assert_eq!(value(&usual, &key).map(|found| found.len()), Some(most));
    let error = usual.set(&key, &payload(vec![7; most + 1])).unwrap_err();
    assert!(error.is::<Refused>(), "{error}");
    assert_eq!(value(&usual, &key), None);

    let mark = miss(usual.get(&key));
    let large = payload(vec![7; most + 1]);
    assert!(usual.fill(&key, &large, &mark).unwrap_err().is::<Refused>());
    assert!(usual.put(&key, &large, &mark).unwrap_err().is::<Refused>());

    // one that believes the server to take more hears it from there
    let bold = backend(&server.url()).max_value_bytes(8 << 20);
    let error = bold.set(&key, &payload(vec![7; 3 << 20])).unwrap_err();
    assert!(error.is::<Refused>(), "{error}");
    assert_eq!(value(&usual, &key), None);
    usual.set(&key, &payload("small")).unwrap();
    assert_eq!(value(&usual, &key).as_deref(), Some(&b"small"[..]));
}

#[test]
fn a_full_memory_is_a_refusal() {
    // it is to say so rather than make room
    let server = servers::Memcached::start_with(&["-M", "-m", "8"]);
    let backend = backend(&server.url()).timeout(Duration::from_secs(5));
    let full = (0..40).find_map(|nth| {
        let stored = backend.set(&key(&nth.to_string()), &payload(vec![7; 500_000]));
        stored.err()
    });
    let error = full.expect("20 MB don't fit into 8");
    assert!(error.is::<Refused>(), "{error}");
}

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

/// A cache of two tenants without values in the process.
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

/// What the server has under `name`, and its flags.
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

/// It is under other marks, as what was evicted with its scope is.
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
    // what was evicted is a miss like any other
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

#[test]
fn the_server_itself_lets_go_also_past_thirty_days() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    let day = 24 * 3_600;
    // for as long as a load that began before may take it stays
    let limit = 60;
    for seconds in [60, 30 * day - 62, 30 * day, 31 * day, 365 * day] {
        let lifetime = Duration::from_secs(seconds);
        backend.set(&key, &lasting("v", lifetime)).unwrap();
        let (seconds, left) = (seconds + limit, kept(&server, &key));
        assert!((seconds..seconds + 6).contains(&left), "{seconds}: {left}");
    }
    // memcached knows no date past 2038: nothing then, and the value says itself when it is over
    let lifetime = Duration::from_secs(50 * 365 * day);
    backend.set(&key, &lasting("v", lifetime)).unwrap();
    assert_eq!(
        raw(server.addr(), &format!("mg {} t\r\n", name(&key))),
        "HD t-1"
    );
}

/// Answers each connection with `answer`, whatever is asked.
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

#[test]
fn of_several_servers_one_may_be_down() {
    let servers: Vec<_> = (0..3).map(|_| servers::Memcached::start()).collect();
    let mut backend = Memcached::several(servers.iter().map(servers::Memcached::url)).unwrap();
    backend.bind("tests");
    let keys: Vec<Key> = (0..30).map(|nth| key(&nth.to_string())).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.clone(), payload("v"))).collect();
    backend.set_many(&entries).unwrap();
    servers[0].kill();
    let answered = keys
        .iter()
        .filter(|key| backend.get(key).is_ok_and(|found| found.hit().is_some()));
    // none if it had the mark of everything
    assert!(answered.count() < keys.len());
    servers[0].restart();
    assert!(wait_until(Duration::from_secs(5), || backend
        .get_many(&keys)
        .is_ok()));
}

/// What the second process of the next test does: reads until there is a miss, and tells.
#[test]
#[ignore = "it is the second process of the next test"]
fn child_reads_until_a_miss() {
    let address = std::env::var("CACHEADO_TEST_SERVER").expect("the next test says which");
    let backend = backend(&address);
    let key = key("k");
    let mut hits = 0;
    while let Some(found) = backend.get(&key).unwrap().hit() {
        assert!(found.lifetime.unwrap() <= Duration::from_secs(5));
        hits += 1;
        thread::sleep(Duration::from_millis(5));
    }
    println!("hits {hits}");
}

#[test]
fn another_process_is_never_served_past_a_lifetime() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    // some time of which the server's clock is known
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_millis(1_100) {
        miss(backend.get(&key));
        thread::sleep(Duration::from_millis(5));
    }
    let lifetime = Duration::from_secs(5);
    backend
        .set(
            &key,
            &Payload {
                lifetime: Some(lifetime),
                ..payload("v")
            },
        )
        .unwrap();
    let stored = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--ignored",
        "--exact",
        "child_reads_until_a_miss",
        "--nocapture",
    ]);
    child
        .env("CACHEADO_TEST_SERVER", server.url())
        .stdout(Stdio::piped());
    let output = child.spawn().unwrap().wait_with_output().unwrap();
    let took = stored.elapsed();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("hits ") && !said.contains("hits 0"), "{said}");
    // with what it takes to start and to end a process
    assert!(took < lifetime + Duration::from_millis(100), "{took:?}");
    assert!(took > Duration::from_millis(2_000), "{took:?}");
}

#[test]
fn many_callers_at_once_share_connections() {
    let server = servers::Memcached::start();
    let backend = Memcached::new(server.url())
        .unwrap()
        .timeout(Duration::from_secs(10));
    let runtime = tokio::runtime::Builder::new_multi_thread()
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

#[test]
fn limits_of_any_length_are_kept() {
    let server = servers::Memcached::start();
    for limit in [Duration::from_secs(1 << 40), Duration::MAX] {
        for endless in [
            backend(&server.url()).timeout(limit),
            backend(&server.url()).load_limit(limit),
        ] {
            let key = key("k");
            endless.evict(&key).unwrap();
            let mark = miss(endless.get(&key));
            assert!(endless.fill(&key, &payload("v"), &mark).unwrap());
            assert_eq!(value(&endless, &key).as_deref(), Some(&b"v"[..]));
            let lease = endless.lease(&self::key("claimed"), limit).unwrap();
            assert!(
                matches!(lease, Lease::Granted(mark) if endless.release(&self::key("claimed"), &mark).is_ok())
            );
        }
    }
}

#[test]
fn any_number_of_keys_is_looked_up_stored_and_filled_at_once() {
    const COUNT: usize = 40_000;
    let server = servers::Memcached::start_with(&["-m", "256"]);
    let store = backend(&server.url()).timeout(Duration::from_secs(30));
    // long names and long values: what is asked and what is answered fits into no buffer
    let keys: Vec<Key> = (0..COUNT).map(|nth| key(&format!("{nth:0200}"))).collect();
    let value = payload(vec![7; 2_000]);
    let entries: Vec<_> = keys
        .iter()
        .map(|key| (key.clone(), value.clone()))
        .collect();
    store.set_many(&entries).unwrap();
    for found in [
        store.get_many(&keys),
        futures::executor::block_on(store.get_many_async(&keys)),
    ] {
        let found = found.unwrap();
        assert_eq!(found.len(), COUNT);
        let hits = found.into_iter().filter_map(Lookup::hit);
        assert_eq!(hits.filter(|it| it.bytes == value.bytes).count(), COUNT);
    }
    let keys = &keys[..1_000];
    store.clear().unwrap();
    let marks = store
        .get_many(keys)
        .unwrap()
        .into_iter()
        .map(|it| miss(Ok(it)));
    let fills = keys.iter().cloned().zip(marks);
    let fills: Vec<_> = fills.map(|(key, mark)| (key, payload("w"), mark)).collect();
    assert!(
        store
            .fill_many(&fills)
            .unwrap()
            .iter()
            .all(|filled| *filled)
    );
}

#[test]
fn one_that_is_refused_keeps_none_of_many_from_being_stored() {
    let server = servers::Memcached::start();
    let store = backend(&server.url())
        .timeout(Duration::from_secs(30))
        .max_value_bytes(10);
    let keys: Vec<Key> = (0..1_000).map(|nth| key(&nth.to_string())).collect();
    let value = |nth| payload(if nth == 3 { "too large a value" } else { "v" });
    let entries = keys.iter().cloned().enumerate();
    let entries: Vec<_> = entries.map(|(nth, key)| (key, value(nth))).collect();
    assert!(store.set_many(&entries).unwrap_err().is::<Refused>());
    let hits = |store: &Memcached| {
        let found = store.get_many(&keys).unwrap();
        found.into_iter().filter_map(Lookup::hit).count()
    };
    assert_eq!(hits(&store), keys.len() - 1);
    store.clear().unwrap();
    let marks = store
        .get_many(&keys)
        .unwrap()
        .into_iter()
        .map(|it| miss(Ok(it)));
    let fills = entries.into_iter().zip(marks);
    let fills: Vec<_> = fills
        .map(|((key, value), mark)| (key, value, mark))
        .collect();
    assert!(store.fill_many(&fills).unwrap_err().is::<Refused>());
    assert_eq!(hits(&store), keys.len() - 1);
}

#[test]
fn what_stands_for_loads_under_way_is_kept_for_those_that_begin_now() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let limit = 60;
    for over in [false, true] {
        let key = key(&format!("{over}"));
        if over {
            backend.set(&key, &lasting("v", Duration::ZERO)).unwrap();
        }
        let before = miss(backend.get(&key));
        // as after some time
        keep(&server, &key, 20);
        let now = miss(backend.get(&key));
        assert_eq!(before.bytes(), now.bytes());
        assert!(kept(&server, &key) > limit);
        keep(&server, &key, 20);
        assert_eq!(backend.mark(&key).unwrap().bytes(), now.bytes());
        assert!(kept(&server, &key) > limit);
        assert!(backend.fill(&key, &payload("w"), &before).unwrap());
        assert_eq!(value(&backend, &key).as_deref(), Some(&b"w"[..]));
    }
}

#[test]
fn a_value_that_the_server_was_to_let_go_early_is_kept_for_its_lifetime() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    let hour = Duration::from_secs(3_600);
    backend.set(&key, &lasting("v", hour)).unwrap();
    let whole = kept(&server, &key);
    keep(&server, &key, 20);
    let mark = backend.mark(&key).unwrap();
    assert!((whole - 10..=whole).contains(&kept(&server, &key)));
    assert!(backend.put(&key, &payload("w"), &mark).unwrap());
}

#[test]
fn what_a_load_past_the_limit_brings_is_not_stored() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url()).load_limit(Duration::from_millis(20));
    let key = key("k");
    let mark = miss(backend.get(&key));
    assert!(wait_until(LIMIT, || mark.age() > Duration::from_millis(20)));
    assert!(!backend.fill(&key, &payload("old"), &mark).unwrap());
    assert_eq!(value(&backend, &key), None);
}

#[test]
fn one_of_several_servers_that_starts_anew_knows_no_mark_of_before() {
    let servers = [servers::Memcached::start(), servers::Memcached::start()];
    let mut store = Memcached::several(servers.iter().map(servers::Memcached::url)).unwrap();
    store.bind("tests");
    let store = store.timeout(Duration::from_secs(5));
    miss(store.get(&key("first")));
    let has = |server: &servers::Memcached, name: &str| {
        !raw(server.addr(), &format!("mg {name} s\r\n")).starts_with("EN")
    };
    // one that has not the mark of everything
    let server = servers.iter().find(|server| !has(server, "tests/g/"));
    let server = server.unwrap();
    let is_there = |key: &Key| {
        miss(store.get(key));
        has(server, &name(key))
    };
    let mut keys = (0..).map(|nth| key(&nth.to_string()));
    let key = keys.find(is_there).unwrap();
    // twice with the same numbers
    let patience = Duration::from_secs(5);
    server.restart();
    assert!(wait_until(patience, || store.get(&key).is_ok()));
    let load = miss(store.get(&key));
    server.restart();
    assert!(wait_until(patience, || store.evict(&key).is_ok()));
    let newer = miss(store.get(&key));
    assert_eq!(load.bytes()[..8], newer.bytes()[..8]);
    assert!(!store.fill(&key, &payload("old"), &load).unwrap());
    assert_eq!(value(&store, &key), None);
}

/// Neither what was evicted while a server could not be reached, nor what was before the server with a scope's mark started anew.
#[test]
fn what_was_evicted_does_not_come_back_with_a_server() {
    const PATIENCE: Duration = Duration::from_secs(10);
    let servers: Vec<_> = (0..3).map(|_| servers::Memcached::start()).collect();
    let networks: Vec<_> = servers.iter().map(|it| Proxy::start(it.addr())).collect();
    let addresses = networks.iter().map(|it| it.addr().to_string());
    let mut store = Memcached::several(addresses).unwrap();
    store.bind("tests");
    let hierarchy = Hierarchy::builder().level("organization", "org_id");
    let hierarchy = hierarchy.build().unwrap();
    let acme = hierarchy.scope("organization", [("org_id", "acme")]);
    let acme = acme.unwrap();
    let key = |nth: u32| {
        let probe = Probe::in_scope(Space::programmatic(acme.level()), &acme, &nth);
        probe.unwrap().to_key().unwrap()
    };
    let keys: Vec<Key> = (0..60).map(key).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.clone(), payload("v"))).collect();
    let hits = || {
        let mut hits = None;
        wait_until(PATIENCE, || {
            let found = store.get_many(&keys).ok();
            hits = found.map(|found| found.into_iter().filter_map(Lookup::hit).count());
            hits.is_some()
        });
        hits.expect("all servers are there")
    };
    let mut unsent = 0;
    for (nth, network) in networks.iter().enumerate() {
        assert!(wait_until(PATIENCE, || store.set_many(&entries).is_ok()));
        assert_eq!(hits(), keys.len());
        network.cut();
        let sent = store.evict_by_scope(&acme).is_ok();
        network.restore();
        if !sent {
            // the one with the mark
            unsent += 1;
            assert!(wait_until(PATIENCE, || store.evict_by_scope(&acme).is_ok()));
        }
        assert_eq!(hits(), 0, "without server {nth}");
    }
    assert_eq!(unsent, 1);
    for (nth, server) in servers.iter().enumerate() {
        assert!(wait_until(PATIENCE, || store.set_many(&entries).is_ok()));
        store.evict_by_scope(&acme).unwrap();
        server.restart();
        assert_eq!(hits(), 0, "after server {nth}");
    }
}

/// Each set of servers that something is at has a circuit breaker of its own.
#[test]
fn of_several_servers_one_that_is_out_costs_what_it_has_alone() {
    const FAILURES: u32 = 3;
    let servers: Vec<_> = (0..3).map(|_| servers::Memcached::start()).collect();
    let backend = Memcached::several(servers.iter().map(servers::Memcached::url)).unwrap();
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .name("tests")
        .in_process(false)
        .backend(backend.timeout(LIMIT))
        // it asks no more until the clock is moved
        .circuit_breaker(FAILURES, Duration::from_secs(1))
        .clock(clock.clone())
        .build()
        .unwrap();
    let store = || (0..60).all(|nth: u32| cache.set(nth, &nth).run().is_ok());
    assert!(wait_until(Duration::from_secs(5), store));
    // all need the mark of everything
    let is_needed =
        |it: &servers::Memcached| !raw(it.addr(), "mg tests/g/ s\r\n").starts_with("EN");
    let out = servers.iter().find(|it| !is_needed(it)).unwrap();
    out.pause();
    cache.reset_stats();
    let get = |nth: u32| cache.get::<u32>(nth).run().unwrap().is_some();
    let found: Vec<bool> = (0..60).map(get).collect();
    let lost = found.iter().filter(|found| !**found).count();
    assert!((5..45).contains(&lost), "{lost}");
    for (nth, found) in (0..60).zip(found) {
        assert_eq!(get(nth), found, "{nth}");
    }
    assert_eq!(cache.stats().backend_errors, u64::from(FAILURES));
    out.resume();
    let back = || {
        clock.advance(Duration::from_secs(1));
        store()
    };
    assert!(wait_until(Duration::from_secs(10), back));
}

/// Its connections are a runtime's that never ends, whoever has asked for them.
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
        let first = tokio::runtime::Builder::new_multi_thread()
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
                    // what is asked for is under way
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
        // without timers and sockets of its own, and none at all
        let second = tokio::runtime::Builder::new_current_thread().build();
        all_are_found(second.unwrap().block_on(find()));
        all_are_found(futures::executor::block_on(find()));
        let blocking = keys.iter().map(|key| backend.get(key).unwrap().hit());
        all_are_found(blocking.collect());
    }
}

/// It may only stand in for the one that is to be loaded, or be none that the caller can read.
#[test]
fn a_value_that_is_there_can_be_claimed_and_stays_until_its_owner_brings_another() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    let hour = Duration::from_secs(3_600);
    backend.set(&key, &lasting("old", hour)).unwrap();
    let whole = kept(&server, &key);
    let claim = || match backend.lease(&key, Duration::from_secs(60)).unwrap() {
        Lease::Granted(mark) => Some(mark),
        Lease::Taken | Lease::Unsupported => None,
    };
    let first = claim().expect("nobody else has it");
    assert!(claim().is_none());
    backend.release(&key, &first).unwrap();
    let second = claim().expect("it was given back");
    assert_eq!(value(&backend, &key).as_deref(), Some(&b"old"[..]));
    assert!((whole - 10..=whole).contains(&kept(&server, &key)));
    // whose claim is over
    assert!(!backend.fill(&key, &payload("late"), &first).unwrap());
    assert_eq!(value(&backend, &key).as_deref(), Some(&b"old"[..]));
    assert!(backend.fill(&key, &payload("new"), &second).unwrap());
    assert_eq!(value(&backend, &key).as_deref(), Some(&b"new"[..]));
    // an eviction comes between, by key or by scope
    for by_scope in [false, true] {
        backend.set(&key, &payload("old")).unwrap();
        let mark = claim().expect("whoever brought one has given it back");
        if by_scope {
            backend.evict_by_scope(&Scope::global()).unwrap();
        } else {
            assert!(backend.evict(&key).unwrap());
        }
        assert!(!backend.fill(&key, &payload("late"), &mark).unwrap());
        assert_eq!(value(&backend, &key), None);
    }
}

/// One of them leaves the stub, whose number the others are to be known by as well.
#[test]
fn loads_side_by_side_after_an_eviction_of_all_can_each_be_stored() {
    let server = servers::Memcached::start();
    let proxy = Proxy::start(server.addr());
    let one = backend(&proxy.addr());
    let key = key("k");
    for awaited in [false, true] {
        let get = || {
            if awaited {
                futures::executor::block_on(one.get_async(&key))
            } else {
                one.get(&key)
            }
        };
        for stored in [false, true] {
            one.set(&key, &payload("old")).unwrap();
            get().unwrap().hit().expect("it is connected by now");
            one.clear().unwrap();
            let (address, of_other) = (server.addr(), key.clone());
            proxy.meanwhile(move || {
                let other = backend(&address);
                let mark = miss(other.get(&of_other));
                if stored {
                    assert!(other.fill(&of_other, &payload("new"), &mark).unwrap());
                }
            });
            let found = get();
            if stored {
                let found = found.unwrap().hit().expect("what the other has stored");
                assert_eq!(&*found.bytes, b"new");
            } else {
                assert!(one.fill(&key, &payload("v"), &miss(found)).unwrap());
            }
        }
    }
}

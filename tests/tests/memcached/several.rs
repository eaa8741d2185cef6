//! Several servers, some of which are down or come back.

use std::time::Duration;

use cacheado::Cache;
use cacheado::testing::ManualClock;
use cacheado_backends::backend::Lookup;
use cacheado_backends::memcached::Memcached;
use cacheado_backends::{Backend, Hierarchy, Key, Probe, Space};
use cacheado_tests::servers::{self, Proxy, Silent, wait_until};

use crate::shared::{LIMIT, key, miss, name, payload, raw, value};

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
    // none if the stopped server had the mark of everything
    assert!(answered.count() < keys.len());
    servers[0].restart();
    assert!(wait_until(Duration::from_secs(5), || backend
        .get_many(&keys)
        .is_ok()));
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
    // a server that does not have the mark of everything
    let server = servers.iter().find(|server| !has(server, "tests/g/"));
    let server = server.unwrap();
    let is_there = |key: &Key| {
        miss(store.get(key));
        has(server, &name(key))
    };
    let mut keys = (0..).map(|nth| key(&nth.to_string()));
    let key = keys.find(is_there).unwrap();
    // two restarts, after which the server assigns the same numbers
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

/// This holds for entries evicted while a server was unreachable, and for entries stored before the server with the scope's mark
/// restarted.
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
            // the server with the scope's mark
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

/// Each set of servers that an entry depends on has a circuit breaker of its own.
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
        // an open breaker stays open until the clock is advanced
        .circuit_breaker(FAILURES, Duration::from_secs(1))
        .clock(clock.clone())
        .build()
        .unwrap();
    let store = || (0..60).all(|nth: u32| cache.set(nth, &nth).run().is_ok());
    assert!(wait_until(Duration::from_secs(5), store));
    // every entry needs the mark of everything, so pause another server
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

#[test]
fn those_that_never_answer_are_told_by_the_limit_that_was_set() {
    let (one, other) = (Silent::start(), Silent::start());
    let addresses = [one.addr().to_string(), other.addr().to_string()];
    let limit = Duration::from_millis(100);
    let backend = Memcached::several(addresses).unwrap().timeout(limit);
    for _ in 0..3 {
        let error = backend.get(&key("k")).unwrap_err().to_string();
        assert_eq!(error, "no answer within 100ms");
    }
}

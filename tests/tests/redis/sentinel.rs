//! A master monitored by sentinels.

use cacheado_backends::redis::Redis;
use cacheado_tests::servers::{self, wait_until};

use crate::coherence::Heard;
use crate::shared::{Asked, BOTH, SECOND, Way, key, text};

/// A store with a timeout for a busy machine.
fn store<'u>(urls: impl IntoIterator<Item = &'u str>, way: Way) -> Asked {
    let backend = Redis::sentinel(urls, "mymaster").unwrap();
    Asked::new(backend.timeout(5 * SECOND), way)
}

#[test]
fn the_next_master_is_asked_when_one_dies() {
    let sentinel = servers::Sentinel::start();
    let urls = sentinel.urls();
    let urls = || urls.iter().map(String::as_str);
    let stores = BOTH.map(|way| Asked::new(Redis::sentinel(urls(), "mymaster").unwrap(), way));
    let heard = Heard::by(&stores[0].backend);
    heard.hears("covered");
    for store in &stores {
        store.set(&key("x"), &text("v")).unwrap();
        assert_eq!(store.found(&key("x")).as_deref(), Some("v"));
    }
    sentinel.master().unwrap().kill();
    heard.hears("lost");
    for store in &stores {
        let back = wait_until(20 * SECOND, || store.set(&key("x"), &text("back")).is_ok());
        assert!(back, "{:?}", store.set(&key("x"), &text("back")));
        assert_eq!(store.found(&key("x")).as_deref(), Some("back"));
    }
    heard.hears("covered");
    stores[1].evict(&key("x")).unwrap();
    heard.hears("key organization=acme/user=7 (programmatic)(\"x\")");
}

#[test]
fn a_master_that_the_sentinels_have_replaced_is_trusted_no_more() {
    let sentinel = servers::Sentinel::start();
    let urls = sentinel.urls();
    let urls = || urls.iter().map(String::as_str);
    let stores = BOTH.map(|way| store(urls(), way));
    // only a store's own reports say when its connections lead to another server
    let heard = stores.each_ref().map(|store| Heard::by(&store.backend));
    for (store, heard) in stores.iter().zip(&heard) {
        heard.hears("covered");
        store.set(&key("x"), &text("v")).unwrap();
    }
    let (old, new) = sentinel.fail_over();
    for heard in &heard {
        heard.hears_in_time("lost");
    }
    assert!(old.cli(&["ROLE"]).starts_with("master"));
    for heard in &heard {
        heard.hears("covered");
    }
    // reads go to the server whose changes are reported
    let entry = new.cli(&["--scan", "--pattern", "{shop:*}:*"]);
    assert_eq!(new.cli(&["DEL", &entry]), "1");
    for store in &stores {
        assert_eq!(store.found(&key("x")), None);
    }
    assert_eq!(old.cli(&["EXISTS", &entry]), "1");
    stores[1].evict(&key("x")).unwrap();
    heard[0].hears("key organization=acme/user=7 (programmatic)(\"x\")");
}

#[test]
fn without_most_of_the_sentinels_nothing_is_trusted() {
    let sentinel = servers::Sentinel::start();
    let urls = sentinel.urls();
    let backend = Redis::sentinel(urls.iter().map(String::as_str), "mymaster").unwrap();
    let heard = Heard::by(&backend);
    heard.hears("covered");
    let [one, another, _] = sentinel.sentinels() else {
        panic!("there are three");
    };
    one.kill();
    another.kill();
    heard.hears_in_time("lost");
    one.restart();
    heard.hears("covered");
}

#[test]
fn a_replica_that_a_sentinel_names_is_not_asked() {
    let master = servers::Redis::start();
    let port = master.port().to_string();
    let replica = servers::Redis::start_with(&["--replicaof", "127.0.0.1", &port]);
    let sentinel = servers::Sentinel::that_names(&replica);
    let url = format!("redis://{}", sentinel.addr());
    for way in BOTH {
        let store = store([&*url], way);
        let error = store.get(&key("x")).unwrap_err();
        assert!(error.to_string().contains("is none"), "{error}");
        assert!(
            !error.is::<cacheado_backends::backend::Refused>(),
            "{error}"
        );
    }
    replica.cli(&["REPLICAOF", "NO", "ONE"]);
    for way in BOTH {
        let store = store([&*url], way);
        assert_eq!(store.found(&key("x")), None);
    }
}

#[test]
fn a_sentinel_that_names_a_server_that_hangs_holds_up_nobody() {
    let servers = [servers::Redis::start(), servers::Redis::start()];
    let sentinels = servers.each_ref().map(servers::Sentinel::that_names);
    let urls = sentinels
        .each_ref()
        .map(|it| format!("redis://{}", it.addr()));
    servers[0].pause();
    for way in BOTH {
        let store = store(urls.iter().map(String::as_str), way);
        store.set(&key("x"), &text("v")).unwrap();
    }
    assert!(servers[1].cli(&["--scan"]).contains("organization=acme"));
}

#[test]
fn an_unknown_master_is_an_outage() {
    let sentinel = servers::Sentinel::start();
    let urls = sentinel.urls();
    for way in BOTH {
        let backend = Redis::sentinel(urls.iter().map(String::as_str), "nobody").unwrap();
        let error = Asked::new(backend, way).get(&key("x")).unwrap_err();
        assert!(error.to_string().contains("nobody"), "{error}");
    }
}

//! A master that sentinels watch over.

use cacheado_backends::redis::Redis;
use cacheado_tests::servers::{self, wait_until};

use crate::coherence::Heard;
use crate::shared::{Asked, BOTH, SECOND, key, text};

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
fn an_unknown_master_is_an_outage() {
    let sentinel = servers::Sentinel::start();
    let urls = sentinel.urls();
    for way in BOTH {
        let backend = Redis::sentinel(urls.iter().map(String::as_str), "nobody").unwrap();
        let error = Asked::new(backend, way).get(&key("x")).unwrap_err();
        assert!(error.to_string().contains("nobody"), "{error}");
    }
}

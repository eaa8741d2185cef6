//! What the server holds: readable names, native expiry, and only this cache's own keys.

use std::thread::sleep;
use std::time::{Duration, Instant};

use cacheado_tests::servers;

use crate::shared::{Asked, BOTH, SECOND, key, key_in, patient, scope, text, text_for};

#[test]
fn what_is_stored_is_found_until_it_is_evicted() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        assert_eq!(store.found(&key("x")), None);
        store.set(&key("x"), &text("1")).unwrap();
        store.set(&key("x"), &text("2")).unwrap();
        store.set(&key("empty"), &text("")).unwrap();
        assert_eq!(store.found(&key("x")).as_deref(), Some("2"));
        assert_eq!(store.found(&key("empty")).as_deref(), Some(""));
        assert!(store.evict(&key("x")).unwrap());
        assert!(!store.evict(&key("x")).unwrap());
        assert_eq!(store.found(&key("x")), None);
        let large = "x".repeat(500_000);
        store.set(&key("x"), &text(&large)).unwrap();
        let kept = store.found(&key("x")).unwrap() == large;
        assert!(kept, "what was stored is another value");
        store.clear().unwrap();
        assert_eq!(store.found(&key("x")), None);
    }
}

#[test]
fn a_scope_goes_with_all_below_it_and_is_counted() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let keys = [
            key_in(&[], "x"),
            key_in(&["acme"], "x"),
            key_in(&["acme", "7"], "x"),
            key_in(&["acme", "7"], "y"),
            key_in(&["acme", "70"], "x"),
            key_in(&["acme1"], "x"),
        ];
        let evicted = [(&["acme", "7"][..], 2), (&["acme"], 4), (&[], 6)];
        for (ids, count) in evicted {
            for key in &keys {
                store.set(key, &text("v")).unwrap();
            }
            assert_eq!(store.evict_by_scope(&scope(ids)).unwrap(), count, "{ids:?}");
            let left = keys.iter().filter(|key| store.found(key).is_some()).count();
            assert_eq!(left as u64, 6 - count, "{ids:?}");
            store.clear().unwrap();
        }
    }
}

#[test]
fn what_expired_is_not_counted() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let short = Duration::from_millis(30);
    store.set(&key("x"), &text_for("v", short)).unwrap();
    store.set(&key("y"), &text("v")).unwrap();
    sleep(2 * short);
    assert_eq!(store.found(&key("x")), None);
    assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 1);
}

#[test]
fn a_lifetime_is_the_servers_own_and_no_more_is_left_than_there_is() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let left = || store.get(&key("x")).unwrap().hit().unwrap().lifetime;
        store.set(&key("x"), &text_for("v", 10 * SECOND)).unwrap();
        let stored = Instant::now();
        for _ in 0..10 {
            let most = 10 * SECOND - stored.elapsed();
            let left = left().unwrap();
            assert!(left <= most && left > 9 * SECOND, "{left:?} of {most:?}");
        }
        let entry = server.cli(&["--scan", "--pattern", "{shop:*}:*"]);
        let native: u64 = server.cli(&["PTTL", &entry]).parse().unwrap();
        assert!(native <= 10_000 && native > 9_000, "{native}");
        store.set(&key("x"), &text("v")).unwrap();
        assert_eq!(left(), None);
        // a lifetime that amounts to for ever
        store.set(&key("x"), &text_for("v", Duration::MAX)).unwrap();
        assert!(left().unwrap() > 86_400 * 365 * SECOND);
        // a value with a lifetime of zero also replaces the old one
        store
            .set(&key("x"), &text_for("v", Duration::ZERO))
            .unwrap();
        assert_eq!(store.found(&key("x")), None);
    }
}

#[test]
fn names_can_be_read() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    store.set(&key("settings"), &text("v")).unwrap();
    let names = server.cli(&["--scan"]);
    let entry = names.lines().find(|name| name.contains("}:")).unwrap();
    assert!(entry.starts_with("{shop:"), "{entry}");
    assert!(
        entry.contains("}:organization=acme/user=7/\"settings\"~"),
        "{entry}"
    );
}

#[test]
fn others_keys_are_left_alone() {
    let server = servers::Redis::start();
    let foreign = [
        "shop",
        "{shop}",
        "{shop:1}",
        "{shop2:1}:x",
        "shop:1",
        "acme",
    ];
    for name in foreign {
        server.cli(&["SET", name, "theirs"]);
    }
    let mut other = patient(&server.url());
    cacheado_backends::Backend::bind(&mut other, "shop 2");
    cacheado_backends::Backend::set(&other, &key("x"), &text("other")).unwrap();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        store.set(&key("x"), &text("v")).unwrap();
        assert_eq!(store.evict_by_scope(&scope(&[])).unwrap(), 1);
        store.set(&key("x"), &text("v")).unwrap();
        store.clear().unwrap();
        assert_eq!(store.found(&key("x")), None);
        for name in foreign {
            assert_eq!(server.cli(&["GET", name]), "theirs");
        }
        let theirs = cacheado_backends::Backend::get(&other, &key("x")).unwrap();
        assert!(theirs.hit().is_some());
    }
}

#[test]
fn many_are_stored_and_found_in_their_order() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let keys: Vec<_> = (0..1500)
            .map(|nth| key_in(&[&(nth % 7).to_string()], &nth.to_string()))
            .collect();
        let even = keys.iter().enumerate().filter(|(nth, _)| nth % 2 == 0);
        let entries: Vec<_> = even
            .map(|(nth, key)| (key.clone(), text(&nth.to_string())))
            .collect();
        store.set_many(&entries).unwrap();
        let found = store.get_many(&keys).unwrap();
        assert_eq!(found.len(), keys.len());
        let mut missed = Vec::new();
        for (nth, (lookup, key)) in found.into_iter().zip(&keys).enumerate() {
            match lookup {
                cacheado_backends::backend::Lookup::Hit(payload) => {
                    assert_eq!(&*payload.bytes, nth.to_string().as_bytes());
                }
                cacheado_backends::backend::Lookup::Miss(mark) => {
                    assert_eq!(nth % 2, 1);
                    missed.push((key.clone(), text("filled"), mark));
                }
            }
        }
        // every other of these is evicted meanwhile
        for (key, ..) in missed.iter().step_by(2) {
            assert!(!store.evict(key).unwrap());
        }
        let filled = store.fill_many(&missed).unwrap();
        assert!(
            filled
                .iter()
                .enumerate()
                .all(|(nth, filled)| *filled == (nth % 2 == 1))
        );
        assert_eq!(store.get_many(&[]).unwrap().len(), 0);
        store.set_many(&[]).unwrap();
        store.clear().unwrap();
    }
}

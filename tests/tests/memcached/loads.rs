//! Loads and claims, by item numbers.

use std::time::Duration;

use cacheado_backends::backend::Lease;
use cacheado_backends::{Backend, Scope};
use cacheado_tests::servers::{self, Proxy, wait_until};

use crate::shared::{LIMIT, backend, kept, key, lasting, miss, payload, value};

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

/// The value may be stale, or unreadable for the caller.
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
    // the claim of `first` is over
    assert!(!backend.fill(&key, &payload("late"), &first).unwrap());
    assert_eq!(value(&backend, &key).as_deref(), Some(&b"old"[..]));
    assert!(backend.fill(&key, &payload("new"), &second).unwrap());
    assert_eq!(value(&backend, &key).as_deref(), Some(&b"new"[..]));
    // an eviction in between, by key or by scope
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

/// One load leaves the stub, and its number must also identify the other loads.
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

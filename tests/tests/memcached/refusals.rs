//! Requests that the server understands and refuses.

use std::time::Duration;

use cacheado_backends::backend::{Lookup, Refused};
use cacheado_backends::memcached::Memcached;
use cacheado_backends::{Backend, Key};
use cacheado_tests::servers;

use crate::shared::{backend, key, miss, payload, value};

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

    // if the limit is set above the server's, the server refuses
    let bold = backend(&server.url()).max_value_bytes(8 << 20);
    let error = bold.set(&key, &payload(vec![7; 3 << 20])).unwrap_err();
    assert!(error.is::<Refused>(), "{error}");
    assert_eq!(value(&usual, &key), None);
    usual.set(&key, &payload("small")).unwrap();
    assert_eq!(value(&usual, &key).as_deref(), Some(&b"small"[..]));
}

#[test]
fn a_full_memory_is_a_refusal() {
    // the server returns an error instead of evicting
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

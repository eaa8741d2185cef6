//! Bulk operations.

use std::time::Duration;

use cacheado_backends::backend::Lookup;
use cacheado_backends::{Backend, Key};
use cacheado_tests::servers;

use crate::shared::{backend, key, miss, payload};

#[test]
fn any_number_of_keys_is_looked_up_stored_and_filled_at_once() {
    const COUNT: usize = 40_000;
    let server = servers::Memcached::start_with(&["-m", "256"]);
    let store = backend(&server.url()).timeout(Duration::from_secs(30));
    // long names and values, so that neither requests nor responses fit into a buffer
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

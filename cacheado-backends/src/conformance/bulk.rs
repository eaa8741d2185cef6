//! Operations on many keys at once, which do the same as those on single keys.

use super::bench::Bench;
use super::keys::{key, one_in_each_scope, payload, tenant, user};
use crate::backend::{Lookup, Payload};
use crate::key::Key;
use crate::scope::Scope;

/// More than a store may take at once.
const MANY: u32 = 250;

fn many_keys() -> Vec<Key> {
    let scattered = one_in_each_scope().into_iter().map(|(_, key)| key);
    let numbered = (0..MANY).map(|nth| key(&user("1", "1"), &nth));
    scattered.chain(numbered).collect()
}

fn hits(found: Vec<Lookup>) -> Vec<Option<Payload>> {
    found.into_iter().map(Lookup::hit).collect()
}

pub(super) fn many_are_read_in_their_order(bench: &Bench<'_>) {
    let store = bench.open();
    bench.expect(
        store.get_many(&[]).is_empty(),
        "`get_many` of nothing should be nothing",
    );
    let keys = many_keys();
    // every third is missing
    let stored = |nth: usize| (!nth.is_multiple_of(3)).then(|| payload(nth.to_string()));
    for (nth, key) in keys.iter().enumerate() {
        if let Some(value) = stored(nth) {
            store.set(key, &value);
        }
    }
    let expected: Vec<_> = (0..keys.len()).map(stored).collect();
    let found = hits(store.get_many(&keys));
    bench.expect(
        found == expected,
        "`get_many` should answer for each key, in their order",
    );
    let twice = hits(store.get_many(&[keys[1].clone(), keys[0].clone(), keys[1].clone()]));
    bench.expect(
        twice == [stored(1), None, stored(1)],
        "`get_many` should answer twice for a key that is there twice",
    );
}

pub(super) fn many_are_stored(bench: &Bench<'_>) {
    let store = bench.open();
    store.set_many(&[]);
    let keys = many_keys();
    let entries: Vec<(Key, Payload)> = keys
        .iter()
        .enumerate()
        .map(|(nth, key)| (key.clone(), payload(nth.to_string())))
        .collect();
    store.set_many(&entries);
    for (key, value) in &entries {
        store.expect_hit(key, value);
    }
    store.expect_evicted(&Scope::global(), entries.len() as u64);
}

pub(super) fn many_are_filled(bench: &Bench<'_>) {
    let store = bench.open();
    bench.expect(
        store.fill_many(&[]).is_empty(),
        "`fill_many` of nothing should be nothing",
    );
    let keys = many_keys();
    let loads = store.get_many(&keys).into_iter().zip(&keys);
    let entries: Vec<_> = loads
        .map(|(found, key)| match found {
            Lookup::Miss(mark) => (key.clone(), payload(key.to_string()), mark),
            Lookup::Hit(_) => bench.fail("nothing was stored yet"),
        })
        .collect();
    bench.expect(
        store.fill_many(&entries) == vec![true; keys.len()],
        "`fill_many` should store what nothing disturbed",
    );
    for (key, value, _) in &entries {
        store.expect_hit(key, value);
    }
    store.evict_by_scope(&tenant("1"));
    store.miss(&keys[keys.len() - 1]);
}

//! Lookups that ignore the remaining lifetime: apart from that, they answer as `get` and `get_many` do.

use std::sync::Arc;
use std::time::Duration;

use super::bench::{Bench, Store, show};
use super::keys::{key, one_in_each_scope, payload, payload_for, user};
use crate::backend::{Lookup, Mark, Payload};
use crate::key::Key;

/// Enough hits in a row for a backend that then expects the next one.
const IN_A_ROW: usize = 20;

const HOUR: Duration = Duration::from_hours(1);

fn bytes(found: Lookup) -> Option<Arc<[u8]>> {
    found.hit().map(|payload| payload.bytes)
}

fn expect_value(store: &Store<'_>, bench: &Bench<'_>, key: &Key, expected: Option<&Payload>) {
    let found = store.get_value(key).hit();
    let same = match (&found, expected) {
        (Some(found), Some(expected)) => found.bytes == expected.bytes,
        (found, expected) => found.is_none() && expected.is_none(),
    };
    bench.expect(
        same,
        format_args!(
            "`get_value` of {key} should find {}, and finds {}",
            show(expected),
            show(found.as_ref())
        ),
    );
}

pub(super) fn a_value_alone_is_what_is_there(bench: &Bench<'_>) {
    let store = bench.open();
    for (scope, key) in one_in_each_scope() {
        expect_value(&store, bench, &key, None);
        for value in [payload("first"), payload_for(HOUR, "second")] {
            store.set(&key, &value);
            for _ in 0..IN_A_ROW {
                expect_value(&store, bench, &key, Some(&value));
            }
            let other = super::keys::key(&scope, "other");
            expect_value(&store, bench, &other, None);
        }
        for _ in 0..IN_A_ROW {
            store.hit(&key);
        }
        store.evict(&key);
        expect_value(&store, bench, &key, None);
    }
}

pub(super) fn values_alone_are_read_in_their_order(bench: &Bench<'_>) {
    let store = bench.open();
    bench.expect(
        store.get_values(&[]).is_empty(),
        "`get_values` of nothing should be nothing",
    );
    let keys: Vec<_> = (0..30_u8).map(|nth| key(&user("1", "1"), &nth)).collect();
    // every third is missing
    let stored = |nth: usize| (!nth.is_multiple_of(3)).then(|| payload_for(HOUR, nth.to_string()));
    for (nth, key) in keys.iter().enumerate() {
        if let Some(value) = stored(nth) {
            store.set(key, &value);
        }
    }
    let found: Vec<_> = store.get_values(&keys).into_iter().map(bytes).collect();
    let expected = (0..keys.len()).map(|nth| stored(nth).map(|it| it.bytes));
    bench.expect(
        found.into_iter().eq(expected),
        "`get_values` should answer for each key, in their order",
    );
}

pub(super) fn a_load_is_known_by_the_miss_of_a_value_alone(bench: &Bench<'_>) {
    let store = bench.open();
    let keys: Vec<_> = (0..4_u8).map(|nth| key(&user("1", "1"), &nth)).collect();
    // before they begin
    for key in &keys {
        store.evict(key);
    }
    let missed = |found: Lookup| match found {
        Lookup::Miss(mark) => mark,
        Lookup::Hit(_) => bench.fail("nothing was stored yet"),
    };
    let mut marks: Vec<Mark> = keys[..2]
        .iter()
        .map(|key| missed(store.get_value(key)))
        .collect();
    marks.extend(store.get_values(&keys[2..]).into_iter().map(missed));
    for disturbed in [1, 3] {
        store.evict(&keys[disturbed]);
    }
    let filled: Vec<_> = keys
        .iter()
        .zip(&marks)
        .map(|(key, mark)| store.fill(key, &payload("v"), mark))
        .collect();
    bench.expect(
        filled == [true, false, true, false],
        format_args!(
            "`fill` should store what nothing disturbed since `get_value` or `get_values`, and says {filled:?}"
        ),
    );
}

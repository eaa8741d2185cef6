//! Several caches, and several processes, in one store.

use super::bench::{Bench, Store, show};
use super::keys::{key, one_in_each_scope, payload, tenant, user};
use crate::key::Key;
use crate::scope::Scope;

/// The suffixes of the caches' names: names with equal beginnings, and names that a store might interpret.
const SUFFIXES: [&str; 14] = [
    "",
    "2",
    "22",
    ":",
    ":tenant=1",
    "/",
    "{",
    "*",
    "?",
    "%",
    " ",
    "ü\0",
    "a",
    "A",
];

pub(super) fn caches_of_two_names_have_nothing_in_common(bench: &Bench<'_>) {
    let caches = SUFFIXES.map(|suffix| (suffix, bench.open_as(suffix)));
    let keys: Vec<Key> = one_in_each_scope()
        .into_iter()
        .map(|(_, key)| key)
        .collect();
    let fill = |suffix: &str, cache: &Store<'_>| {
        let entries = keys.iter().map(|key| (key.clone(), payload(suffix)));
        cache.set_many(&entries.collect::<Vec<_>>());
    };
    // that the cache of `emptied` is empty and the others are not
    let check = |emptied: &str, how: &str| {
        for (suffix, cache) in &caches {
            let expected = (*suffix != emptied).then(|| payload(suffix));
            for (key, found) in keys.iter().zip(cache.get_many(&keys)) {
                let found = found.hit();
                bench.expect(
                    found == expected,
                    format_args!(
                        "after {how} the cache …{emptied:?}, {key} of the cache …{suffix:?} should be {} and is {}: `bind` tells \
                         the names apart",
                        show(expected.as_ref()),
                        show(found.as_ref())
                    ),
                );
            }
        }
    };
    for (suffix, cache) in &caches {
        fill(suffix, cache);
    }
    for (emptied, cache) in &caches {
        cache.clear();
        check(emptied, "clearing");
        fill(emptied, cache);
    }
    for (emptied, cache) in &caches[..4] {
        cache.expect_evicted(&Scope::global(), keys.len() as u64);
        check(emptied, "evicting all of");
        fill(emptied, cache);
        for key in &keys {
            bench.expect(cache.evict(key), "what was stored should be evicted");
        }
        check(emptied, "evicting each entry of");
        fill(emptied, cache);
    }
}

pub(super) fn two_instances_share_what_is_stored(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let key = key(&user("1", "1"), "k");
    one.set(&key, &payload("v"));
    other.expect_hit(&key, &payload("v"));
    other.set(&key, &payload("w"));
    one.expect_hit(&key, &payload("w"));
    bench.expect(
        other.evict(&key),
        "evicting what another instance stored should say true",
    );
    one.miss(&key);
    one.set(&key, &payload("v"));
    other.expect_evicted(&tenant("1"), 1);
    one.miss(&key);
    one.set(&key, &payload("v"));
    other.clear();
    one.miss(&key);
}

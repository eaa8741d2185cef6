//! Several caches, and several processes, in one store.

use super::bench::Bench;
use super::keys::{key, one_in_each_scope, payload, tenant, user};
use crate::scope::Scope;

/// What the names of the caches end in: names that begin alike, and that a store might take for something else.
const SUFFIXES: [&str; 12] = [
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
];

pub(super) fn caches_of_two_names_have_nothing_in_common(bench: &Bench<'_>) {
    let caches = SUFFIXES.map(|suffix| (suffix, bench.open_as(suffix)));
    let entries = one_in_each_scope();
    let fill = || {
        for (suffix, cache) in &caches {
            for (_, key) in &entries {
                cache.set(key, &payload(suffix));
            }
        }
    };
    // that the cache of `emptied` is empty and the others are not
    let check = |emptied: &str, how: &str| {
        for (suffix, cache) in &caches {
            for (_, key) in &entries {
                let found = cache.hit(key);
                let expected = (*suffix != emptied).then(|| payload(suffix));
                bench.expect(
                    found == expected,
                    format_args!(
                        "after {how} the cache …{emptied:?}, {key} of the cache …{suffix:?} should be {expected:?} and is {found:?}"
                    ),
                );
            }
        }
    };
    for (emptied, cache) in &caches {
        fill();
        cache.clear();
        check(emptied, "clearing");
    }
    for (emptied, cache) in &caches[..4] {
        fill();
        cache.expect_evicted(&Scope::global(), entries.len() as u64);
        check(emptied, "evicting all of");
        fill();
        for (_, key) in &entries {
            bench.expect(cache.evict(key), "what was stored should be evicted");
        }
        check(emptied, "evicting each entry of");
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

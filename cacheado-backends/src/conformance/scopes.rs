//! Evicting scopes: removes everything in a scope and below it, and nothing else, whatever the ids contain.

use std::time::{Duration, Instant};

use super::bench::{Bench, Store};
use super::keys::{car, key, one_in_each_scope, payload, payload_for, session, team, tenant, user};
use super::lifetimes::sleep_past;
use crate::key::Key;
use crate::scope::Scope;

pub(super) fn a_scope_goes_with_all_below_it_and_nothing_else(bench: &Bench<'_>) {
    let store = bench.open();
    for (evicted, _) in one_in_each_scope() {
        evict_one_of(&store, one_in_each_scope(), &evicted);
    }
}

/// Stores all `entries`, evicts a scope, and checks what is left. Leaves nothing.
fn evict_one_of(store: &Store<'_>, entries: Vec<(Scope, Key)>, evicted: &Scope) {
    for (_, key) in &entries {
        store.set(key, &payload("v"));
    }
    let (inside, outside): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .partition(|(scope, _)| evicted.contains(scope));
    // checked before the count, since it tells more than the count does
    let removed = store.evict_by_scope(evicted);
    for (_, key) in &inside {
        store.miss_after(key, format_args!("evicting {evicted:?}"));
    }
    for (_, key) in &outside {
        store.bench.expect(
            store.hit(key).is_some(),
            format_args!("evicting {evicted:?} should leave {key:?} alone"),
        );
    }
    store.expect_counted(evicted, inside.len() as u64, removed);
    store.expect_evicted(evicted, 0);
    store.expect_evicted(&Scope::global(), outside.len() as u64);
}

pub(super) fn everything_is_in_the_global_scope(bench: &Bench<'_>) {
    let store = bench.open();
    let entries = one_in_each_scope();
    // several per scope, and more than a store may take at once
    let keys: Vec<Key> = (0..100_u32)
        .flat_map(|nth| entries.iter().map(move |(scope, _)| key(scope, &nth)))
        .collect();
    let values = keys.iter().map(|key| (key.clone(), payload("v")));
    store.set_many(&values.collect::<Vec<_>>());
    let removed = store.evict_by_scope(&Scope::global());
    for (key, found) in keys.iter().zip(store.get_many(&keys)) {
        bench.expect(
            found.hit().is_none(),
            format_args!("evicting everything should leave nothing, and there is {key}"),
        );
    }
    store.expect_counted(&Scope::global(), keys.len() as u64, removed);
}

/// Ids that may pass for several, for parts of others, or for operators.
const CRAFTED: [&str; 38] = [
    "1",
    "10",
    "11",
    "1/",
    "/1",
    "1/1",
    "1=",
    "=",
    "1:",
    ":",
    "%",
    "%2F",
    "%252F",
    "",
    " ",
    "\0",
    "1\0",
    "*",
    "?",
    "1*",
    "[1]",
    "{1}",
    "}",
    "{",
    "\\",
    "\"",
    "$",
    ".",
    "..",
    "\r\n",
    "ü",
    "u\u{308}",
    "日本",
    "\u{10ffff}",
    "a",
    "A",
    "e",
    "é",
];

pub(super) fn crafted_ids_stay_apart(bench: &Bench<'_>) {
    let store = bench.open();
    let entries: Vec<(Scope, Key)> = CRAFTED
        .iter()
        .flat_map(|id| [tenant(id), user("1", id), user(id, "1"), car(id)])
        .map(|scope| {
            let key = key(&scope, "k");
            (scope, key)
        })
        .collect();
    let value = |scope: &Scope| payload(format!("{scope:?}"));
    for (scope, key) in &entries {
        store.set(key, &value(scope));
    }
    for (scope, key) in &entries {
        store.expect_hit(key, &value(scope));
    }
    // one tenant after the other, so that an entry evicted wrongly is missing while its own tenant is still there
    let keys: Vec<Key> = entries.iter().map(|(_, key)| key.clone()).collect();
    for (nth, id) in CRAFTED.iter().enumerate() {
        store.evict_by_scope(&tenant(id));
        let evicted = &CRAFTED[..=nth];
        for ((scope, key), found) in entries.iter().zip(store.get_many(&keys)) {
            let in_tenant = scope.level() != car("1").level();
            let gone = in_tenant && scope.ids().next().is_some_and(|id| evicted.contains(&id));
            bench.expect(
                found.hit().is_some() != gone,
                format_args!(
                    "after evicting the tenants {evicted:?}, {key:?} should be {}",
                    if gone { "gone" } else { "there" }
                ),
            );
        }
    }
}

pub(super) fn ids_do_not_run_into_each_other(bench: &Bench<'_>) {
    let store = bench.open();
    let pairs = [
        ("a", "b/c"),
        ("a/b", "c"),
        ("a/user=b", "c"),
        ("a", "b"),
        ("ab", ""),
        ("", "ab"),
        ("a%2Fb", "c"),
        ("a\0", "b"),
        ("a", "\0b"),
    ];
    for (tenant_id, user_id) in pairs {
        let entries = pairs.map(|(one, other)| {
            let scope = user(one, other);
            let key = key(&scope, "k");
            (scope, key)
        });
        evict_one_of(&store, entries.to_vec(), &user(tenant_id, user_id));
        evict_one_of(&store, entries.to_vec(), &tenant(tenant_id));
    }
}

pub(super) fn levels_side_by_side_stay_apart(bench: &Bench<'_>) {
    let store = bench.open();
    let scopes = [
        tenant("1"),
        car("1"),
        user("1", "1"),
        team("1", "1"),
        session("1", "1", "1"),
    ];
    for evicted in &scopes {
        let entries = scopes.iter().map(|scope| (scope.clone(), key(scope, "k")));
        evict_one_of(&store, entries.collect(), evicted);
    }
}

pub(super) fn long_ids_are_whole(bench: &Bench<'_>) {
    let store = bench.open();
    let longest = bench.options().longest_id;
    // equal but for the end, or but for the length
    let start = "x".repeat(longest.saturating_sub(1));
    let ids = [format!("{start}1"), format!("{start}2"), start];
    for evicted in &ids {
        let entries = ids.iter().flat_map(|id| {
            [tenant(id), user(id, id), user("1", id)].map(|scope| {
                let key = key(&scope, "k");
                (scope, key)
            })
        });
        evict_one_of(&store, entries.collect(), &tenant(evicted));
    }
}

pub(super) fn only_live_entries_count(bench: &Bench<'_>) {
    let store = bench.open();
    let scope = user("1", "1");
    let short = Duration::from_millis(1) + bench.options().early;
    let [kept, overwritten, evicted, expired] =
        ["kept", "overwritten", "evicted", "expired"].map(|args| key(&scope, args));
    for key in [&kept, &overwritten, &overwritten, &evicted] {
        store.set(key, &payload("v"));
    }
    store.set(&expired, &payload_for(short, "v"));
    let stored = Instant::now();
    store.evict(&evicted);
    sleep_past(stored + short);
    store.expect_evicted(&tenant("1"), 2);
}

//! Storing, finding and removing single entries.

use std::fmt;

use serde::Serialize;

use super::bench::{Bench, show};
use super::keys::{car, function, key, key_in, one_in_each_scope, payload, tenant, user};
use crate::backend::Payload;
use crate::key::Key;
use crate::scope::{Level, Scope};

pub(super) fn what_is_not_stored_is_a_miss(bench: &Bench<'_>) {
    let store = bench.open();
    for (scope, key) in one_in_each_scope() {
        store.miss(&key);
        bench.expect(
            !store.evict(&key),
            format_args!("evicting {key}, which was never stored, should say false"),
        );
        store.expect_evicted(&scope, 0);
    }
}

pub(super) fn what_is_set_is_found(bench: &Bench<'_>) {
    let store = bench.open();
    for (_, key) in one_in_each_scope() {
        store.set(&key, &payload(key.to_string()));
    }
    for (_, key) in one_in_each_scope() {
        store.expect_hit(&key, &payload(key.to_string()));
    }
}

pub(super) fn the_newest_value_is_found(bench: &Bench<'_>) {
    let store = bench.open();
    let key = key(&user("1", "1"), "k");
    for value in ["first", "", "a longer one than the first", "2"] {
        store.set(&key, &payload(value));
        store.expect_hit(&key, &payload(value));
    }
    store.expect_evicted(&Scope::global(), 1);
}

pub(super) fn an_evicted_entry_is_gone(bench: &Bench<'_>) {
    let store = bench.open();
    let entries = one_in_each_scope();
    for (_, key) in &entries {
        store.set(key, &payload("v"));
    }
    for (nth, (_, key)) in entries.iter().enumerate() {
        bench.expect(
            store.evict(key),
            format_args!("evicting {key}, which is stored, should say true"),
        );
        bench.expect(
            !store.evict(key),
            format_args!("evicting {key} again should say false"),
        );
        store.miss(key);
        for (_, other) in &entries[nth + 1..] {
            store.expect_hit(other, &payload("v"));
        }
    }
}

pub(super) fn values_of_all_sizes_come_back(bench: &Bench<'_>) {
    let store = bench.open();
    let largest = bench.options().largest_value;
    let sizes = [0, 1, 2, 100, 1_000, 4_096, 65_536, 100_000, largest];
    let values: Vec<(Key, Payload)> = sizes
        .into_iter()
        .filter(|size| *size <= largest)
        .enumerate()
        .map(|(nth, size)| {
            // bytes of all values, in an order that does not compress well
            let bytes = (0..size).map(|at| (at.wrapping_mul(0x9e37_79b1) >> 13).to_le_bytes()[0]);
            let key = key(&tenant("1"), &nth);
            (key, payload(bytes.collect::<Vec<u8>>()))
        })
        .collect();
    for (key, value) in &values {
        store.set(key, value);
    }
    for (key, value) in &values {
        let found = store.hit(key);
        bench.expect(
            found.as_ref() == Some(value),
            format_args!(
                "a value of {} bytes should come back as it was, and {} bytes do",
                value.bytes.len(),
                found.map_or(0, |found| found.bytes.len())
            ),
        );
    }
}

pub(super) fn no_two_keys_are_one(bench: &Bench<'_>) {
    let store = bench.open();
    let keys = keys_of_many_shapes();
    for (nth, key) in keys.iter().enumerate() {
        store.set(key, &payload(nth.to_string()));
    }
    for (nth, key) in keys.iter().enumerate() {
        let found = store.hit(key);
        let Some(other) = found.as_ref().and_then(|found| keys.get(number(found)?)) else {
            store.bench.fail(format_args!(
                "{} should have what was stored under it, and there is {}",
                Parts(key),
                show(found.as_ref())
            ));
        };
        bench.expect(
            other == key && found == Some(payload(nth.to_string())),
            format_args!(
                "what was stored under {} is found under {}",
                Parts(other),
                Parts(key)
            ),
        );
    }
    // as many evictions as keys: even if each value was found, two keys could still share an entry
    for key in &keys {
        bench.expect(
            store.evict(key),
            format_args!("each key has an entry of its own; {key} has none"),
        );
    }
}

/// The index of the key that the value was stored for.
fn number(payload: &Payload) -> Option<usize> {
    str::from_utf8(&payload.bytes).ok()?.parse().ok()
}

/// Everything that distinguishes a key: printing a key leaves some of it out.
struct Parts<'a>(&'a Key);

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(key) = self;
        let space = key.space();
        let name = match (space.name(), space.is_explicit()) {
            ("", _) => "no name".to_owned(),
            (name, true) => format!("the explicit name {name:?}"),
            (name, false) => format!("the path {name:?}"),
        };
        let (level, version, args) = (space.level().path(), space.version(), key.args().len());
        write!(
            f,
            "{key} ({name}, version {version}, level {level:?}, {args} bytes of arguments)"
        )
    }
}

fn keys_of_many_shapes() -> Vec<Key> {
    let mut keys = Vec::new();
    let places = [Scope::global(), tenant("1"), user("1", "1"), car("1")];
    for place in &places {
        let mut add = |args: &dyn Fn(&Scope) -> Key| keys.push(args(place));
        add(&|at| key(at, &()));
        add(&|at| key(at, ""));
        add(&|at| key(at, "1"));
        add(&|at| key(at, &1_u8));
        add(&|at| key(at, &1_u64));
        add(&|at| key(at, &-1_i64));
        add(&|at| key(at, &1.0_f64));
        add(&|at| key(at, &f64::NAN));
        add(&|at| key(at, &true));
        add(&|at| key(at, &'1'));
        add(&|at| key(at, &Some(1_u8)));
        add(&|at| key(at, &None::<u8>));
        add(&|at| key(at, &("1",)));
        add(&|at| key(at, &("a", "b")));
        add(&|at| key(at, &("ab", "")));
        add(&|at| key(at, &("", "ab")));
        add(&|at| key(at, &("a", ("b",))));
        add(&|at| key(at, &vec!["a", "b"]));
        add(&|at| key(at, &Vec::<u8>::new()));
        for text in [
            "\0", "a\0", "a\0b", " ", "a b", "\r\n", "*", "?", "[a-z]", "%", "%00", "~", "a:b",
            "a/b", "{a}", "\"", "\\", "$where", "ü", "u\u{308}", "日本", "🦀", "K", "k",
        ] {
            add(&|at| key(at, text));
        }
        // equal for longer than anyone might show or keep
        let long = "x".repeat(10_000);
        add(&|at| key(at, &long));
        add(&|at| key(at, &format!("{long}1")));
        add(&|at| key(at, &format!("{long}2")));
    }
    for place in &places {
        for space in spaces(place.level()) {
            keys.push(call(space, place, &()));
            keys.push(call(space, place, &("k",)));
            keys.push(call(space, place, &("k", 2_u32)));
        }
    }
    keys
}

fn call(space: &'static crate::Space, scope: &Scope, args: &impl Serialize) -> Key {
    key_in(space, scope, args)
}

/// Functions that could be mistaken for each other.
fn spaces(level: Level) -> Vec<&'static crate::Space> {
    let named = [
        ("shop::profile", 0, false),
        ("shop::profile", 0, true),
        ("shop::profile", 1, false),
        ("shop::profile", 1, true),
        ("shop::profile", 12, false),
        ("shop::profile#1", 0, false),
        ("!shop::profile", 0, false),
        ("shop::profile::<u8>", 0, false),
        ("shop::Profile", 0, false),
        ("profile", 0, true),
    ];
    named
        .map(|(name, version, explicit)| function(name, version, explicit, level))
        .to_vec()
}

pub(super) fn clearing_leaves_a_store_that_works(bench: &Bench<'_>) {
    let store = bench.open();
    for _ in 0..2 {
        for (_, key) in one_in_each_scope() {
            store.set(&key, &payload("v"));
        }
        store.clear();
        for (_, key) in one_in_each_scope() {
            store.miss(&key);
        }
        store.expect_evicted(&Scope::global(), 0);
        // also when it is empty
        store.clear();
    }
    let key = key(&tenant("1"), "k");
    store.set(&key, &payload("v"));
    store.expect_hit(&key, &payload("v"));
}

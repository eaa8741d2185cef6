//! Marks: a load that began before an invalidation leaves nothing behind, and an undisturbed load is stored.

use std::time::{Duration, Instant};

use super::bench::{Bench, Store, show};
use super::keys::{car, key, payload, payload_for, session, team, tenant, user};
use super::lifetimes::sleep_past;
use crate::backend::{Lookup, Mark, Payload};
use crate::key::Key;
use crate::scope::Scope;

/// The scopes that loads are tried in: with no, one and three levels above.
fn places() -> [Scope; 3] {
    [Scope::global(), tenant("1"), session("1", "1", "1")]
}

fn old() -> Payload {
    payload("old")
}

/// For each scope, begins a load of a key in it, runs `disturb` by this instance and by another, and expects the load's value to be
/// refused and `left` to be stored afterwards.
fn expect_refused(
    bench: &Bench<'_>,
    what: &str,
    left: Option<&Payload>,
    disturb: impl Fn(&Store<'_>, &Key),
) {
    let (loader, other) = (bench.open(), bench.open());
    for place in places() {
        let key = key(&place, what);
        for (by, name) in [(&loader, "itself"), (&other, "another")] {
            for was_there in [false, true] {
                by.evict(&key);
                let mark = if was_there {
                    // a refresh: the load begins while there is a value
                    by.set(&key, &payload("older"));
                    loader.mark(&key)
                } else {
                    loader.miss(&key)
                };
                disturb(by, &key);
                bench.expect(
                    !loader.fill(&key, &old(), &mark),
                    format_args!(
                        "{what} by {name} during a load of {key} should make `fill` say false"
                    ),
                );
                let found = loader.hit(&key);
                bench.expect(
                    found.as_ref() == left,
                    format_args!(
                        "after {what} by {name} during a load, {} should be under {key}, and there is {}",
                        show(left), show(found.as_ref())
                    ),
                );
            }
        }
    }
}

pub(super) fn a_load_that_nothing_disturbed_is_stored(bench: &Bench<'_>) {
    let store = bench.open();
    for place in places() {
        let key = key(&place, "k");
        for take in [Store::miss, Store::mark] {
            let mark = take(&store, &key);
            bench.expect(
                store.fill(&key, &payload("v"), &mark),
                format_args!("`fill` should store what a load of {key} found"),
            );
            store.expect_hit(&key, &payload("v"));
            store.expect_evicted(&place, 1);
        }
        // a refresh, while there is a value
        store.set(&key, &payload("v"));
        let mark = store.mark(&key);
        bench.expect(
            store.fill(&key, &payload("w"), &mark),
            format_args!("`fill` should store what a refresh of {key} found"),
        );
        store.expect_hit(&key, &payload("w"));

        store.evict(&key);
        let mark = store.miss(&key);
        let hour = Duration::from_secs(3600);
        store.fill(&key, &payload_for(hour, "v"), &mark);
        let left = store.hit(&key).and_then(|found| found.lifetime);
        bench.expect(
            left.is_some_and(|left| left <= hour && left > hour / 2),
            format_args!("what is filled should keep its lifetime of {hour:?}, and has {left:?}"),
        );
        store.evict(&key);
    }
}

pub(super) fn an_eviction_wins_over_a_load(bench: &Bench<'_>) {
    expect_refused(bench, "evicting the entry", None, |store, key| {
        store.evict(key);
    });
    expect_refused(bench, "evicting the entry twice", None, |store, key| {
        store.evict(key);
        store.evict(key);
    });
}

pub(super) fn an_eviction_of_what_has_expired_wins_over_a_load(bench: &Bench<'_>) {
    let (store, other) = (bench.open(), bench.open());
    let lifetime = Duration::from_millis(1) + bench.options().early;
    // begun before the value expired, and after
    let loads: [fn(&Store<'_>, &Key, Duration) -> Mark; 2] = [
        |store, key, _| store.mark(key),
        |store, key, lifetime| {
            sleep_past(Instant::now() + lifetime);
            store.miss(key)
        },
    ];
    for begin in loads {
        for place in places() {
            let key = key(&place, "expired");
            store.set(&key, &payload_for(lifetime, "older"));
            let mark = begin(&store, &key, lifetime);
            sleep_past(Instant::now() + lifetime);
            bench.expect(
                !other.evict(&key),
                "evicting what has expired should say false",
            );
            bench.expect(
                !store.fill(&key, &old(), &mark),
                format_args!(
                    "evicting {key} during a load should make `fill` say false, although nothing was there any more"
                ),
            );
            store.miss(&key);
        }
    }
}

pub(super) fn an_eviction_of_a_scope_wins_over_a_load(bench: &Bench<'_>) {
    expect_refused(bench, "evicting everything", None, |store, _| {
        store.evict_by_scope(&Scope::global());
    });
    expect_refused(bench, "evicting its scope", None, |store, key| {
        store.evict_by_scope(&key.scope());
    });
    let store = bench.open();
    let place = session("1", "1", "1");
    for evicted in [Scope::global(), tenant("1"), user("1", "1"), place.clone()] {
        let key = key(&place, "k");
        let mark = store.miss(&key);
        store.evict_by_scope(&evicted);
        bench.expect(
            !store.fill(&key, &old(), &mark),
            format_args!("evicting {evicted} during a load of {key} should make `fill` say false"),
        );
        store.miss(&key);
    }
}

/// More than a store may keep in a list of its latest evictions.
const LATER: u32 = 300;

pub(super) fn an_eviction_wins_however_many_follow(bench: &Bench<'_>) {
    let (store, other) = (bench.open(), bench.open());
    let by_itself = key(&session("1", "1", "1"), "k");
    let with_its_tenant = key(&session("3", "1", "1"), "k");
    let loads = [by_itself, with_its_tenant].map(|key| {
        let mark = store.miss(&key);
        (key, mark)
    });
    other.evict(&loads[0].0);
    other.evict_by_scope(&tenant("3"));
    for nth in 0..LATER {
        other.evict(&key(&tenant("2"), &nth));
    }
    for (key, mark) in loads {
        bench.expect(
            !store.fill(&key, &old(), &mark),
            format_args!(
                "evicting {key} during a load, by itself or with its tenant, should make `fill` say false, also if {LATER} evictions \
                 of others follow"
            ),
        );
        store.miss_after(&key, "an eviction during a load");
    }
}

pub(super) fn clearing_wins_over_a_load(bench: &Bench<'_>) {
    expect_refused(bench, "clearing", None, |store, _| store.clear());
}

pub(super) fn a_newer_value_wins_over_a_load(bench: &Bench<'_>) {
    let newer = payload("newer");
    expect_refused(
        bench,
        "setting a newer value",
        Some(&newer),
        |store, key| {
            store.set(key, &newer);
        },
    );
    expect_refused(bench, "setting and evicting", None, |store, key| {
        store.set(key, &newer);
        store.evict(key);
    });
    expect_refused(bench, "setting many", Some(&newer), |store, key| {
        store.set_many(&[(key.clone(), newer.clone())]);
    });
    expect_refused(
        bench,
        "putting a newer value",
        Some(&newer),
        |store, key| {
            let mark = store.mark(key);
            let put = store.put(key, &newer, &mark);
            store
                .bench
                .expect(put, "an undisturbed `put` should say true");
        },
    );
}

pub(super) fn a_load_begun_after_an_eviction_is_stored(bench: &Bench<'_>) {
    let (store, other) = (bench.open(), bench.open());
    for place in places() {
        let key = key(&place, "k");
        let disturb: [(&str, &dyn Fn()); 4] = [
            ("evicting it", &|| {
                other.evict(&key);
            }),
            ("evicting its scope", &|| {
                other.evict_by_scope(&place);
            }),
            ("evicting everything", &|| {
                other.evict_by_scope(&Scope::global());
            }),
            ("clearing", &|| other.clear()),
        ];
        for (what, disturb) in disturb {
            store.set(&key, &old());
            disturb();
            let mark = store.miss_after(&key, what);
            bench.expect(
                store.fill(&key, &payload("new"), &mark),
                format_args!("a load of {key} that begins after {what} should be stored"),
            );
            store.expect_hit(&key, &payload("new"));
        }
        store.evict(&key);
    }
}

pub(super) fn what_concerns_others_disturbs_no_load(bench: &Bench<'_>) {
    let store = bench.open();
    let foreign = bench.open_as("2");
    let place = user("1", "1");
    let mine = key(&place, "k");
    let neighbour = key(&place, "neighbour");
    store.set(&neighbour, &payload("v"));
    let mark = store.miss(&mine);

    store.evict(&neighbour);
    store.set(&neighbour, &payload("w"));
    for scope in [
        user("1", "2"),
        user("1", "11"),
        user("2", "1"),
        team("1", "1"),
        session("1", "1", "1"),
        tenant("2"),
        tenant("11"),
        car("1"),
    ] {
        store.evict(&key(&scope, "k"));
        store.evict_by_scope(&scope);
    }
    foreign.evict(&mine);
    foreign.evict_by_scope(&place);
    foreign.clear();
    bench.expect(
        store.fill(&mine, &payload("v"), &mark),
        format_args!("evictions of other entries should not keep {mine} from being filled"),
    );
    store.expect_hit(&mine, &payload("v"));
}

pub(super) fn a_put_that_nothing_disturbed_is_stored(bench: &Bench<'_>) {
    let store = bench.open();
    for place in places() {
        let key = key(&place, "k");
        for value in ["first", "second"] {
            let mark = store.mark(&key);
            bench.expect(
                store.put(&key, &payload(value), &mark),
                format_args!("an undisturbed `put` of {key} should say true"),
            );
            store.expect_hit(&key, &payload(value));
        }
        store.expect_evicted(&place, 1);
    }
}

pub(super) fn the_end_of_a_lifetime_disturbs_nothing(bench: &Bench<'_>) {
    let (store, other) = (bench.open(), bench.open());
    let lifetime = Duration::from_millis(100);
    let keys: Vec<Key> = places()
        .iter()
        .flat_map(|place| ["put", "fill"].map(|name| key(place, name)))
        .collect();
    let mark = |key| {
        store.set(key, &payload_for(lifetime, "old"));
        store.mark(key)
    };
    let marks: Vec<_> = keys.iter().map(mark).collect();
    sleep_past(Instant::now() + lifetime);
    for (nth, (key, mark)) in keys.iter().zip(&marks).enumerate() {
        bench.expect(
            other.hit(key).is_none(),
            format_args!("an entry with a lifetime of {lifetime:?} should be gone after that"),
        );
        let stored = if nth % 2 == 0 {
            store.put(key, &payload("new"), mark)
        } else {
            store.fill(key, &payload("new"), mark)
        };
        bench.expect(
            stored,
            format_args!(
                "that the value before has expired should not keep {key} from being stored"
            ),
        );
        store.expect_hit(key, &payload("new"));
    }
}

pub(super) fn a_put_that_something_disturbed_leaves_nothing(bench: &Bench<'_>) {
    let (store, other) = (bench.open(), bench.open());
    for place in places() {
        let key = key(&place, "k");
        let disturb: [(&str, &dyn Fn()); 4] = [
            ("evicting", &|| {
                other.evict(&key);
            }),
            ("evicting its scope", &|| {
                other.evict_by_scope(&place);
            }),
            ("clearing", &|| other.clear()),
            ("setting", &|| other.set(&key, &payload("other"))),
        ];
        for (what, disturb) in disturb {
            store.set(&key, &old());
            let mark = store.mark(&key);
            disturb();
            bench.expect(
                !store.put(&key, &payload("mine"), &mark),
                format_args!("{what} before a `put` of {key} ends should make it say false"),
            );
            let found = store.hit(&key);
            bench.expect(
                found.is_none(),
                format_args!("nobody knows which value is the newer one, so nothing should be under {key}; there is {}", show(found.as_ref())),
            );
        }
    }
}

pub(super) fn a_put_that_is_refused_wins_over_a_load(bench: &Bench<'_>) {
    let (store, other) = (bench.open(), bench.open());
    for place in places() {
        let key = key(&place, "k");
        let making = store.mark(&key);
        other.evict(&key);
        // begun after the eviction, but before the `put`
        let loading = other.miss(&key);
        bench.expect(
            !store.put(&key, &payload("mine"), &making),
            format_args!("evicting before a `put` of {key} ends should make it say false"),
        );
        bench.expect(
            !other.fill(&key, &old(), &loading),
            format_args!(
                "a `put` of {key} during a load should make `fill` say false, also if it was refused"
            ),
        );
        store.miss(&key);
    }
}

pub(super) fn of_many_only_the_undisturbed_are_filled(bench: &Bench<'_>) {
    let (store, other) = (bench.open(), bench.open());
    let keys: Vec<Key> = (0..9_u8)
        .map(|nth| key(&user("1", &(nth / 3).to_string()), &nth))
        .collect();
    // before the loads begin
    for key in &keys {
        other.evict(key);
    }
    let marks = store.get_many(&keys).into_iter().map(|found| match found {
        Lookup::Miss(mark) => mark,
        Lookup::Hit(_) => bench.fail("nothing was stored yet"),
    });
    let entries: Vec<_> = keys
        .iter()
        .zip(marks)
        .map(|(key, mark)| (key.clone(), old(), mark))
        .collect();
    other.evict(&keys[0]);
    other.evict_by_scope(&user("1", "1"));
    other.set(&keys[8], &payload("newer"));
    let filled = store.fill_many(&entries);
    bench.expect(
        filled == [false, true, true, false, false, false, true, true, false],
        format_args!("`fill_many` should store only what nothing disturbed, and says {filled:?}"),
    );
    for (nth, key) in keys.iter().enumerate() {
        let expected = match nth {
            0 | 3..=5 => None,
            8 => Some(payload("newer")),
            _ => Some(old()),
        };
        bench.expect(
            store.hit(key) == expected,
            format_args!(
                "after that, {} should be under {key}",
                show(expected.as_ref())
            ),
        );
    }
}

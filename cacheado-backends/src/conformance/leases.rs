//! Leases: one load among all processes, by an owner that may disappear.

use std::time::{Duration, Instant};

use super::bench::{Bench, Store};
use super::keys::{key, payload, tenant, user};
use super::lifetimes::sleep_past;
use crate::backend::{Lease, Mark};
use crate::key::Key;

/// Longer than any check takes.
const LONG: Duration = Duration::from_secs(60);

/// What another instance does to a key while it is being loaded.
type Disturb<'a> = &'a dyn Fn(&Key);

/// Claims a load that is not claimed.
fn claim(store: &Store<'_>, key: &Key, span: Duration) -> Mark {
    match store.lease(key, span) {
        Lease::Granted(mark) => mark,
        other => store.bench.fail(format_args!(
            "a claim of {key} should be granted, since nobody else holds one; it is {other:?}"
        )),
    }
}

fn expect_taken(store: &Store<'_>, key: &Key) {
    let lease = store.lease(key, LONG);
    store.bench.expect(
        matches!(lease, Lease::Taken),
        format_args!("a claim of {key} should be taken, since another holds it; it is {lease:?}"),
    );
}

pub(super) fn a_load_is_claimed_once(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let mine = key(&user("1", "1"), "k");
    // after a miss, as loads begin
    one.miss(&mine);
    let _mark = claim(&one, &mine, LONG);
    expect_taken(&other, &mine);
    expect_taken(&one, &mine);
    other.miss(&mine);
    // other keys and other caches are free
    claim(&other, &key(&user("1", "1"), "other"), LONG);
    claim(&other, &key(&user("1", "2"), "k"), LONG);
    claim(&bench.open_as("2"), &mine, LONG);
    // a claim is not an entry
    other.expect_evicted(&tenant("1"), 0);
}

pub(super) fn a_claim_ends_with_the_load(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let key = key(&user("1", "1"), "k");
    let mark = claim(&one, &key, LONG);
    bench.expect(
        one.fill(&key, &payload("v"), &mark),
        format_args!("the owner of the claim of {key} should be let store"),
    );
    other.expect_hit(&key, &payload("v"));
    bench.expect(other.evict(&key), "what was filled is an entry");
    claim(&other, &key, LONG);
}

pub(super) fn a_claim_can_be_given_back(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let key = key(&user("1", "1"), "k");
    let mark = claim(&one, &key, LONG);
    one.release(&key, &mark);
    one.miss(&key);
    let second = claim(&other, &key, LONG);
    // given back again by a former owner: no effect
    one.release(&key, &mark);
    expect_taken(&one, &key);
    other.release(&key, &second);
    claim(&one, &key, LONG);
}

pub(super) fn a_claim_can_be_given_to_all(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let key = |nth: u8| key(&user("1", "1"), &nth);
    for nth in 0..2 {
        let key = key(nth);
        let mark = claim(&one, &key, LONG);
        one.release_to_all(&key, &mark, LONG);
        one.miss(&key);
        let mine = claim(&one, &key, LONG);
        let others = claim(&other, &key, LONG);
        // an open claim has no owner, so these have no effect
        one.release(&key, &mine);
        one.release_to_all(&key, &mine, LONG);
        let evicted = nth == 1;
        if evicted {
            one.evict(&key);
        }
        bench.expect(
            other.fill(&key, &payload("v"), &others) != evicted,
            format_args!(
                "while a claim of {key} is anybody's, loads should be stored as without one"
            ),
        );
        if evicted {
            one.miss(&key);
        } else {
            one.expect_hit(&key, &payload("v"));
        }
    }
}

pub(super) fn a_claim_is_anybodys_for_its_time_only(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let key = key(&user("1", "1"), "k");
    let old = claim(&one, &key, LONG);
    one.release_to_all(&key, &old, SHORT);
    sleep_past_short(bench);
    claim(&other, &key, LONG);
    expect_taken(&one, &key);
    // by a former owner
    one.release_to_all(&key, &old, LONG);
    expect_taken(&one, &key);
}

/// The span of a claim that is to end. The wait for that is longer: a store that counts in whole seconds may round up, twice.
const SHORT: Duration = Duration::from_millis(50);

fn sleep_past_short(bench: &Bench<'_>) {
    sleep_past(Instant::now() + SHORT + 2 * bench.options().early);
}

pub(super) fn a_claim_ends_with_its_time(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let key = key(&user("1", "1"), "k");
    let _mark = claim(&one, &key, SHORT);
    sleep_past_short(bench);
    claim(&other, &key, LONG);
    expect_taken(&one, &key);
}

pub(super) fn an_old_owner_can_neither_store_nor_release(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let key = key(&user("1", "1"), "k");
    let old = claim(&one, &key, SHORT);
    sleep_past_short(bench);
    let new = claim(&other, &key, LONG);
    one.release(&key, &old);
    expect_taken(&one, &key);
    bench.expect(
        !one.fill(&key, &payload("old"), &old),
        format_args!("who held the claim of {key} before should not be let store"),
    );
    other.miss(&key);
    bench.expect(
        other.fill(&key, &payload("new"), &new),
        format_args!("who holds the claim of {key} should be let store"),
    );
    bench.expect(
        !one.fill(&key, &payload("old"), &old),
        format_args!(
            "who held the claim of {key} before should not be let store over the new value"
        ),
    );
    one.expect_hit(&key, &payload("new"));
}

pub(super) fn a_claim_ends_with_a_load_that_is_refused(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let place = user("1", "1");
    let disturb: [Disturb<'_>; 3] = [
        &|key| {
            other.evict(key);
        },
        &|_| {
            other.evict_by_scope(&place);
        },
        &|key| other.set(key, &payload("newer")),
    ];
    for (nth, disturb) in disturb.into_iter().enumerate() {
        let key = key(&place, &nth);
        let mark = claim(&one, &key, LONG);
        disturb(&key);
        bench.expect(
            !one.fill(&key, &payload("old"), &mark),
            format_args!("what disturbs a claimed load of {key} should make `fill` say false"),
        );
        claim(&other, &key, LONG);
    }
}

pub(super) fn an_eviction_wins_over_a_claimed_load(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let place = user("1", "1");
    let disturb: [(&str, Disturb<'_>); 4] = [
        ("evicting it", &|key| {
            other.evict(key);
        }),
        ("evicting its scope", &|_| {
            other.evict_by_scope(&place);
        }),
        ("clearing", &|_| other.clear()),
        ("setting it", &|key| other.set(key, &payload("newer"))),
    ];
    for (what, disturb) in disturb {
        let key = key(&place, what);
        let mark = claim(&one, &key, LONG);
        disturb(&key);
        bench.expect(
            !one.fill(&key, &payload("old"), &mark),
            format_args!("{what} during a claimed load of {key} should make `fill` say false"),
        );
        let found = one.hit(&key);
        bench.expect(
            found != Some(payload("old")),
            format_args!("{what} during a claimed load of {key} should leave no old value"),
        );
        // the load is over, and so is its claim
        one.release(&key, &mark);
        other.evict(&key);
        claim(&other, &key, LONG);
    }
}

pub(super) fn claims_are_said_to_be_unsupported(bench: &Bench<'_>) {
    let store = bench.open();
    let lease = store.lease(&key(&user("1", "1"), "k"), LONG);
    bench.expect(
        matches!(lease, Lease::Unsupported),
        format_args!("`lease` should say that there are no claims; it says {lease:?}"),
    );
}

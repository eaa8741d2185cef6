//! Lifetimes: what is left of one, and that nothing is found after its end. In real time, as short as can be.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::bench::{Bench, Store};
use super::keys::{key, payload, payload_for, tenant, user};
use crate::key::Key;

/// Stores count in whole milliseconds, and some look at their clock only now and then.
const CLOCK_STEPS: Duration = Duration::from_millis(10);
/// How often a check is tried again with longer lifetimes, on a machine where an operation takes as long as they do.
const ATTEMPTS: u32 = 6;

/// Sleeps until `end` is over by the clock of a store as well.
pub(super) fn sleep_past(end: Instant) {
    sleep((end + CLOCK_STEPS).saturating_duration_since(Instant::now()));
}

/// Runs `body` with a lifetime to try it with; if it says that that was too short to tell, with longer ones.
fn with_lifetimes(bench: &Bench<'_>, mut body: impl FnMut(Duration) -> bool) {
    let early = bench.options().early;
    let told = (0..ATTEMPTS).any(|nth| body(Duration::from_millis(100 << nth) + 2 * early));
    bench.expect(told, "operations take seconds: too long to tell");
}

/// Looks `key` up, which was stored between `before` and `after` for `lifetime`, and checks what is found. False if it may have gone
/// by the time it was found out.
fn check_left(
    store: &Store<'_>,
    key: &Key,
    lifetime: Duration,
    (before, after): (Instant, Instant),
) -> bool {
    let asked = Instant::now();
    let found = store.hit(key);
    let least = lifetime.saturating_sub(before.elapsed());
    let least = least.saturating_sub(store.bench.options().early + CLOCK_STEPS);
    let most = lifetime.saturating_sub(asked - after) + CLOCK_STEPS;
    let Some(found) = found else {
        store.bench.expect(
            least.is_zero(),
            format_args!("an entry should live for {lifetime:?}, and was gone {least:?} early"),
        );
        return false;
    };
    let left = found.lifetime;
    store.bench.expect(
        left.is_some_and(|left| left <= most && left >= least),
        format_args!(
            "from {least:?} to {most:?} should be left of {lifetime:?}, and it is {left:?}"
        ),
    );
    !least.is_zero()
}

pub(super) fn an_entry_is_gone_after_its_lifetime(bench: &Bench<'_>) {
    let store = bench.open();
    let scope = user("1", "1");
    with_lifetimes(bench, |lifetime| {
        let key = key(&scope, &lifetime.as_millis());
        let before = Instant::now();
        store.set(&key, &payload_for(lifetime, "v"));
        let after = Instant::now();
        let told = check_left(&store, &key, lifetime, (before, after));
        sleep_past(after + lifetime);
        bench.expect(
            store.hit(&key).is_none(),
            format_args!("an entry with a lifetime of {lifetime:?} should be gone after that"),
        );
        bench.expect(
            !store.evict(&key),
            "evicting what has expired should say false",
        );
        told
    });
    store.expect_evicted(&tenant("1"), 0);
}

pub(super) fn what_is_left_never_grows(bench: &Bench<'_>) {
    let store = bench.open();
    with_lifetimes(bench, |lifetime| {
        // another instance, which has not seen it stored
        let reader = bench.open();
        let key = key(&tenant("1"), &lifetime.as_millis());
        let before = Instant::now();
        store.set(&key, &payload_for(lifetime, "v"));
        let stored = (before, Instant::now());
        (0..5).all(|_| {
            let told = check_left(&reader, &key, lifetime, stored);
            sleep(lifetime / 20);
            told
        })
    });
}

pub(super) fn a_new_value_has_its_own_lifetime(bench: &Bench<'_>) {
    let store = bench.open();
    let hour = Duration::from_secs(3600);
    let key = key(&tenant("1"), "k");
    with_lifetimes(bench, |short| {
        // none in the place of a short one
        store.set(&key, &payload_for(short, "v"));
        store.set(&key, &payload("forever"));
        sleep_past(Instant::now() + short);
        store.expect_hit(&key, &payload("forever"));

        // a longer one
        store.set(&key, &payload_for(short, "v"));
        let before = Instant::now();
        store.set(&key, &payload_for(hour, "v"));
        let stored = (before, Instant::now());
        sleep_past(stored.1 + short);
        let told = check_left(&store, &key, hour, stored);

        // a short one in the place of a long one
        store.set(&key, &payload_for(short, "v"));
        sleep_past(Instant::now() + short);
        bench.expect(
            store.hit(&key).is_none(),
            format_args!("the last lifetime was {short:?}, and it should be over"),
        );
        told
    });
}

pub(super) fn lifetimes_of_any_length_are_kept(bench: &Bench<'_>) {
    let store = bench.open();
    let day = Duration::from_secs(24 * 3600);
    let key = key(&tenant("1"), "k");
    // thirty days are where Memcached begins to take them for dates
    for lifetime in [day, 30 * day, 31 * day, 365 * day, 50 * 365 * day] {
        let before = Instant::now();
        store.set(&key, &payload_for(lifetime, "v"));
        let stored = (before, Instant::now());
        let told = check_left(&store, &key, lifetime, stored);
        bench.expect(told, "an operation takes days");
    }
    // longer than a store can count, so as good as none
    for lifetime in [Duration::from_secs(1 << 40), Duration::MAX] {
        store.set(&key, &payload_for(lifetime, "v"));
        bench.expect(
            store.hit(&key).is_some(),
            format_args!("an entry should live for {lifetime:?}, and is gone"),
        );
    }
    // shorter than a store can count, so as good as over
    for lifetime in [Duration::from_nanos(1), Duration::from_micros(999)] {
        store.set(&key, &payload_for(lifetime, "v"));
        sleep_past(Instant::now() + lifetime);
        bench.expect(
            store.hit(&key).is_none(),
            format_args!("an entry with a lifetime of {lifetime:?} should be gone after that"),
        );
    }
}

//! Lifetimes: what is left of one, and that nothing is found after its end. In real time, as short as possible.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::bench::{Bench, Store, show};
use super::keys::{key, payload, payload_for, tenant, user};
use crate::backend::Payload;
use crate::key::Key;

/// Tolerance: stores count in whole milliseconds, and some read their clock only now and then.
const CLOCK_STEPS: Duration = Duration::from_millis(10);
/// How many times a check is repeated with longer lifetimes, on a machine where an operation takes as long as they do.
const ATTEMPTS: u32 = 6;

/// Sleeps until `end` has passed by a store's clock as well.
pub(super) fn sleep_past(end: Instant) {
    sleep((end + CLOCK_STEPS).saturating_duration_since(Instant::now()));
}

/// Runs `body` with a lifetime to test with. If `body` says that this was too short to tell, repeats it with longer ones.
fn with_lifetimes(bench: &Bench<'_>, mut body: impl FnMut(Duration) -> bool) {
    let early = bench.options().early;
    let told = (0..ATTEMPTS).any(|nth| body(Duration::from_millis(100 << nth) + 2 * early));
    bench.expect(told, "operations take seconds: too long to tell");
}

/// Looks up `key`, which was stored between `before` and `after` for `lifetime`, and checks what is found. False if the entry may have
/// expired during the lookup.
fn check_left(
    store: &Store<'_>,
    key: &Key,
    lifetime: Duration,
    (before, after): (Instant, Instant),
) -> bool {
    let asked = Instant::now();
    let found = store.hit(key);
    check_found(store.bench, key, found, asked, lifetime, (before, after))
}

/// [`check_left`] for a value that was asked for at `asked`.
fn check_found(
    bench: &Bench<'_>,
    key: &Key,
    found: Option<Payload>,
    asked: Instant,
    lifetime: Duration,
    (before, after): (Instant, Instant),
) -> bool {
    // the store may report what is left at the lookup's end, and the backend must subtract what passed since its beginning
    let least = lifetime.saturating_sub(before.elapsed() + asked.elapsed());
    let least = least.saturating_sub(bench.options().early + CLOCK_STEPS);
    let most = lifetime.saturating_sub(asked - after) + CLOCK_STEPS;
    let Some(found) = found else {
        bench.expect(
            least.is_zero(),
            format_args!("{key} should live for {lifetime:?}, and was gone {least:?} early"),
        );
        return false;
    };
    let left = found.lifetime;
    bench.expect(
        left.is_some_and(|left| left <= most && left >= least),
        format_args!(
            "from {least:?} to {most:?} should be left of the {lifetime:?} of {key}, and it is {left:?}"
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
        // another instance, which did not store the value
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
    let key = |args: &str| key(&tenant("1"), args);
    let (endless, longer, shorter) = (key("endless"), key("longer"), key("shorter"));
    with_lifetimes(bench, |short| {
        for key in [&endless, &longer] {
            store.set(key, &payload_for(short, "v"));
        }
        store.set(&shorter, &payload_for(hour, "v"));

        store.set(&endless, &payload("v"));
        let before = Instant::now();
        store.set(&longer, &payload_for(hour, "v"));
        let stored = (before, Instant::now());
        store.set(&shorter, &payload_for(short, "v"));
        sleep_past(Instant::now() + short);

        store.expect_hit(&endless, &payload("v"));
        bench.expect(
            store.hit(&shorter).is_none(),
            format_args!("the last lifetime was {short:?}, and it should be over"),
        );
        check_left(&store, &longer, hour, stored)
    });
}

/// An operation that stores an entry, by name.
type Way = (&'static str, fn(&Store<'_>, &Key, &Payload));

const WAYS: [Way; 4] = [
    ("set_many", |store, key, value| {
        store.set_many(&[(key.clone(), value.clone())]);
    }),
    ("fill", |store, key, value| {
        store.fill(key, value, &store.miss(key));
    }),
    ("fill_many", |store, key, value| {
        store.fill_many(&[(key.clone(), value.clone(), store.miss(key))]);
    }),
    ("put", |store, key, value| {
        store.put(key, value, &store.mark(key));
    }),
];

pub(super) fn a_lifetime_is_kept_however_it_is_stored(bench: &Bench<'_>) {
    let store = bench.open();
    with_lifetimes(bench, |lifetime| {
        let stored = WAYS.map(|(way, store_by)| {
            let key = key(&user("1", "1"), &(way, lifetime.as_millis()));
            let before = Instant::now();
            store_by(&store, &key, &payload_for(lifetime, "v"));
            let stored = (before, Instant::now());
            let told = check_left(&store, &key, lifetime, stored);
            (key, told)
        });
        sleep_past(Instant::now() + lifetime);
        for (key, _) in &stored {
            bench.expect(
                store.hit(key).is_none(),
                format_args!("{key}, with a lifetime of {lifetime:?}, should be gone after that"),
            );
        }
        stored.iter().all(|(_, told)| *told)
    });
}

pub(super) fn many_are_read_with_what_is_left(bench: &Bench<'_>) {
    let store = bench.open();
    let hour = Duration::from_secs(3600);
    with_lifetimes(bench, |short| {
        let lifetimes = [
            ("endless", None),
            ("shorter", Some(short)),
            ("longer", Some(hour)),
        ];
        let keys = lifetimes.map(|(name, _)| key(&tenant("1"), &(name, short.as_millis())));
        let stored: Vec<_> = keys
            .iter()
            .zip(lifetimes)
            .map(|(key, (_, lifetime))| {
                let before = Instant::now();
                store.set(
                    key,
                    &Payload {
                        lifetime,
                        ..payload("v")
                    },
                );
                (before, Instant::now())
            })
            .collect();
        let read = |short_is_over: bool| {
            let asked = Instant::now();
            let mut told = true;
            for (nth, found) in store.get_many(&keys).into_iter().enumerate() {
                let (key, found) = (&keys[nth], found.hit());
                match lifetimes[nth].1 {
                    None => bench.expect(
                        found == Some(payload("v")),
                        format_args!(
                            "{key} should have no end, and there is {}",
                            show(found.as_ref())
                        ),
                    ),
                    Some(lifetime) if lifetime == short && short_is_over => bench.expect(
                        found.is_none(),
                        format_args!(
                            "{key}, with a lifetime of {short:?}, should be gone after that"
                        ),
                    ),
                    Some(lifetime) => {
                        told &= check_found(bench, key, found, asked, lifetime, stored[nth]);
                    }
                }
            }
            told
        };
        // more time passes than the tolerance for clock steps
        sleep(short / 4);
        let told = read(false);
        sleep_past(Instant::now() + short);
        told & read(true)
    });
}

pub(super) fn lifetimes_of_any_length_are_kept(bench: &Bench<'_>) {
    let store = bench.open();
    let day = Duration::from_secs(24 * 3600);
    let key = key(&tenant("1"), "k");
    // from thirty days on, Memcached takes lifetimes for dates
    for lifetime in [day, 30 * day, 31 * day, 365 * day, 50 * 365 * day] {
        let before = Instant::now();
        store.set(&key, &payload_for(lifetime, "v"));
        let stored = (before, Instant::now());
        let told = check_left(&store, &key, lifetime, stored);
        bench.expect(told, "an operation takes days");
    }
    // longer than a store can count, so as good as without an end
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

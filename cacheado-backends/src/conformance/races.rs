//! Loads that race with invalidations, on real threads.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::bench::{Bench, Store};
use super::keys::{key, payload, session, tenant};
use super::threads::join;
use crate::backend::{Lookup, Payload};
use crate::key::Key;
use crate::scope::Scope;

/// How many times each invalidation is raced.
const ROUNDS: u64 = 50;
const LOADERS: usize = 3;
/// How many lookups follow an invalidation. A loader has mostly stored a value long before the last.
const LOOKS: u32 = 1_000;

type Invalidate<'a> = &'a dyn Fn(&Store<'_>);

/// Threads load the value of a source while one changes the source and then invalidates. A value found after an invalidation has
/// returned is never older than it.
pub(super) fn no_old_value_is_left_by_loads_that_race_with_evictions(bench: &Bench<'_>) {
    let place = session("1", "1", "1");
    let key = key(&place, "k");
    let invalidations: [(&str, Invalidate<'_>); 4] = [
        ("evicting the entry", &|store| {
            store.evict(&key);
        }),
        ("evicting a scope", &|store| {
            store.evict_by_scope(&tenant("1"));
        }),
        ("evicting everything", &|store| {
            store.evict_by_scope(&Scope::global());
        }),
        ("clearing", &|store| store.clear()),
    ];
    for (what, invalidate) in invalidations {
        race(bench, &key, what, invalidate);
    }
}

fn race(bench: &Bench<'_>, key: &Key, what: &str, invalidate: Invalidate<'_>) {
    let source = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let together = Barrier::new(LOADERS + 1);
    thread::scope(|scope| {
        let loads = || {
            let store = bench.open();
            together.wait();
            while !done.load(Ordering::Acquire) {
                if let Lookup::Miss(mark) = store.get(key) {
                    let value = source.load(Ordering::SeqCst);
                    thread::yield_now();
                    store.fill(key, &payload(value.to_le_bytes()), &mark);
                }
            }
        };
        let loaders: Vec<_> = (0..LOADERS).map(|_| scope.spawn(loads)).collect();
        let store = bench.open();
        together.wait();
        // ends the loaders also when this panics
        let end = End(&done);
        for newest in 1..=ROUNDS {
            source.store(newest, Ordering::SeqCst);
            invalidate(&store);
            // the first load to store a value is the one that began first
            let found = (0..LOOKS).find_map(|_| store.hit(key));
            let found = found.map(|found| number(&found));
            bench.expect(
                found.is_none_or(|found| found >= newest),
                format_args!("{what} in round {newest} left the value of round {found:?}"),
            );
        }
        drop(end);
        join(loaders);
    });
}

fn number(payload: &Payload) -> u64 {
    let bytes = (*payload.bytes).try_into().unwrap_or_default();
    u64::from_le_bytes(bytes)
}

struct End<'d>(&'d AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

//! One instance, used by many threads at once.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use super::bench::Bench;
use super::keys::{key, payload, tenant, user};
use crate::key::Key;

/// Waits for all of `threads`. Resumes the first panic among them, with its message.
pub(super) fn join<T>(threads: Vec<ScopedJoinHandle<'_, T>>) {
    for thread in threads {
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    }
}

/// Runs `work` on many threads at once, each with its number.
fn on_threads(work: impl Fn(usize) + Sync) {
    let work = &work;
    thread::scope(|scope| {
        let threads = (0..THREADS).map(|nth| scope.spawn(move || work(nth)));
        join(threads.collect());
    });
}

const THREADS: usize = 8;
const ROUNDS: usize = 25;

pub(super) fn threads_do_not_disturb_each_other(bench: &Bench<'_>) {
    let store = &bench.open();
    on_threads(|nth| {
        let place = user("1", &nth.to_string());
        for round in 0..ROUNDS {
            let key = key(&place, &(round % 5));
            let value = payload(format!("{nth} {round}"));
            store.set(&key, &value);
            store.expect_hit(&key, &value);
            bench.expect(
                store.evict(&key),
                format_args!("{key} is this thread's alone, and should be there to evict"),
            );
            store.miss(&key);
        }
    });
}

pub(super) fn a_value_is_never_half_of_two(bench: &Bench<'_>) {
    let store = &bench.open();
    let key = &key(&tenant("1"), "k");
    on_threads(|nth| {
        for round in 0..ROUNDS {
            // each thread's value has a length of its own and repeats the thread's number
            let number = u8::try_from(nth).unwrap_or_default();
            store.set(key, &payload(vec![number; 1_000 * (nth + 1) + round]));
            let found = store.hit(key);
            let whole = found.as_ref().is_some_and(|found| {
                let first = found.bytes.first().copied().unwrap_or_default();
                found.bytes.iter().all(|byte| *byte == first)
                    && found.bytes.len() / 1_000 == usize::from(first) + 1
            });
            bench.expect(
                whole,
                "what is found while several store should be what one of them stored",
            );
        }
    });
}

pub(super) fn an_entry_is_evicted_once(bench: &Bench<'_>) {
    let store = &bench.open();
    for round in 0..ROUNDS {
        let key = &key(&tenant("1"), &round);
        store.set(key, &payload("v"));
        let evicted = &AtomicUsize::new(0);
        on_threads(|_| {
            if store.evict(key) {
                evicted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let evicted = evicted.load(Ordering::Relaxed);
        bench.expect(
            evicted == 1,
            format_args!(
                "of {THREADS} evictions of one entry one should say true, and {evicted} do"
            ),
        );
    }
}

pub(super) fn each_entry_is_counted_once(bench: &Bench<'_>) {
    let store = &bench.open();
    on_threads(|nth| {
        for round in 0..ROUNDS {
            // two threads per user, and both store each of its entries
            let key: Key = key(&user("1", &(nth / 2).to_string()), &round);
            store.set(&key, &payload("v"));
        }
    });
    let total = (THREADS / 2 * ROUNDS) as u64;
    store.expect_evicted(&user("1", "0"), ROUNDS as u64);
    store.expect_evicted(&tenant("1"), total - ROUNDS as u64);
}

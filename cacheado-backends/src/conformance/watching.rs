//! Watching: what another instance does is reported, and what an instance does itself is not.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use super::bench::{Bench, Store};
use super::keys::{key, payload, session, tenant, user};
use crate::backend::{Change, Changes};
use crate::key::Key;
use crate::scope::Scope;

/// The reports to an instance.
struct Watch<'b> {
    bench: &'b Bench<'b>,
    changes: Receiver<Change>,
}

impl<'b> Watch<'b> {
    /// Watches `store`, and waits until all is reported.
    fn of(store: &Store<'b>) -> Self {
        let (sender, changes) = channel();
        let sender = Mutex::new(sender);
        let watches = store.watch(Changes::new(move |change| {
            if let Ok(sender) = sender.lock() {
                // fails after the check has ended
                let _ = sender.send(change);
            }
        }));
        let bench = store.bench;
        bench.expect(watches, "`watch` should say that it will report");
        let watch = Self { bench, changes };
        watch.until("`Covered`", |change| matches!(change, Change::Covered));
        watch
    }

    /// The reports before the first one that `ends`.
    fn until(&self, awaited: &str, ends: impl Fn(&Change) -> bool) -> Vec<Change> {
        let (began, limit) = (Instant::now(), self.bench.options().reported_within);
        let mut before = Vec::new();
        loop {
            let left = limit.saturating_sub(began.elapsed());
            match self.changes.recv_timeout(left) {
                Ok(change) if ends(&change) => return before,
                Ok(change) => before.push(change),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => self.bench.fail(
                    format_args!("{awaited} should be reported; instead there is {before:?}"),
                ),
            }
        }
    }

    /// Waits for a report that concerns all of `scope`.
    fn until_scope(&self, scope: &Scope) -> Vec<Change> {
        let awaited = format!("the eviction of {scope}");
        self.until(&awaited, |change| match change {
            Change::All => true,
            Change::Scope(reported) => reported.contains(scope),
            _ => false,
        })
    }

    /// Waits for a report that concerns `key`.
    fn until_key(&self, key: &Key) -> Vec<Change> {
        let awaited = format!("a change of {key}");
        self.until(&awaited, |change| concerns(change, key))
    }
}

fn concerns(change: &Change, key: &Key) -> bool {
    match change {
        Change::Key(reported) => reported == key,
        Change::Scope(scope) => scope.contains(&key.scope()),
        Change::All => true,
        Change::Covered | Change::Lost => false,
    }
}

fn places() -> [Scope; 3] {
    [Scope::global(), tenant("1"), session("1", "a/b", "ü")]
}

pub(super) fn what_others_evict_is_reported(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let watch = Watch::of(&one);
    for place in places() {
        let key = key(&place, "k");
        other.set(&key, &payload("v"));
        watch.until_key(&key);
        other.evict(&key);
        watch.until_key(&key);
        // also an entry that the store does not have: a process may have it
        other.evict(&key);
        watch.until_key(&key);
        other.evict_by_scope(&place);
        watch.until_scope(&place);
    }
}

pub(super) fn what_others_store_is_reported(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let watch = Watch::of(&one);
    for place in places() {
        let key = key(&place, "k");
        for value in ["v", "w"] {
            other.set(&key, &payload(value));
            watch.until_key(&key);
        }
        let mark = other.mark(&key);
        other.put(&key, &payload("x"), &mark);
        watch.until_key(&key);
        other.set_many(&[(key.clone(), payload("y"))]);
        watch.until_key(&key);
        // a refused `put` removes the entry
        let mark = other.mark(&key);
        other.set(&key, &payload("z"));
        watch.until_key(&key);
        other.put(&key, &payload("refused"), &mark);
        watch.until_key(&key);
    }
}

pub(super) fn what_others_clear_is_reported(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let watch = Watch::of(&one);
    other.clear();
    watch.until_scope(&Scope::global());
    other.evict_by_scope(&Scope::global());
    watch.until_scope(&Scope::global());
}

/// Runs each operation that is reported.
fn do_all(store: &Store<'_>, key: &Key) {
    store.set(key, &payload("v"));
    let mark = store.mark(key);
    store.put(key, &payload("w"), &mark);
    store.set_many(&[(key.clone(), payload("x"))]);
    store.evict(key);
    store.evict_by_scope(&key.scope());
    store.evict_by_scope(&Scope::global());
    store.clear();
}

pub(super) fn what_one_does_oneself_is_not_reported(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let watch = Watch::of(&one);
    do_all(&one, &key(&user("1", "1"), "mine"));
    // comes last, so earlier reports come before it
    let fence = key(&user("2", "2"), "fence");
    other.evict(&fence);
    let before = watch.until_key(&fence);
    bench.expect(
        before.is_empty(),
        format_args!("what an instance does itself should not be reported to it, as {before:?} is"),
    );
}

pub(super) fn what_happens_in_other_caches_is_not_reported(bench: &Bench<'_>) {
    let (one, other) = (bench.open(), bench.open());
    let watch = Watch::of(&one);
    do_all(&bench.open_as("2"), &key(&user("1", "1"), "k"));
    let fence = key(&user("2", "2"), "fence");
    other.evict(&fence);
    let before = watch.until_key(&fence);
    bench.expect(
        before.is_empty(),
        format_args!(
            "what happens in a cache of another name should not be reported, as {before:?} is"
        ),
    );
}

pub(super) fn watching_is_said_to_be_unsupported(bench: &Bench<'_>) {
    let store = bench.open();
    bench.expect(
        !store.watch(Changes::new(|_| {})),
        "`watch` should say that nothing will be reported",
    );
}

//! Evictions that could not be sent: the shared tier's entries under them are outdated.
//!
//! They are kept until a dedicated thread has sent them. Their number is bounded. Beyond the bound everything is evicted, which is
//! safe but expensive.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use cacheado_backends::{Key, Scope};

use crate::sync::{Mutex, lock};

/// The most keys and scopes that are kept.
const MOST: usize = 10_000;

/// What must be evicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    Key(Key),
    Scope(Scope),
    All,
}

#[derive(Default)]
pub(crate) struct Outbox {
    pending: Mutex<Pending>,
    /// Avoids taking the lock while there is nothing to send.
    any: AtomicBool,
}

/// The evictions to send. Each has a turn. A newer eviction of the same key or scope replaces the turn.
#[derive(Default)]
struct Pending {
    number: u64,
    all: Option<Turn>,
    scopes: HashMap<Scope, Turn>,
    keys: HashMap<Key, Turn>,
    /// The keys and scopes, in the order in which they are sent.
    order: BTreeMap<Turn, Eviction>,
    /// A thread is sending.
    sending: bool,
}

/// The order of sending: fewest failures first, then oldest first. So evictions that can't be sent, because one of several servers is
/// down or refuses, do not hold up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    failures: u32,
    number: u64,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.all.is_none() && self.order.is_empty()
    }

    /// The turn of `eviction`, if it is pending.
    fn turn_of(&self, eviction: &Eviction) -> Option<Turn> {
        match eviction {
            Eviction::Key(key) => self.keys.get(key).copied(),
            Eviction::Scope(scope) => self.scopes.get(scope).copied(),
            Eviction::All => self.all,
        }
    }

    /// Gives `eviction` this turn, in place of its old one.
    fn give(&mut self, eviction: Eviction, turn: Turn) {
        let old = match &eviction {
            Eviction::Key(key) => self.keys.insert(key.clone(), turn),
            Eviction::Scope(scope) => self.scopes.insert(scope.clone(), turn),
            Eviction::All => {
                self.all = Some(turn);
                return;
            }
        };
        if let Some(old) = old {
            self.order.remove(&old);
        }
        self.order.insert(turn, eviction);
    }

    fn remove(&mut self, eviction: &Eviction) {
        let turn = match eviction {
            Eviction::Key(key) => self.keys.remove(key),
            Eviction::Scope(scope) => self.scopes.remove(scope),
            Eviction::All => {
                self.all = None;
                return;
            }
        };
        if let Some(turn) = turn {
            self.order.remove(&turn);
        }
    }
}

impl Outbox {
    /// Keeps `eviction` until it is sent. Returns whether the caller must start sending.
    pub(crate) fn keep(&self, eviction: Eviction) -> bool {
        let mut pending = lock(&self.pending);
        let pending = &mut *pending;
        pending.number += 1;
        let turn = Turn {
            failures: 0,
            number: pending.number,
        };
        match eviction {
            Eviction::Scope(scope) if scope.level().depth() == 0 => {
                pending.give(Eviction::All, turn);
            }
            eviction => pending.give(eviction, turn),
        }
        if pending.all.is_some() || pending.order.len() > MOST {
            // with the turn of this eviction: an earlier `All` may have been sent already and only lack its answer
            pending.all = Some(turn);
            pending.keys.clear();
            pending.scopes.clear();
            pending.order.clear();
        }
        self.any.store(true, Ordering::Release);
        !std::mem::replace(&mut pending.sending, true)
    }

    /// How many evictions are kept.
    pub(crate) fn len(&self) -> usize {
        if !self.any.load(Ordering::Acquire) {
            return 0;
        }
        let pending = lock(&self.pending);
        pending.order.len() + usize::from(pending.all.is_some())
    }

    /// Whether the shared tier's entry under `key` is known to be outdated.
    pub(crate) fn covers(&self, key: &Key) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let pending = lock(&self.pending);
        if pending.all.is_some() || pending.keys.contains_key(key) {
            return true;
        }
        if pending.scopes.is_empty() {
            return false;
        }
        let mut scope = Some(key.scope());
        while let Some(within) = scope {
            if pending.scopes.contains_key(&within) {
                return true;
            }
            scope = within.parent();
        }
        false
    }

    /// Drops the pending eviction of `key`, because the shared tier has a newer value.
    pub(crate) fn forget(&self, key: &Key) {
        if self.any.load(Ordering::Acquire) {
            let mut pending = lock(&self.pending);
            pending.remove(&Eviction::Key(key.clone()));
            self.any.store(!pending.is_empty(), Ordering::Release);
        }
    }

    /// The next eviction to send, and its turn. On `None` the caller must stop sending.
    pub(crate) fn next(&self) -> Option<(Eviction, Turn)> {
        let mut pending = lock(&self.pending);
        if let Some(turn) = pending.all {
            return Some((Eviction::All, turn));
        }
        if let Some((turn, eviction)) = pending.order.first_key_value() {
            return Some((eviction.clone(), *turn));
        }
        pending.sending = false;
        None
    }

    /// Records that `eviction` was sent at its `turn`. A newer one of the same key or scope stays.
    pub(crate) fn sent(&self, eviction: &Eviction, turn: Turn) {
        let mut pending = lock(&self.pending);
        if pending.turn_of(eviction) == Some(turn) {
            pending.remove(eviction);
        }
        self.any.store(!pending.is_empty(), Ordering::Release);
    }

    /// Records that `eviction` could not be sent at its `turn`, which puts it behind others.
    pub(crate) fn not_sent(&self, eviction: Eviction, turn: Turn) {
        let mut pending = lock(&self.pending);
        if pending.turn_of(&eviction) == Some(turn) {
            let failures = turn.failures.saturating_add(1);
            pending.give(eviction, Turn { failures, ..turn });
        }
    }

    /// Records that nobody is sending any more, though evictions may be left.
    pub(crate) fn stop_sending(&self) {
        lock(&self.pending).sending = false;
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use cacheado_backends::Hierarchy;

    use super::*;
    use crate::operations::key;

    fn key_of(n: u32) -> Key {
        key(&Scope::global(), &n).expect("a number is a key")
    }

    #[test]
    fn the_newest_of_a_key_is_kept_until_it_is_sent() {
        let outbox = Outbox::default();
        assert!(outbox.keep(Eviction::Key(key_of(1))));
        let (eviction, old) = outbox.next().expect("one");
        assert!(!outbox.keep(Eviction::Key(key_of(1))), "one sends already");
        outbox.sent(&eviction, old);
        assert!(outbox.covers(&key_of(1)), "there is a newer one");
        assert!(!outbox.covers(&key_of(2)));
        let (eviction, new) = outbox.next().expect("the newer one");
        outbox.sent(&eviction, new);
        assert!(!outbox.covers(&key_of(1)));
        assert!(outbox.next().is_none());
        assert!(
            outbox.keep(Eviction::Key(key_of(1))),
            "nobody sends any more"
        );
    }

    #[test]
    fn what_can_not_be_sent_holds_up_nothing_that_can() {
        let outbox = Outbox::default();
        outbox.keep(Eviction::Key(key_of(1)));
        outbox.keep(Eviction::Key(key_of(2)));
        let mut sent = Vec::new();
        for _ in 0..5 {
            let Some((eviction, turn)) = outbox.next() else {
                break;
            };
            if eviction == Eviction::Key(key_of(1)) {
                outbox.not_sent(eviction, turn);
            } else {
                outbox.sent(&eviction, turn);
                sent.push(eviction);
            }
        }
        assert_eq!(sent, [Eviction::Key(key_of(2))]);
        assert!(outbox.covers(&key_of(1)) && !outbox.covers(&key_of(2)));
        // a new eviction of the same key starts over
        outbox.keep(Eviction::Key(key_of(3)));
        outbox.keep(Eviction::Key(key_of(1)));
        let (eviction, turn) = outbox
            .next()
            .expect("the older of two that have not failed");
        assert_eq!(eviction, Eviction::Key(key_of(3)));
        outbox.sent(&eviction, turn);
        let (eviction, turn) = outbox.next().expect("the newer");
        outbox.sent(&eviction, turn);
        assert!(outbox.next().is_none() && !outbox.covers(&key_of(1)));
    }

    #[test]
    fn too_many_are_everything() {
        let outbox = Outbox::default();
        for n in 0..=u32::try_from(MOST).expect("a small number") {
            outbox.keep(Eviction::Key(key_of(n)));
        }
        assert!(outbox.covers(&key_of(u32::MAX)));
        let (eviction, number) = outbox.next().expect("everything");
        assert!(matches!(eviction, Eviction::All));
        outbox.sent(&eviction, number);
        assert!(outbox.next().is_none());
        // of what was part of everything nothing comes back
        outbox.keep(Eviction::Key(key_of(1)));
        assert!(outbox.covers(&key_of(1)) && !outbox.covers(&key_of(0)));
    }

    #[test]
    fn a_scope_is_pending_for_what_is_in_it_and_below_it_alone() {
        let hierarchy = Hierarchy::builder()
            .level("room", "room_id")
            .level_under("room", "shelf", "shelf_id")
            .build()
            .expect("a sound hierarchy");
        let room = |room: &str| hierarchy.scope("room", [("room_id", room)]);
        let shelf =
            |room, shelf| hierarchy.scope("shelf", [("room_id", room), ("shelf_id", shelf)]);
        let scopes = || {
            let scopes = [room("1"), shelf("1", "1"), shelf("1", "2"), room("11")];
            let scopes = scopes.map(|scope| scope.expect("all ids are given"));
            scopes.into_iter().chain([Scope::global()])
        };
        let keys: Vec<Key> = scopes()
            .map(|scope| key(&scope, &1).expect("a number is a key"))
            .collect();
        let covered = [
            [true, true, true, false, false],
            [false, true, false, false, false],
            [false, false, true, false, false],
            [false, false, false, true, false],
            [true; 5],
        ];
        for (scope, covered) in scopes().zip(covered) {
            let outbox = Outbox::default();
            outbox.keep(Eviction::Scope(scope));
            assert_eq!(outbox.len(), 1);
            for (key, covered) in keys.iter().zip(covered) {
                assert_eq!(outbox.covers(key), covered, "{key}");
            }
            // a newer value of one key leaves it pending for the others
            outbox.forget(&keys[1]);
            assert_eq!(outbox.covers(&keys[2]), covered[2]);
            let (eviction, turn) = outbox.next().expect("one");
            outbox.sent(&eviction, turn);
            assert!(!keys.iter().any(|key| outbox.covers(key)));
            assert_eq!(outbox.len(), 0);
        }
    }

    #[test]
    fn what_is_kept_while_everything_is_being_sent_is_sent_after_that() {
        let newer = [
            Eviction::Key(key_of(1)),
            Eviction::Scope(key_of(1).scope()),
            Eviction::All,
        ];
        for eviction in newer {
            let outbox = Outbox::default();
            outbox.keep(Eviction::All);
            let (all, old) = outbox.next().expect("everything");
            outbox.keep(eviction);
            outbox.sent(&all, old);
            assert!(outbox.covers(&key_of(1)), "there is a newer one");
            let (all, new) = outbox.next().expect("everything again");
            outbox.sent(&all, new);
            assert!(!outbox.covers(&key_of(1)) && outbox.next().is_none());
        }
    }

    #[test]
    fn a_newer_value_makes_an_eviction_needless() {
        let outbox = Outbox::default();
        outbox.keep(Eviction::Key(key_of(1)));
        outbox.keep(Eviction::Key(key_of(2)));
        outbox.forget(&key_of(1));
        assert!(!outbox.covers(&key_of(1)));
        assert!(outbox.covers(&key_of(2)), "of that there is none");
        outbox.forget(&key_of(2));
        assert!(!outbox.covers(&key_of(2)));
        assert_eq!(outbox.len(), 0);
        assert!(outbox.next().is_none());
    }
}

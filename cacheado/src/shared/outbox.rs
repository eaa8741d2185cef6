//! Invalidations that could not be sent: what the shared tier has under these is older than what is true.
//!
//! They are kept until they are sent, which a thread of their own sees to. There is a bound: beyond it everything is to be evicted,
//! which is safe, if it costs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use cacheado_backends::backend::Change;
use cacheado_backends::{Key, Scope};

use crate::sync::{Mutex, lock};

/// So many keys and scopes are kept.
const MOST: usize = 10_000;

#[derive(Default)]
pub(crate) struct Outbox {
    pending: Mutex<Pending>,
    /// So that nobody takes the lock while all is well.
    any: AtomicBool,
}

/// What is to be sent. Each has a number, which a newer one of the same key replaces.
#[derive(Default)]
struct Pending {
    number: u64,
    all: Option<u64>,
    scopes: HashMap<Scope, u64>,
    keys: HashMap<Key, u64>,
    /// A thread is sending.
    sending: bool,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.all.is_none() && self.scopes.is_empty() && self.keys.is_empty()
    }
}

impl Outbox {
    /// Keeps `change` until it is sent. Returns whether somebody has to begin sending.
    pub(crate) fn keep(&self, change: Change) -> bool {
        let mut pending = lock(&self.pending);
        let pending = &mut *pending;
        pending.number += 1;
        let number = pending.number;
        match change {
            Change::Key(key) => _ = pending.keys.insert(key, number),
            Change::Scope(scope) if scope.level().depth() > 0 => {
                _ = pending.scopes.insert(scope, number);
            }
            Change::Scope(_) | Change::All => pending.all = Some(number),
            Change::Covered | Change::Lost => return false,
        }
        if pending.keys.len() + pending.scopes.len() > MOST {
            pending.all = Some(number);
        }
        if pending.all.is_some() {
            pending.keys.clear();
            pending.scopes.clear();
        }
        self.any.store(true, Ordering::Release);
        !std::mem::replace(&mut pending.sending, true)
    }

    /// Whether what the shared tier has under `key` is known to be old.
    pub(crate) fn covers(&self, key: &Key) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let pending = lock(&self.pending);
        pending.all.is_some()
            || pending.keys.contains_key(key)
            || pending
                .scopes
                .keys()
                .any(|scope| scope.contains(&key.scope()))
    }

    /// The shared tier has a newer value of `key` than the one that was to be evicted.
    pub(crate) fn forget(&self, key: &Key) {
        if self.any.load(Ordering::Acquire) {
            let mut pending = lock(&self.pending);
            pending.keys.remove(key);
            self.any.store(!pending.is_empty(), Ordering::Release);
        }
    }

    /// What is to be sent next, and its number. Once there is nothing, the one who asks has to stop sending.
    pub(crate) fn next(&self) -> Option<(Change, u64)> {
        let mut pending = lock(&self.pending);
        if let Some(number) = pending.all {
            return Some((Change::All, number));
        }
        if let Some((scope, number)) = pending.scopes.iter().next() {
            return Some((Change::Scope(scope.clone()), *number));
        }
        if let Some((key, number)) = pending.keys.iter().next() {
            return Some((Change::Key(key.clone()), *number));
        }
        pending.sending = false;
        None
    }

    /// `change` with this `number` was sent. A newer one of the same stays.
    pub(crate) fn sent(&self, change: &Change, number: u64) {
        let mut pending = lock(&self.pending);
        match change {
            Change::Key(key) if pending.keys.get(key) == Some(&number) => {
                pending.keys.remove(key);
            }
            Change::Scope(scope) if pending.scopes.get(scope) == Some(&number) => {
                pending.scopes.remove(scope);
            }
            Change::All if pending.all == Some(number) => pending.all = None,
            _ => {}
        }
        self.any.store(!pending.is_empty(), Ordering::Release);
    }

    /// Nobody sends any more, though there may be something.
    pub(crate) fn stop_sending(&self) {
        lock(&self.pending).sending = false;
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::operations::key;

    fn key_of(n: u32) -> Key {
        key(&Scope::global(), &n).expect("a number is a key")
    }

    #[test]
    fn the_newest_of_a_key_is_kept_until_it_is_sent() {
        let outbox = Outbox::default();
        assert!(outbox.keep(Change::Key(key_of(1))));
        let (change, old) = outbox.next().expect("one");
        assert!(!outbox.keep(Change::Key(key_of(1))), "one sends already");
        outbox.sent(&change, old);
        assert!(outbox.covers(&key_of(1)), "there is a newer one");
        assert!(!outbox.covers(&key_of(2)));
        let (change, new) = outbox.next().expect("the newer one");
        outbox.sent(&change, new);
        assert!(!outbox.covers(&key_of(1)));
        assert!(outbox.next().is_none());
        assert!(outbox.keep(Change::Key(key_of(1))), "nobody sends any more");
    }

    #[test]
    fn too_many_are_everything() {
        let outbox = Outbox::default();
        for n in 0..=u32::try_from(MOST).expect("a small number") {
            outbox.keep(Change::Key(key_of(n)));
        }
        assert!(outbox.covers(&key_of(u32::MAX)));
        let (change, number) = outbox.next().expect("everything");
        assert!(matches!(change, Change::All));
        outbox.sent(&change, number);
        assert!(outbox.next().is_none());
        assert!(!outbox.covers(&key_of(0)));
    }

    #[test]
    fn a_newer_value_makes_an_eviction_needless() {
        let outbox = Outbox::default();
        outbox.keep(Change::Key(key_of(1)));
        outbox.forget(&key_of(1));
        assert!(!outbox.covers(&key_of(1)));
        assert!(outbox.next().is_none());
    }
}

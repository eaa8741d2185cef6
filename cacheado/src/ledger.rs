//! What a cache without values in the process knows of the entries in the shared tier, so that its rules can decide: the keys that
//! this process has met, and which of them the rules have chosen for eviction.

use std::sync::atomic::{AtomicBool, Ordering};

use cacheado_backends::Key;

use crate::sync::{Mutex, lock};

/// Stands for a value that is in the shared tier.
pub(crate) struct Elsewhere;

/// The keys that the rules have chosen for eviction, until the shared tier is told.
#[derive(Default)]
pub(crate) struct Ledger {
    chosen: Mutex<Vec<Key>>,
    /// Avoids taking the lock while there are none.
    any: AtomicBool,
}

impl Ledger {
    /// Records that the rules have chosen `key`. Called under the store's locks.
    pub(crate) fn note(&self, key: &Key) {
        lock(&self.chosen).push(key.clone());
        self.any.store(true, Ordering::Release);
    }

    /// The keys chosen since the last call.
    pub(crate) fn take(&self) -> Vec<Key> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut chosen = lock(&self.chosen);
        self.any.store(false, Ordering::Release);
        std::mem::take(&mut chosen)
    }
}

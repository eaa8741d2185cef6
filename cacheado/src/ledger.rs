//! What a cache that keeps no values in the process knows of those in the shared tier, so that its rules can decide: their keys, as
//! far as this process has met them, and which of them the rules have chosen to go.

use std::sync::atomic::{AtomicBool, Ordering};

use cacheado_backends::Key;

use crate::sync::{Mutex, lock};

/// Stands for a value that is in the shared tier.
pub(crate) struct Elsewhere;

/// What the rules have chosen to go, until the shared tier is told.
#[derive(Default)]
pub(crate) struct Ledger {
    chosen: Mutex<Vec<Key>>,
    /// So that nobody takes the lock for nothing.
    any: AtomicBool,
}

impl Ledger {
    /// The rules have chosen `key`. Called under the store's locks.
    pub(crate) fn note(&self, key: &Key) {
        lock(&self.chosen).push(key.clone());
        self.any.store(true, Ordering::Release);
    }

    /// What has been chosen since this was asked last.
    pub(crate) fn take(&self) -> Vec<Key> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut chosen = lock(&self.chosen);
        self.any.store(false, Ordering::Release);
        std::mem::take(&mut chosen)
    }
}

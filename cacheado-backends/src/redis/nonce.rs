//! Texts that nobody else has: what marks hold, and what tells one process's messages from another's.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// A random number that tells one backend value from all others, and counts.
pub(super) struct Nonces {
    id: u64,
    count: AtomicU64,
}

impl Nonces {
    pub(super) fn new() -> Self {
        Self {
            id: random(),
            count: AtomicU64::new(0),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// One that neither this nor any other gave before.
    pub(super) fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{:x}.{count:x}", self.id)
    }
}

/// A number that can't be told beforehand: the standard library keys its hashers with the system's randomness.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

//! Unique texts: the content of marks, and the sender's id in a process's messages.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// A random number that identifies one backend value, and a counter.
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

    /// A nonce that no backend value gave before.
    pub(super) fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{:x}.{count:x}", self.id)
    }
}

/// An unpredictable number: the standard library seeds its hashers with the system's randomness.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

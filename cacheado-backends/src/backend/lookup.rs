//! The result of a lookup in a shared tier, and the mark of the load that follows it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Payload;

/// The result of [`Backend::get`](super::Backend::get).
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The stored payload.
    Hit(Payload),
    /// Nothing is stored. The mark identifies a load that begins now.
    Miss(Mark),
}

impl Lookup {
    /// The stored payload, if there is one.
    #[must_use]
    pub fn hit(self) -> Option<Payload> {
        match self {
            Self::Hit(payload) => Some(payload),
            Self::Miss(_) => None,
        }
    }
}

impl From<Option<Payload>> for Lookup {
    /// For a backend without marks.
    fn from(found: Option<Payload>) -> Self {
        found.map_or_else(|| Self::Miss(Mark::none()), Self::Hit)
    }
}

/// What a store said about a key when a load of it began. It lets the store tell later whether the key was evicted or set since. The
/// content is the backend's own. A store that remembers evictions for a limited time refuses a load that is [older](Self::age) than
/// that.
#[derive(Clone)]
pub struct Mark {
    bytes: Option<Arc<[u8]>>,
    taken: Instant,
}

impl Mark {
    /// A mark with no content but the time it was taken.
    #[must_use]
    pub fn none() -> Self {
        Self {
            bytes: None,
            taken: Instant::now(),
        }
    }

    /// A mark with `bytes` in the backend's own format, for a load that began at `taken`: before the store was asked.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>, taken: Instant) -> Self {
        Self {
            bytes: Some(bytes.into()),
            taken,
        }
    }

    /// The backend's bytes; empty if there are none.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }

    /// Whether the bytes are missing.
    pub(super) fn says_nothing(&self) -> bool {
        self.bytes.is_none()
    }

    /// The time since it was taken.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.taken.elapsed()
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({})", self.bytes().escape_ascii())
    }
}

/// The result of claiming a load among all processes.
#[derive(Clone, Debug)]
pub enum Lease {
    /// The caller may load. The mark lets the store tell whether the claim still stands: once another caller has it, the load's value
    /// is not stored. Between the end of the claim and the next one, the store may decide either way. Or the load is [open to
    /// anybody](super::Backend::release_to_all) for a moment, and the mark is that of a load without a claim.
    Granted(Mark),
    /// Another caller has it.
    Taken,
    /// The store has no such claims.
    Unsupported,
}

//! What a look-up in a shared tier comes to, and what a load that follows it is known by.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Payload;

/// What [`Backend::get`](super::Backend::get) found.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// This is stored.
    Hit(Payload),
    /// Nothing is. A load that begins now is known by the mark.
    Miss(Mark),
}

impl Lookup {
    /// What is stored, if something is.
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

/// What a store said of a key when a load of it began: whatever lets it tell later whether the key was evicted or set since. What is in
/// it is the backend's affair. A store that does not know for ever what was evicted refuses a load that is [older](Self::age) than what it
/// knows.
#[derive(Clone)]
pub struct Mark {
    bytes: Option<Arc<[u8]>>,
    taken: Instant,
}

impl Mark {
    /// One that says nothing but when it was taken.
    #[must_use]
    pub fn none() -> Self {
        Self {
            bytes: None,
            taken: Instant::now(),
        }
    }

    /// One of `bytes`, which the backend will know how to read, for a load that began at `taken`: before the store was asked.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>, taken: Instant) -> Self {
        Self {
            bytes: Some(bytes.into()),
            taken,
        }
    }

    /// What the backend wrote; empty if nothing.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }

    /// Whether the backend wrote none.
    pub(super) fn says_nothing(&self) -> bool {
        self.bytes.is_none()
    }

    /// How long ago it was taken.
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

/// What came of claiming a load among all processes.
#[derive(Clone, Debug)]
pub enum Lease {
    /// It is the caller's. What the load finds is not stored once it is another's, which the mark lets the store tell; after it has run
    /// out and before another has it, the store may do as it likes. Or it is
    /// [anybody's](super::Backend::release_to_all) for a moment, and the mark is that of a load without one.
    Granted(Mark),
    /// It is another's.
    Taken,
    /// The store knows no such claims.
    Unsupported,
}

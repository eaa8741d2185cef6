//! Entries: what the in-process tier keeps, in one allocation each.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{NEVER, Tick};
use crate::key::Key;

/// A value of any type that entries may hold.
pub(crate) type AnyValue = dyn Any + Send + Sync;

/// An entry is not seated in the scope index.
pub(crate) const NO_SEAT: u32 = u32::MAX;

/// A key, its value, and what the store and its rules know of them.
pub struct Entry<V: ?Sized = AnyValue> {
    key: Key,
    /// Tells this entry from earlier and later ones of the same key.
    id: u64,
    /// The first moment at which it is not served any more.
    deadline: Tick,
    /// When it was used last, as [`Clock::stamp`](crate::clock::Clock::stamp) counts.
    used: AtomicU64,
    /// Where it sits among the entries of its scope; guarded by the index's lock.
    seat: AtomicU32,
    /// Whether the shared tier can have a copy.
    portable: bool,
    type_name: &'static str,
    value: V,
}

impl<V: Send + Sync + 'static> Entry<V> {
    pub(crate) fn new(
        key: Key,
        id: u64,
        deadline: Tick,
        used: u64,
        portable: bool,
        value: V,
    ) -> Arc<Entry> {
        Arc::new(Self {
            key,
            id,
            deadline,
            used: AtomicU64::new(used),
            seat: AtomicU32::new(NO_SEAT),
            portable,
            type_name: std::any::type_name::<V>(),
            value,
        })
    }
}

impl Entry {
    /// Which entry this is.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The value, if it is a `T`.
    #[inline]
    #[must_use]
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// The name of the value's type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn deadline(&self) -> Tick {
        self.deadline
    }

    pub(crate) fn is_portable(&self) -> bool {
        self.portable
    }

    /// Whether its lifetime is over.
    #[inline]
    pub(crate) fn is_expired(&self, now: Tick) -> bool {
        now >= self.deadline
    }

    /// What is left of its lifetime; `None` if it lives until evicted.
    pub(crate) fn remaining(&self, now: Tick) -> Option<Duration> {
        (self.deadline != NEVER).then(|| Duration::from_nanos(self.deadline.saturating_sub(now)))
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn touch(&self, stamp: u64) {
        self.used.store(stamp, Ordering::Relaxed);
    }

    pub(crate) fn seat(&self) -> u32 {
        self.seat.load(Ordering::Relaxed)
    }

    pub(crate) fn set_seat(&self, seat: u32) {
        self.seat.store(seat, Ordering::Relaxed);
    }
}

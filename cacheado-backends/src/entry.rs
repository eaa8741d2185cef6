//! Entries: what the in-process tier keeps, in one allocation each.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{NEVER, Tick};
use crate::key::Key;

/// A value of any type that entries may hold.
pub(crate) type AnyValue = dyn Any + Send + Sync;

/// A key, its value, and what the store and its rules know of them.
///
/// In this order: what a hit looks at lies side by side, in two cache lines if the key is short.
#[repr(C)]
pub struct Entry<V: ?Sized = AnyValue> {
    type_name: fn() -> &'static str,
    /// When it was used last, as [`Clock::stamp`](crate::clock::Clock::stamp) counts; kept if a rule asks for it.
    used: AtomicU64,
    /// Where it sits among the entries of its scope; guarded by the lock of `shard` of the index.
    pub(crate) scope: Seat,
    /// Where it sits among those that are due about the same time; guarded by the wheel's lock.
    pub(crate) due: Seat,
    /// What a rule keeps with it; guarded by the rule's own lock.
    note: AtomicU32,
    weight: u32,
    /// Whether the shared tier can have a copy.
    portable: bool,
    /// How often it was hit since a rule last asked, up to a small number.
    hits: AtomicU8,
    /// Which shard of the index it is in, if it is in one. Set once, before it is in the table.
    shard: AtomicU8,
    /// The first moment at which it is not served any more. Set once, before it is in the table.
    deadline: AtomicU64,
    key: Key,
    value: V,
}

impl<V: Send + Sync + 'static> Entry<V> {
    /// An entry that is in no store as yet. `weight`: how much of a cache's bound it takes. `portable`: whether the shared tier can
    /// have a copy.
    #[must_use]
    #[allow(clippy::new_ret_no_self, reason = "its value's type is forgotten")]
    pub fn new(key: Key, value: V, weight: u32, portable: bool) -> Arc<Entry> {
        Arc::new(Self {
            type_name: std::any::type_name::<V>,
            used: AtomicU64::new(0),
            scope: Seat::none(),
            due: Seat::none(),
            note: AtomicU32::new(u32::MAX),
            weight,
            portable,
            hits: AtomicU8::new(0),
            shard: AtomicU8::new(0),
            deadline: AtomicU64::new(NEVER),
            key,
            value,
        })
    }
}

impl Entry {
    /// Which entry this is.
    #[inline]
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
        (self.type_name)()
    }

    /// How many bytes an entry of `key` takes, about, beside its value: itself, a key that is too long to lie in it, and its places
    /// in the table and in the lists of its scope, of what expires, and of a rule.
    #[must_use]
    pub fn overhead(key: &Key) -> usize {
        const PLACES: usize = 24 + 20 + 20 + 40;
        let counts = 2 * size_of::<usize>();
        counts + size_of::<Entry<()>>() + key.heap_bytes() + PLACES
    }

    /// How much of a cache's bound it takes.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Tick {
        self.deadline.load(Ordering::Relaxed)
    }

    pub(crate) fn set_deadline(&self, deadline: Tick) {
        self.deadline.store(deadline, Ordering::Relaxed);
    }

    pub(crate) fn is_portable(&self) -> bool {
        self.portable
    }

    /// Whether its lifetime is over.
    #[inline]
    pub(crate) fn is_expired(&self, now: Tick) -> bool {
        now >= self.deadline()
    }

    /// What is left of its lifetime; `None` if it lives until evicted.
    pub(crate) fn remaining(&self, now: Tick) -> Option<Duration> {
        (self.deadline() != NEVER)
            .then(|| Duration::from_nanos(self.deadline().saturating_sub(now)))
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn touch(&self, stamp: u64) {
        self.used.store(stamp, Ordering::Relaxed);
    }

    /// Counts a hit, up to `most`: once there, a hit writes nothing. Hits that race may count as one.
    #[inline]
    pub(crate) fn count_hit(&self, most: u8) {
        let hits = self.hits.load(Ordering::Relaxed);
        if hits < most {
            self.hits.store(hits + 1, Ordering::Relaxed);
        }
    }

    /// How often it was hit since this was asked last.
    pub(crate) fn take_hits(&self) -> u8 {
        let hits = self.hits.load(Ordering::Relaxed);
        if hits > 0 {
            self.hits.store(0, Ordering::Relaxed);
        }
        hits
    }

    /// Which shard of the index it is in, if it is in one.
    pub(crate) fn shard(&self) -> u8 {
        self.shard.load(Ordering::Relaxed)
    }

    pub(crate) fn set_shard(&self, shard: u8) {
        self.shard.store(shard, Ordering::Relaxed);
    }

    pub(crate) fn note(&self) -> u32 {
        self.note.load(Ordering::Relaxed)
    }

    pub(crate) fn set_note(&self, note: u32) {
        self.note.store(note, Ordering::Relaxed);
    }
}

/// Where an entry sits in one of several lists: which list, and where in it. Read and written under the lists' lock only.
pub(crate) struct Seat {
    list: AtomicU32,
    place: AtomicU32,
}

/// Where nothing sits.
const NOWHERE: u32 = u32::MAX;

impl Seat {
    const fn none() -> Self {
        Self {
            list: AtomicU32::new(NOWHERE),
            place: AtomicU32::new(NOWHERE),
        }
    }

    /// The list, if it sits in one, and its place there.
    pub(crate) fn taken(&self) -> Option<(u32, usize)> {
        let list = self.list.load(Ordering::Relaxed);
        (list != NOWHERE).then(|| (list, self.place.load(Ordering::Relaxed) as usize))
    }

    pub(crate) fn take(&self, list: u32, place: usize) {
        self.list.store(list, Ordering::Relaxed);
        // no list has more than four billion entries: each takes more than a hundred bytes
        let place = u32::try_from(place).unwrap_or(NOWHERE);
        self.place.store(place, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.list.store(NOWHERE, Ordering::Relaxed);
    }
}

//! Entries: what the in-process tier keeps, in one allocation each.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{NEVER, Tick};
use crate::key::Key;

/// A value of any type that entries may hold.
pub trait Held: Any + Send + Sync {
    /// The name of its type.
    fn type_name(&self) -> &'static str;
}

impl<V: Any + Send + Sync> Held for V {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<V>()
    }
}

/// A key, its value, and what the store and its rules know of them.
///
/// In this order: what a hit looks at lies side by side, in two cache lines if the key is short.
#[repr(C)]
pub struct Entry<V: ?Sized = dyn Held> {
    /// What a rule keeps with it; guarded by the rule's own lock.
    note: AtomicU32,
    weight: u32,
    usage: Usage,
    /// The first moment at which it is not served any more. Set before it is in the table, and later only while it is held there.
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
            note: AtomicU32::new(u32::MAX),
            weight,
            usage: Usage::new(portable),
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
        let value: &dyn Any = &self.value;
        value.downcast_ref()
    }

    /// The name of the value's type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.value.type_name()
    }

    /// How many bytes an entry of `key` takes, about, beside its value: itself, a key that is too long to lie in it, and its places
    /// in the table, in the scope index, among what expires, and among what a rule keeps.
    #[must_use]
    pub fn overhead(key: &Key) -> usize {
        const PLACES: usize = 28 + 8 + 8 + 40;
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
        self.usage.is_portable()
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

    /// When it was used last, as [`Clock::stamp`](crate::clock::Clock::stamp) counts; kept if a rule asks for it.
    pub(crate) fn used(&self) -> u64 {
        self.usage.stamp()
    }

    #[inline]
    pub(crate) fn touch(&self, stamp: u64) {
        self.usage.touch(stamp);
    }

    /// Whether each hit is to [touch](Self::touch) it.
    #[inline]
    pub(crate) fn is_stamped(&self) -> bool {
        self.usage.is_stamped()
    }

    /// Has each hit touch it. Called before it is in the table, if at all.
    pub(crate) fn set_stamped(&self) {
        self.usage.set_stamped();
    }

    /// Counts a hit, up to `most`: once there, a hit writes nothing. Hits that race may count as one.
    #[inline]
    pub(crate) fn count_hit(&self, most: u8) {
        self.usage.count_hit(most);
    }

    /// How often it was hit since this was asked last.
    pub(crate) fn take_hits(&self) -> u8 {
        self.usage.take_hits()
    }

    pub(crate) fn note(&self) -> u32 {
        self.note.load(Ordering::Relaxed)
    }

    pub(crate) fn set_note(&self, note: u32) {
        self.note.store(note, Ordering::Relaxed);
    }
}

/// How many hits of an entry are told apart.
pub(crate) const MOST_HITS: u8 = 15;

/// What is known of the uses of an entry, in one word: when the last one was, and in few bits below that, whether hits are to set
/// that, whether the shared tier can have a copy, and how many hits there were since a rule last asked.
struct Usage(AtomicU64);

impl Usage {
    const HITS: u64 = MOST_HITS as u64;
    const PORTABLE: u64 = Self::HITS + 1;
    const STAMPED: u64 = Self::PORTABLE << 1;
    /// What is left is enough for nine years in nanoseconds.
    const STAMP: u32 = 6;

    fn new(portable: bool) -> Self {
        Self(AtomicU64::new(if portable { Self::PORTABLE } else { 0 }))
    }

    fn is_portable(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::PORTABLE != 0
    }

    #[inline]
    fn is_stamped(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::STAMPED != 0
    }

    fn set_stamped(&self) {
        self.0.fetch_or(Self::STAMPED, Ordering::Relaxed);
    }

    fn stamp(&self) -> u64 {
        self.0.load(Ordering::Relaxed) >> Self::STAMP
    }

    #[inline]
    fn touch(&self, stamp: u64) {
        let below = self.0.load(Ordering::Relaxed) % (1 << Self::STAMP);
        self.0
            .store(stamp << Self::STAMP | below, Ordering::Relaxed);
    }

    /// `most` is [`MOST_HITS`] at most.
    #[inline]
    fn count_hit(&self, most: u8) {
        let usage = self.0.load(Ordering::Relaxed);
        if usage & Self::HITS < u64::from(most) {
            self.0.store(usage + 1, Ordering::Relaxed);
        }
    }

    fn take_hits(&self) -> u8 {
        if self.0.load(Ordering::Relaxed) & Self::HITS == 0 {
            return 0;
        }
        // in one step, so that no stamp is lost for it
        let usage = self.0.fetch_and(!Self::HITS, Ordering::Relaxed);
        #[allow(clippy::cast_possible_truncation, reason = "four bits")]
        let hits = (usage & Self::HITS) as u8;
        hits
    }
}

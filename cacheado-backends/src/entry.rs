//! Entries of the in-process tier: before they are stored, while they are stored, and after they are removed.

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::clock::Tick;
use crate::key::Key;

use crate::memory::{AnySlab, Handle, Slab};

/// A value of any type that an entry may hold.
pub trait Held: Any + Send + Sync {
    /// The name of the value's type.
    fn type_name(&self) -> &'static str;
}

impl<V: Any + Send + Sync> Held for V {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<V>()
    }
}

/// A removed value, to be dropped outside all locks.
pub type OldValue = Box<dyn Held>;

/// An entry's relation to the shared tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    /// The entry has no relation to the shared tier.
    Own,
    /// The entry may be a copy of the tier's entry. It is removed when the tier's state is no longer known.
    Copy,
    /// The tier does not have the entry, but the entry is removed when a copy would be.
    Dependent,
}

/// An entry that is not stored yet. Its value outlives the store's locks even if it is not stored: either the entry owns the value, or
/// the caller has [lent](NewEntry::lent) it.
pub struct NewEntry<'v> {
    pub(crate) key: Key,
    pub(crate) weight: u32,
    pub(crate) tie: Tie,
    /// The entry was found in the shared tier.
    pub(crate) taken_over: bool,
    pub(crate) value: Carrier<'v>,
}

/// The value of an entry that is not stored yet.
pub(crate) enum Carrier<'v> {
    Own(Box<dyn Parcel>),
    Lent(&'v mut dyn Parcel),
}

impl<'v> Deref for Carrier<'v> {
    type Target = dyn Parcel + 'v;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Own(parcel) => &**parcel,
            Self::Lent(parcel) => &**parcel,
        }
    }
}

impl DerefMut for Carrier<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Own(parcel) => &mut **parcel,
            Self::Lent(parcel) => &mut **parcel,
        }
    }
}

impl NewEntry<'static> {
    /// An entry to be stored. `weight`: its share of the cache's bound. `portable`: whether the shared tier can have it too.
    #[must_use]
    pub fn new<V: Send + Sync + 'static>(key: Key, value: V, weight: u32, portable: bool) -> Self {
        Self::among(Kind::of::<V>(), key, value, weight, portable)
    }

    /// As [`new`](Self::new), for a space whose values are mostly of another `kind`. Those are stored in the slab, this one is boxed.
    #[must_use]
    pub fn among<V>(kind: Kind, key: Key, value: V, weight: u32, portable: bool) -> Self
    where
        V: Send + Sync + 'static,
    {
        let value = Box::new(Wrapped::new(kind, value, |_, _, end| end));
        Self::carried(key, weight, portable, Carrier::Own(value))
    }
}

impl NewEntry<'_> {
    /// Calls `store` with an entry as [`new`](NewEntry::new) makes it, without allocating: the value stays in this stack frame until
    /// it is stored. After `store`, the value is dropped here if it was not stored, and so may be the value of a victim that made room
    /// for it. So the caller must not hold a lock that dropping them may need.
    pub fn lent<V, R>(
        key: Key,
        value: V,
        weight: u32,
        portable: bool,
        store: impl FnOnce(NewEntry<'_>) -> R,
    ) -> R
    where
        V: Send + Sync + 'static,
    {
        let kind = Kind::of::<V>();
        Self::ending(kind, key, value, weight, portable, |_, _, end| end, store)
    }

    /// As [`lent`](NewEntry::lent), for a value that must know its deadline. `ends` is called after the rules have admitted the value
    /// and before a lookup can find it, with the deadline asked for and the deadline that the rules allow. It returns the deadline of
    /// the entry, which may be earlier if the entry can be [prolonged](crate::memory::Store::prolong).
    pub fn ending<V, R>(
        kind: Kind,
        key: Key,
        value: V,
        weight: u32,
        portable: bool,
        ends: Ends<V>,
        store: impl FnOnce(NewEntry<'_>) -> R,
    ) -> R
    where
        V: Send + Sync + 'static,
    {
        let mut value = Wrapped::new(kind, value, ends);
        store(NewEntry::carried(
            key,
            weight,
            portable,
            Carrier::Lent(&mut value),
        ))
    }
}

impl<'v> NewEntry<'v> {
    fn carried(key: Key, weight: u32, portable: bool, value: Carrier<'v>) -> Self {
        Self {
            key,
            weight,
            tie: if portable { Tie::Copy } else { Tie::Own },
            taken_over: false,
            value,
        }
    }

    /// Marks the entry as found in the shared tier, where it expires: rules may shorten its lifetime but not extend it.
    #[must_use]
    pub fn taken_over(mut self) -> Self {
        self.taken_over = true;
        self
    }

    /// Marks the entry as one that the shared tier does not have, but that is outdated once the tier's value of the key changes.
    #[must_use]
    pub fn dependent(mut self) -> Self {
        self.tie = Tie::Dependent;
        self
    }

    /// About how many additional bytes an entry takes if its value is boxed, being of another type than most values of its space.
    pub const APART: usize = size_of::<Meta>() + size_of::<OldValue>();

    /// About how many bytes an entry of `key` takes beside its value: its metadata, a key that is too long to be inline, and its
    /// places in the table, the scope index, the expiry schedule and the records of a rule.
    #[must_use]
    pub fn overhead(key: &Key) -> usize {
        const PLACES: usize = 8 + 20 + 14 + 40;
        size_of::<Meta>() + key.heap_bytes() + PLACES
    }
}

/// Called with the value, the deadline asked for, and the deadline after the rules. Returns the deadline of the entry.
type Ends<V> = fn(&mut V, Tick, Tick) -> Tick;

/// A type of values, from which the store can make a slab before it has such a value.
#[derive(Clone, Copy)]
pub struct Kind(fn() -> Box<dyn AnySlab>);

impl Kind {
    /// The kind of `V`.
    #[must_use]
    pub fn of<V: Send + Sync + 'static>() -> Self {
        Self(|| Box::new(Slab::<V>::new()))
    }
}

/// A type-erased value on its way into a slab.
pub(crate) trait Parcel: Send + Sync {
    /// An empty slab for the usual values of its space.
    fn slab(&self) -> Box<dyn AnySlab>;
    /// The `Option` that holds the value, for the slab to take it.
    fn value(&mut self) -> &mut dyn Any;
    /// The value in a box, for a slab of another type.
    fn boxed(&mut self) -> Option<OldValue>;
    /// An empty `Option` of the value's type, into which a removed value of the same type can be moved. It is dropped outside the
    /// locks, and needs no allocation.
    fn hold(&mut self) -> &mut dyn Any;
    /// What must be dropped outside the locks: the value if it was not taken, and the removed value that was moved in.
    fn left(self: Box<Self>) -> Option<OldValue>;
    /// Passes the value the deadline that was `asked` for, and `end`, the deadline that the rules allow. Returns the deadline of the
    /// entry.
    fn ends(&mut self, asked: Tick, end: Tick) -> Tick;
}

struct Wrapped<V> {
    value: Option<V>,
    held: Option<V>,
    kind: Kind,
    ends: Ends<V>,
}

impl<V> Wrapped<V> {
    fn new(kind: Kind, value: V, ends: Ends<V>) -> Self {
        Self {
            value: Some(value),
            held: None,
            kind,
            ends,
        }
    }
}

impl<V: Send + Sync + 'static> Parcel for Wrapped<V> {
    fn slab(&self) -> Box<dyn AnySlab> {
        self.kind.0()
    }

    fn value(&mut self) -> &mut dyn Any {
        &mut self.value
    }

    fn boxed(&mut self) -> Option<OldValue> {
        Some(Box::new(self.value.take()?))
    }

    fn hold(&mut self) -> &mut dyn Any {
        &mut self.held
    }

    fn left(self: Box<Self>) -> Option<OldValue> {
        if self.value.is_some() || self.held.is_some() {
            Some(self)
        } else {
            None
        }
    }

    fn ends(&mut self, asked: Tick, end: Tick) -> Tick {
        let value = self.value.as_mut();
        value.map_or(end, |value| (self.ends)(value, asked, end))
    }
}

/// The metadata that the store keeps with each value.
#[repr(C)]
pub(crate) struct Meta {
    pub(crate) key: Key,
    /// The first moment at which the entry is no longer served. Set before the entry is stored, and later only while its shard is
    /// locked.
    deadline: AtomicU64,
    /// The seat that a rule assigned; guarded by the policy's lock.
    seat: AtomicU32,
    usage: Usage,
    tie: Tie,
}

/// Further data, which only some stores keep for each entry.
pub(crate) struct Extra {
    /// When the entry was last used, as [`Clock::stamp`](crate::clock::Clock::stamp) counts.
    stamp: AtomicU64,
    pub(crate) weight: u32,
}

impl Default for Extra {
    fn default() -> Self {
        Self::new(0, 1)
    }
}

impl Extra {
    pub(crate) fn new(stamp: u64, weight: u32) -> Self {
        Self {
            stamp: AtomicU64::new(stamp),
            weight,
        }
    }
}

/// Where an entry's [`Extra`] is, if it has one.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'s> {
    pub(crate) extras: &'s [Extra],
    pub(crate) nth: usize,
}

impl<'s> Beside<'s> {
    fn extra(self) -> Option<&'s Extra> {
        self.extras.get(self.nth)
    }
}

/// The number that stands for no seat.
pub(crate) const NO_SEAT: u32 = u32::MAX;

impl Meta {
    /// `stamped`: whether each hit records its time.
    pub(crate) fn new(key: Key, deadline: Tick, seat: u32, tie: Tie, stamped: bool) -> Self {
        Self {
            key,
            deadline: AtomicU64::new(deadline),
            seat: AtomicU32::new(seat),
            usage: Usage::new(stamped),
            tie,
        }
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Tick {
        self.deadline.load(Ordering::Relaxed)
    }

    /// Whether its lifetime is over.
    #[inline]
    pub(crate) fn is_expired(&self, now: Tick) -> bool {
        now >= self.deadline()
    }

    pub(crate) fn tie(&self) -> Tie {
        self.tie
    }

    pub(crate) fn seat(&self) -> u32 {
        self.seat.load(Ordering::Relaxed)
    }

    pub(crate) fn set_seat(&self, seat: u32) {
        self.seat.store(seat, Ordering::Relaxed);
    }

    /// The number of hits since this was last called.
    pub(crate) fn take_hits(&self) -> u8 {
        self.usage.take_hits()
    }
}

/// A stored entry, while its shard is locked.
#[derive(Clone, Copy)]
pub struct Entry<'s> {
    meta: &'s Meta,
    beside: Beside<'s>,
    value: &'s dyn Held,
    slot: u32,
}

impl<'s> Entry<'s> {
    #[inline]
    pub(crate) fn new(meta: &'s Meta, beside: Beside<'s>, value: &'s dyn Held, slot: u32) -> Self {
        Self {
            meta,
            beside,
            value,
            slot,
        }
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> &'s Key {
        &self.meta.key
    }

    /// The value, if it is a `T`.
    #[inline]
    #[must_use]
    pub fn value<T: 'static>(&self) -> Option<&'s T> {
        let value: &dyn Any = self.value;
        value.downcast_ref()
    }

    /// The name of the value's type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.value.type_name()
    }

    /// Its share of the cache's bound.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.beside.extra().map_or(1, |extra| extra.weight)
    }

    /// Whether the entry may be a copy of the shared tier's entry, or depends on it.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        self.meta.tie() != Tie::Own
    }

    #[inline]
    pub(crate) fn handle(&self) -> Handle {
        Handle::of(self.key().head(), self.slot)
    }

    #[inline]
    pub(crate) fn meta(&self) -> &'s Meta {
        self.meta
    }

    /// When the entry expires, unless it is prolonged.
    #[inline]
    #[must_use]
    pub fn deadline(&self) -> Tick {
        self.meta.deadline()
    }

    pub(crate) fn set_deadline(&self, deadline: Tick) {
        self.meta.deadline.store(deadline, Ordering::Relaxed);
    }

    /// Whether its lifetime is over.
    #[inline]
    pub(crate) fn is_expired(&self, now: Tick) -> bool {
        self.meta.is_expired(now)
    }

    /// When it was last used, as [`Clock::stamp`](crate::clock::Clock::stamp) counts; recorded only if a rule asks for it.
    pub(crate) fn used(&self) -> u64 {
        self.beside
            .extra()
            .map_or(0, |extra| extra.stamp.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn touch(&self, stamp: u64) {
        if let Some(extra) = self.beside.extra() {
            extra.stamp.store(stamp, Ordering::Relaxed);
        }
    }

    /// Whether each hit must [touch](Self::touch) it.
    #[inline]
    pub(crate) fn is_stamped(&self) -> bool {
        self.meta.usage.is_stamped()
    }

    /// Counts a hit, up to `most`; beyond that a hit writes nothing. Concurrent hits may count as one.
    #[inline]
    pub(crate) fn count_hit(&self, most: u8) {
        self.meta.usage.count_hit(most);
    }
}

/// A removed entry.
pub(crate) struct Taken {
    pub(crate) meta: Meta,
    /// The slot that the entry was in.
    pub(crate) slot: u32,
    /// `None` if the value needs no dropping.
    pub(crate) value: Option<OldValue>,
}

impl Taken {
    /// The handle that the entry had.
    pub(crate) fn handle(&self) -> Handle {
        Handle::of(self.meta.key.head(), self.slot)
    }
}

/// The highest number of hits that is counted.
pub(crate) const MOST_HITS: u8 = 15;

/// The uses of an entry, in one byte: the number of hits since a rule last asked, and whether hits record their time.
struct Usage(AtomicU8);

impl Usage {
    const HITS: u8 = MOST_HITS;
    const STAMPED: u8 = Self::HITS + 1;

    fn new(stamped: bool) -> Self {
        Self(AtomicU8::new(if stamped { Self::STAMPED } else { 0 }))
    }

    #[inline]
    fn is_stamped(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::STAMPED != 0
    }

    /// `most` is at most [`MOST_HITS`].
    #[inline]
    fn count_hit(&self, most: u8) {
        let usage = self.0.load(Ordering::Relaxed);
        if usage & Self::HITS < most {
            self.0.store(usage + 1, Ordering::Relaxed);
        }
    }

    fn take_hits(&self) -> u8 {
        let usage = self.0.load(Ordering::Relaxed);
        if usage & Self::HITS > 0 {
            self.0.store(usage & !Self::HITS, Ordering::Relaxed);
        }
        usage & Self::HITS
    }
}

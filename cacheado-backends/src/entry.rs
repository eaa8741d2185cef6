//! Entries: what is put into the in-process tier, what is found in it, and what comes out.

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::clock::Tick;
use crate::key::Key;

use crate::memory::{AnySlab, Handle, Slab};

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

/// A value that has left the store, to be dropped when no lock is held.
pub type OldValue = Box<dyn Held>;

/// What an entry has to do with the shared tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    /// Nothing.
    Own,
    /// The tier can have the same. Ends when it is not known any more what the tier has.
    Copy,
    /// The tier has nothing of it. It ends as a copy does.
    Dependent,
}

/// An entry that is in no store as yet. What becomes of its value outlives the store's locks: it is the entry's own, or lies where
/// it was [lent](NewEntry::lent).
pub struct NewEntry<'v> {
    pub(crate) key: Key,
    pub(crate) weight: u32,
    pub(crate) tie: Tie,
    /// It was found in the shared tier.
    pub(crate) taken_over: bool,
    pub(crate) value: Carrier<'v>,
}

/// Where the value of an entry lies that is in no store as yet.
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
    /// An entry that is to be stored. `weight`: how much of a cache's bound it takes. `portable`: whether the shared tier can have
    /// a copy.
    #[must_use]
    pub fn new<V: Send + Sync + 'static>(key: Key, value: V, weight: u32, portable: bool) -> Self {
        Self::among(Kind::of::<V>(), key, value, weight, portable)
    }

    /// The same, of a space most of whose values are of another `kind`: those lie in place there, where others lie elsewhere in memory.
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
    /// Gives `store` an entry as [`new`](NewEntry::new) makes one, for which nothing is allocated: its value is here, until `store` is
    /// over. What is not stored of it is dropped then, and so may be what goes for it. No lock is to be held that dropping them needs.
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

    /// The same of a value that is told when its lifetime was to end and when the rules have it end, once they have admitted it and
    /// before anybody finds it. What `ends` returns is when it goes if it is not [prolonged](crate::memory::Store::prolong): then, or earlier.
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

    /// The same, of what was found in the shared tier, and ends there: rules may have it live for less, and not for longer.
    #[must_use]
    pub fn taken_over(mut self) -> Self {
        self.taken_over = true;
        self
    }

    /// The same, of what the shared tier has nothing of, but which is old once the tier's value of the key is another.
    #[must_use]
    pub fn dependent(mut self) -> Self {
        self.tie = Tie::Dependent;
        self
    }

    /// How many bytes more an entry takes, about, whose value is of another type than most of its space's: those lie in place, and
    /// it does not.
    pub const APART: usize = size_of::<Meta>() + size_of::<OldValue>();

    /// How many bytes an entry of `key` takes, about, beside its value: what is kept beside that, a key that is too long to lie in
    /// place, and its places in the table, in the scope index, among what expires, and among what a rule keeps.
    #[must_use]
    pub fn overhead(key: &Key) -> usize {
        const PLACES: usize = 8 + 20 + 14 + 40;
        size_of::<Meta>() + key.heap_bytes() + PLACES
    }
}

/// What is done with a value when it is known when its lifetime ends, which was to be at the first moment, and is at the second.
type Ends<V> = fn(&mut V, Tick, Tick) -> Tick;

/// A type of values, as far as the store is to know it before it has one.
#[derive(Clone, Copy)]
pub struct Kind(fn() -> Box<dyn AnySlab>);

impl Kind {
    /// That of `V`.
    #[must_use]
    pub fn of<V: Send + Sync + 'static>() -> Self {
        Self(|| Box::new(Slab::<V>::new()))
    }
}

/// A value whose type is forgotten, on its way into a slab.
pub(crate) trait Parcel: Send + Sync {
    /// An empty slab for the values that it is among.
    fn slab(&self) -> Box<dyn AnySlab>;
    /// An `Option` of the value, to be taken.
    fn value(&mut self) -> &mut dyn Any;
    /// The value, for a slab of others.
    fn boxed(&mut self) -> Option<OldValue>;
    /// Room for a value of the same type that goes for this one, to be dropped when no lock is held: an `Option` of it, empty until
    /// one is put there. Then nothing is allocated for that.
    fn hold(&mut self) -> &mut dyn Any;
    /// What it has that is to be dropped when no lock is held: what was not taken, and what it was given to hold.
    fn left(self: Box<Self>) -> Option<OldValue>;
    /// Its lifetime, which was to be over when it was `asked`, is over at `end`. Returns when it goes if it is not prolonged.
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

/// What the store keeps beside each value.
#[repr(C)]
pub(crate) struct Meta {
    pub(crate) key: Key,
    /// The first moment at which it is not served any more. Set before it is in the store, and later only while it is held there.
    deadline: AtomicU64,
    /// Which seat a rule has given it; guarded by the policy's lock.
    seat: AtomicU32,
    usage: Usage,
    tie: Tie,
}

/// What some stores keep of each entry beside that.
pub(crate) struct Extra {
    /// When it was used last, as [`Clock::stamp`](crate::clock::Clock::stamp) counts.
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

/// The seat of what has none.
pub(crate) const NO_SEAT: u32 = u32::MAX;

impl Meta {
    /// `stamped`: whether each hit is to note when it was.
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

    /// How often it was hit since this was asked last.
    pub(crate) fn take_hits(&self) -> u8 {
        self.usage.take_hits()
    }
}

/// An entry that is in the store, while the part of the store that it is in is locked.
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

    /// Which entry this is.
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

    /// How much of a cache's bound it takes.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.beside.extra().map_or(1, |extra| extra.weight)
    }

    /// Whether it is a copy of what the shared tier may have, or depends on that.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        self.meta.tie() != Tie::Own
    }

    /// Where it lies.
    #[inline]
    pub(crate) fn handle(&self) -> Handle {
        Handle::of(self.key().head(), self.slot)
    }

    #[inline]
    pub(crate) fn meta(&self) -> &'s Meta {
        self.meta
    }

    /// When it goes, if nothing prolongs it.
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

    /// When it was used last, as [`Clock::stamp`](crate::clock::Clock::stamp) counts; kept if a rule asks for it.
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

    /// Whether each hit is to [touch](Self::touch) it.
    #[inline]
    pub(crate) fn is_stamped(&self) -> bool {
        self.meta.usage.is_stamped()
    }

    /// Counts a hit, up to `most`: once there, a hit writes nothing. Hits that race may count as one.
    #[inline]
    pub(crate) fn count_hit(&self, most: u8) {
        self.meta.usage.count_hit(most);
    }
}

/// An entry that has left the store.
pub(crate) struct Taken {
    pub(crate) meta: Meta,
    /// In which slot it lay.
    pub(crate) slot: u32,
    /// `None` if there is nothing to drop.
    pub(crate) value: Option<OldValue>,
}

impl Taken {
    /// Where it lay.
    pub(crate) fn handle(&self) -> Handle {
        Handle::of(self.meta.key.head(), self.slot)
    }
}

/// How many hits of an entry are told apart.
pub(crate) const MOST_HITS: u8 = 15;

/// What is known of the uses of an entry, in a byte: how many hits there were since a rule last asked, and whether hits are to
/// note when they are.
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

    /// `most` is [`MOST_HITS`] at most.
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

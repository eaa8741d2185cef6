//! Slabs: the storage for the entries of one table. Each entry keeps its slot for its whole life.
//!
//! Values of the slab's own type are stored in the slot. Values of other types are boxed. Only some functions have such values: kept
//! errors, or values of several types under the programmatic keys of one level.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::cold_path;
use std::mem::{needs_drop, replace};

use crate::entry::{Beside, Entry, Extra, Held, Meta, OldValue, Parcel, Taken};
use crate::key::Head;

/// The number of slots of this `size` per chunk: a power of two for which a chunk takes about a quarter of a megabyte, within limits.
/// Slots never move to another chunk, so growing copies no more than one chunk.
const fn slots_of(size: usize) -> usize {
    const MOST: usize = 4096;
    const LEAST: usize = 16;
    let fits = (256 * 1024 / size).next_power_of_two();
    if fits > MOST {
        MOST
    } else if fits < LEAST {
        LEAST
    } else {
        fits
    }
}
const NONE: u32 = u32::MAX;

pub(crate) struct Slab<V> {
    chunks: Vec<Chunk<V>>,
    /// The chunks with free slots or room for more, the first chunk on top: new entries go there, so that the last chunks become
    /// empty.
    open: BinaryHeap<Reverse<u32>>,
    len: usize,
}

struct Chunk<V> {
    slots: Vec<Slot<V>>,
    /// The extra data of the slots, up to the last slot that has needed it.
    extras: Vec<Extra>,
    /// The head of the linked list of free slots.
    free: u32,
    used: usize,
}

/// The tag takes no space: the compiler stores it in unused bits of an occupant.
pub(super) enum Slot<V> {
    /// The next free slot of the chunk.
    Free(u32),
    Own(Occupant<V>),
    Other(Box<Occupant<OldValue>>),
}

const _: () = assert!(size_of::<Slot<u64>>() == size_of::<Meta>() + 8);

pub(super) struct Occupant<V> {
    pub(super) meta: Meta,
    pub(super) value: V,
}

/// A slab for values of any type.
pub(crate) trait AnySlab: Any + Send + Sync {
    /// The entry in a slot.
    fn entry(&self, slot: u32) -> Option<Entry<'_>>;
    fn meta(&self, slot: u32) -> Option<&Meta>;
    /// Puts an entry into a free slot. Returns the slot.
    fn put(&mut self, meta: Meta, extra: Option<Extra>, value: &mut dyn Parcel) -> u32;
    /// Replaces the entry in a slot. Returns the old entry.
    fn replace(
        &mut self,
        slot: u32,
        meta: Meta,
        extra: Option<Extra>,
        value: &mut dyn Parcel,
    ) -> Option<Taken>;
    /// Removes the entry in a slot. For `bin`, see [`Parcel::hold`].
    fn take(&mut self, slot: u32, bin: Option<&mut dyn Parcel>) -> Option<Taken>;
    fn len(&self) -> usize;
    /// Whether `value`, an `Option`, is of the slab's own type.
    fn is_of(&self, value: &dyn Any) -> bool;
}

impl<V> Slab<V> {
    const CHUNK: usize = slots_of(size_of::<Slot<V>>());

    pub(crate) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            open: BinaryHeap::new(),
            len: 0,
        }
    }

    #[inline]
    fn place(slot: u32) -> (usize, usize) {
        (slot as usize / Self::CHUNK, slot as usize % Self::CHUNK)
    }

    /// The slot with this number, and the place of its extra data.
    #[inline]
    pub(super) fn slot(&self, slot: u32) -> Option<(&Slot<V>, Beside<'_>)> {
        let (chunk, nth) = Self::place(slot);
        let chunk = self.chunks.get(chunk);
        let Some((chunk, slot)) = chunk.and_then(|chunk| Some((chunk, chunk.slots.get(nth)?)))
        else {
            cold_path();
            return None;
        };
        let beside = Beside {
            extras: &chunk.extras,
            nth,
        };
        Some((slot, beside))
    }

    fn vacate(&mut self, slot: u32) -> Option<Slot<V>> {
        let (nth_chunk, nth) = Self::place(slot);
        let chunk = self.chunks.get_mut(nth_chunk)?;
        let place = chunk.slots.get_mut(nth)?;
        if matches!(place, Slot::Free(_)) {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "a few thousand at most")]
        let free = replace(&mut chunk.free, nth as u32);
        let occupant = replace(place, Slot::Free(free));
        if chunk.used == Self::CHUNK {
            self.open.push(Reverse(number(nth_chunk)));
        }
        chunk.used -= 1;
        if chunk.used == 0 {
            // frees the memory, which leaves the chunk like a new one
            chunk.slots = Vec::new();
            chunk.extras = Vec::new();
            chunk.free = NONE;
        }
        self.len -= 1;
        if self.len == 0 {
            self.chunks = Vec::new();
            self.open = BinaryHeap::new();
        }
        Some(occupant)
    }
}

/// The number of the `nth` chunk or slot.
fn number(nth: usize) -> u32 {
    u32::try_from(nth).expect("fewer than 2^32 slots")
}

impl<V> Chunk<V> {
    const EMPTY: Self = Self {
        slots: Vec::new(),
        extras: Vec::new(),
        free: NONE,
        used: 0,
    };

    fn put(&mut self, slot: Slot<V>) -> usize {
        self.used += 1;
        match self.slots.get_mut(self.free as usize) {
            Some(place) => {
                let nth = self.free as usize;
                if let Slot::Free(next) = replace(place, slot) {
                    self.free = next;
                }
                nth
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        }
    }

    fn set_extra(&mut self, nth: usize, extra: Option<Extra>) {
        if extra.is_some() && self.extras.len() <= nth {
            self.extras.resize_with(nth + 1, Extra::default);
        }
        if let Some(place) = self.extras.get_mut(nth) {
            *place = extra.unwrap_or_default();
        }
    }
}

impl<V> Slot<V> {
    /// Whether the slot holds an entry whose key has this `head`.
    #[inline]
    pub(super) fn is_of(&self, head: Head) -> bool {
        match self {
            Self::Own(occupant) => occupant.meta.key.head() == head,
            other => {
                cold_path();
                other.meta().is_some_and(|meta| meta.key.head() == head)
            }
        }
    }

    #[inline]
    pub(super) fn meta(&self) -> Option<&Meta> {
        match self {
            Self::Free(_) => None,
            Self::Own(occupant) => Some(&occupant.meta),
            Self::Other(occupant) => Some(&occupant.meta),
        }
    }
}

impl<V: Send + Sync + 'static> Slot<V> {
    fn new(meta: Meta, value: &mut dyn Parcel) -> Self {
        let own: Option<&mut Option<V>> = value.value().downcast_mut();
        match own.and_then(Option::take) {
            Some(value) => Self::Own(Occupant { meta, value }),
            None => Self::Other(Box::new(Occupant {
                meta,
                value: value.boxed().unwrap_or_else(|| Box::new(())),
            })),
        }
    }

    /// The entry that was in the slot with this number. For `bin`, see [`Parcel::hold`].
    fn taken(self, slot: u32, bin: Option<&mut dyn Parcel>) -> Option<Taken> {
        let (meta, value) = match self {
            Self::Free(_) => return None,
            Self::Own(Occupant { meta, value }) => (meta, old_value(value, bin)),
            Self::Other(occupant) => {
                let Occupant { meta, value } = *occupant;
                (meta, Some(value))
            }
        };
        Some(Taken { meta, slot, value })
    }
}

/// The removed `value`; `None` if it needs no dropping, or if it was moved into `bin`.
fn old_value<V: Send + Sync + 'static>(value: V, bin: Option<&mut dyn Parcel>) -> Option<OldValue> {
    if !needs_drop::<V>() {
        return None;
    }
    let place: Option<&mut Option<V>> = bin.and_then(|bin| bin.hold().downcast_mut());
    match place {
        Some(place @ None) => {
            *place = Some(value);
            None
        }
        _ => Some(Box::new(value)),
    }
}

impl<V: Send + Sync + 'static> AnySlab for Slab<V> {
    fn entry(&self, slot: u32) -> Option<Entry<'_>> {
        let (occupant, beside) = self.slot(slot)?;
        let (meta, value): (_, &dyn Held) = match occupant {
            Slot::Free(_) => return None,
            Slot::Own(occupant) => (&occupant.meta, &occupant.value),
            Slot::Other(occupant) => (&occupant.meta, &*occupant.value),
        };
        Some(Entry::new(meta, beside, value, slot))
    }

    fn meta(&self, slot: u32) -> Option<&Meta> {
        self.slot(slot)?.0.meta()
    }

    fn put(&mut self, meta: Meta, extra: Option<Extra>, value: &mut dyn Parcel) -> u32 {
        let nth_chunk = match self.open.peek() {
            Some(Reverse(chunk)) => *chunk as usize,
            None => {
                self.chunks.push(Chunk::EMPTY);
                let last = self.chunks.len() - 1;
                self.open.push(Reverse(number(last)));
                last
            }
        };
        let chunk = &mut self.chunks[nth_chunk];
        let nth = chunk.put(Slot::new(meta, value));
        chunk.set_extra(nth, extra);
        if chunk.used == Self::CHUNK {
            self.open.pop();
        }
        self.len += 1;
        number(nth_chunk * Self::CHUNK + nth)
    }

    fn replace(
        &mut self,
        slot: u32,
        meta: Meta,
        extra: Option<Extra>,
        value: &mut dyn Parcel,
    ) -> Option<Taken> {
        let (chunk, nth) = Self::place(slot);
        let chunk = self.chunks.get_mut(chunk)?;
        let place = chunk.slots.get_mut(nth)?;
        if matches!(place, Slot::Free(_)) {
            return None;
        }
        let old = replace(place, Slot::new(meta, value));
        chunk.set_extra(nth, extra);
        old.taken(slot, None)
    }

    fn take(&mut self, slot: u32, bin: Option<&mut dyn Parcel>) -> Option<Taken> {
        self.vacate(slot)?.taken(slot, bin)
    }

    fn len(&self) -> usize {
        self.len
    }

    fn is_of(&self, value: &dyn Any) -> bool {
        value.is::<Option<V>>()
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clock::NEVER;
    use crate::entry::{NO_SEAT, NewEntry, Tie};
    use crate::key::{Key, Probe, Space};
    use crate::scope::{Level, Scope};

    fn key(nth: u64) -> Key {
        let space = Space::programmatic(Level::global());
        let scope = Scope::global();
        let key = Probe::in_scope(space, &scope, &nth).and_then(|probe| probe.to_key());
        key.expect("a number serializes")
    }

    /// The expected contents of a slot: a text (the slab's own type) or a number, and the weight, if one is recorded.
    #[derive(Clone, Copy, Debug)]
    struct Item {
        nth: u64,
        own: bool,
        weight: Option<u32>,
    }

    impl Item {
        fn parts(self) -> (Meta, Option<Extra>, NewEntry<'static>) {
            let (key, again) = (key(self.nth), key(self.nth));
            let meta = Meta::new(key, NEVER, NO_SEAT, Tie::Copy, false);
            let extra = self.weight.map(|weight| Extra::new(0, weight));
            let entry = if self.own {
                NewEntry::new(again, self.nth.to_string(), 1, true)
            } else {
                NewEntry::new(again, self.nth, 1, true)
            };
            (meta, extra, entry)
        }

        fn is_in(self, slab: &Slab<String>, slot: u32) -> bool {
            let entry = slab.entry(slot).expect("it lies there");
            let value = if self.own {
                entry.value() == Some(&self.nth.to_string())
            } else {
                entry.value() == Some(&self.nth)
            };
            value && *entry.key() == key(self.nth) && entry.weight() == self.weight.unwrap_or(1)
        }

        fn was(self, taken: Taken) -> bool {
            let value: Box<dyn Any> = taken.value.expect("both types have something to drop");
            let value = if self.own {
                value.downcast_ref() == Some(&self.nth.to_string())
            } else {
                value.downcast_ref() == Some(&self.nth)
            };
            value && taken.meta.key == key(self.nth)
        }
    }

    /// Pseudorandom numbers, the same in each run.
    fn random(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *seed >> 33
    }

    #[test]
    fn each_lies_in_a_slot_of_its_own_until_it_is_taken_out() {
        let mut slab = Slab::<String>::new();
        let mut held: BTreeMap<u32, Item> = BTreeMap::new();
        let mut chunks = 0;
        let mut seed = 1;
        for nth in 0..60_000 {
            let item = Item {
                nth,
                own: !random(&mut seed).is_multiple_of(4),
                weight: random(&mut seed).is_multiple_of(8).then_some(7),
            };
            // the slab first grows, over several chunks, and then shrinks
            let grows = random(&mut seed) % 8 < if nth < 30_000 { 6 } else { 2 };
            #[allow(clippy::cast_possible_truncation, reason = "a few thousand slots")]
            let from = random(&mut seed) as u32 % (1 + nth as u32);
            let some = held.range(from..).next().or(held.first_key_value());
            let some = some.map(|(slot, _)| *slot);
            match some {
                Some(slot) if !grows => {
                    let was = held.remove(&slot).expect("held");
                    assert!(was.was(slab.take(slot, None).expect("it lies there")));
                    assert!(slab.take(slot, None).is_none() && slab.entry(slot).is_none());
                }
                Some(slot) if nth % 5 == 0 => {
                    let (meta, extra, mut entry) = item.parts();
                    let old = slab.replace(slot, meta, extra, &mut *entry.value);
                    let was = held.insert(slot, item).expect("held");
                    assert!(was.was(old.expect("it lay there")) && item.is_in(&slab, slot));
                }
                _ => {
                    let (meta, extra, mut entry) = item.parts();
                    let slot = slab.put(meta, extra, &mut *entry.value);
                    assert!(held.insert(slot, item).is_none(), "{slot} is not free");
                    assert!(item.is_in(&slab, slot));
                }
            }
            assert_eq!(slab.len(), held.len());
            chunks = chunks.max(slab.chunks.len());
        }
        assert!(chunks > 1, "one chunk shows too little");
        for (slot, item) in held {
            assert!(item.is_in(&slab, slot));
            assert!(slab.take(slot, None).is_some());
        }
        // all memory is freed
        assert_eq!(slab.chunks.capacity() + slab.open.capacity(), 0);
    }

    #[test]
    fn an_emptied_chunk_gives_its_room_back() {
        const CHUNK: usize = Slab::<String>::CHUNK;
        let mut slab = Slab::<String>::new();
        let item = |nth: usize| Item {
            nth: nth as u64,
            own: true,
            weight: None,
        };
        let slots: Vec<u32> = (0..=2 * CHUNK)
            .map(|nth| {
                let (meta, extra, mut entry) = item(nth).parts();
                slab.put(meta, extra, &mut *entry.value)
            })
            .collect();
        for slot in &slots[CHUNK..2 * CHUNK] {
            slab.take(*slot, None);
        }
        assert_eq!(slab.chunks[1].slots.capacity(), 0);
        assert!(item(0).is_in(&slab, slots[0]) && item(2 * CHUNK).is_in(&slab, slots[2 * CHUNK]));
        let (meta, extra, mut entry) = item(5).parts();
        let slot = slab.put(meta, extra, &mut *entry.value);
        assert!(item(5).is_in(&slab, slot));
    }
}

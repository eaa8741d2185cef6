//! The table of one space in one shard: a slab that stores the entries, and an index of their slots by hash.

use std::any::Any;
use std::hint::cold_path;

use hashbrown::HashTable;
use serde::Serialize;

use super::handles::touch;
use super::slab::{AnySlab, Occupant, Slab, Slot};
use crate::entry::{Beside, Entry, Extra, Meta, Parcel, Taken};
use crate::key::{Probe, Seek};

/// A nearly empty table keeps room for this many entries.
const SLACK: usize = 64;

/// The result of a lookup by type.
pub(super) enum Found<'t, V> {
    /// A value of this type, and its slot.
    Own(&'t Occupant<V>, Beside<'t>, u32),
    /// No entry.
    Nothing,
    /// Only [`Table::seek`] can tell: there may be a value of another type, or another key with the same head was found first.
    Unclear,
}

/// The entries of one space in one shard. Empty, it allocates nothing.
#[derive(Default)]
pub(super) struct Table {
    /// The slots of the entries, by the hashes of their keys.
    index: HashTable<u32>,
    slab: Option<Box<dyn AnySlab>>,
}

impl Table {
    /// The entry that `probe` looks for, in a table that usually holds `V`s.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "measured: a call of its own costs a hit a tenth more instructions"
    )]
    pub(super) fn look<V, A>(&self, probe: &Probe<'_, A>) -> Found<'_, V>
    where
        V: Send + Sync + 'static,
        A: Serialize + ?Sized,
    {
        let Some(slab) = self.slab.as_deref() else {
            return Found::Nothing;
        };
        let slab: &dyn Any = slab;
        let Some(slab) = slab.downcast_ref::<Slab<V>>() else {
            cold_path();
            return Found::Unclear;
        };
        // The first entry with the same head is nearly always the right one. So the whole keys are compared once, after the search;
        // during it, the comparison would make the search save its registers.
        let (head, mut place) = (probe.head(), None);
        let found = self.index.find(probe.hash(), |slot| {
            place = slab.slot(*slot);
            place.is_some_and(|(slot, _)| slot.is_of(head))
        });
        let Some(&slot) = found else {
            return Found::Nothing;
        };
        match place {
            Some((Slot::Own(occupant), beside)) if probe.matches(&occupant.meta.key) => {
                Found::Own(occupant, beside, slot)
            }
            _ => {
                cold_path();
                Found::Unclear
            }
        }
    }

    /// The slot of the entry that `probe` looks for, of any type.
    pub(super) fn seek(&self, probe: &dyn Seek) -> Option<u32> {
        let slab = self.slab.as_deref()?;
        let is_it = |slot: &u32| slab.meta(*slot).is_some_and(|meta| probe.is(&meta.key));
        self.index
            .find(probe.head().hash().spread(), is_it)
            .copied()
    }

    /// The slots of all entries with `hash`.
    pub(super) fn find_all(&self, hash: u64) -> impl Iterator<Item = u32> {
        let all = self.index.iter_hash(hash).copied();
        all.filter(move |slot| self.meta(*slot).is_some_and(|meta| meta.key.hash() == hash))
    }

    /// The entry in a slot.
    pub(super) fn entry(&self, slot: u32) -> Option<Entry<'_>> {
        self.slab.as_deref()?.entry(slot)
    }

    pub(super) fn meta(&self, slot: u32) -> Option<&Meta> {
        self.slab.as_deref()?.meta(slot)
    }

    /// Inserts an entry, or replaces the entry of the same key. Returns the slot and the replaced entry. `is_new` means that the key
    /// is known to have no entry.
    pub(super) fn insert(
        &mut self,
        meta: Meta,
        extra: Option<Extra>,
        value: &mut dyn Parcel,
        is_new: bool,
    ) -> (u32, Option<Taken>) {
        let hash = meta.key.hash();
        debug_assert!(!is_new || self.seek(&meta.key).is_none());
        if !is_new
            && let Some(slot) = self.seek(&meta.key)
            && let Some(slab) = &mut self.slab
        {
            return (slot, slab.replace(slot, meta, extra, value));
        }
        let slab = match &mut self.slab {
            Some(slab) if slab.len() > 0 || slab.is_of(value.value()) => slab,
            // an empty table adopts the type of its first value
            slab => slab.insert(value.slab()),
        };
        let slot = slab.put(meta, extra, value);
        let hash_of = |slot: &u32| slab.meta(*slot).map_or(0, |meta| meta.key.hash());
        self.index.insert_unique(hash, slot, hash_of);
        (slot, None)
    }

    /// Reads the memory that removing the entry in a slot will read. See [`touch`].
    pub(super) fn touch(&self, slot: u32) {
        if let Some(meta) = self.meta(slot) {
            touch(&self.index, meta.key.hash(), |other| *other == slot);
        }
    }

    /// Removes the entry in a slot, if `is_it` accepts it. For `bin`, see [`Parcel::hold`].
    pub(super) fn take(
        &mut self,
        slot: u32,
        is_it: impl FnOnce(&Meta) -> bool,
        bin: Option<&mut dyn Parcel>,
    ) -> Option<Taken> {
        let slab = self.slab.as_mut()?;
        let meta = slab.meta(slot)?;
        if !is_it(meta) {
            return None;
        }
        let hash = meta.key.hash();
        if let Ok(found) = self.index.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
        let taken = slab.take(slot, bin);
        // an index that was once large gives memory back
        if self.index.len() * 8 + SLACK < self.index.capacity() {
            let room = self.index.len() * 2;
            let hash_of = |slot: &u32| slab.meta(*slot).map_or(0, |meta| meta.key.hash());
            self.index.shrink_to(room, hash_of);
        }
        taken
    }

    /// The slots of all entries.
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> {
        self.index.iter().copied()
    }
}

//! The table of one space in one shard: where its entries lie, by their hashes.

use std::any::Any;

use hashbrown::HashTable;
use serde::Serialize;

use super::handles::touch;
use super::slab::{AnySlab, Occupant, Slab, Slot};
use crate::entry::{Beside, Entry, Extra, Meta, Parcel, Taken};
use crate::key::{Probe, Seek};

/// The room for so many entries is kept by a table that has few.
const SLACK: usize = 64;

/// What a look-up by type comes to.
pub(super) enum Found<'t, V> {
    /// A value of that type, and its slot.
    Own(&'t Occupant<V>, Beside<'t>, u32),
    /// The slot of another.
    Other(u32),
}

/// Whether the entry of another type in `slot` is what `probe` looks for. Not in line: comparing is most of the code of a hit, which is
/// to have it once.
#[cold]
#[inline(never)]
fn is_other<V>(slot: &Slot<V>, probe: &dyn Seek) -> bool {
    slot.meta().is_some_and(|meta| probe.is(&meta.key))
}

/// Empty, it takes no room elsewhere.
#[derive(Default)]
pub(super) struct Table {
    /// The slots of the entries.
    index: HashTable<u32>,
    slab: Option<Box<dyn AnySlab>>,
}

impl Table {
    /// The entry that `probe` looks for, in a table of `V`s as a rule.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "measured: a call of its own costs a hit a tenth more instructions"
    )]
    pub(super) fn look<V, A>(&self, probe: &Probe<'_, A>) -> Option<Found<'_, V>>
    where
        V: Send + Sync + 'static,
        A: Serialize + ?Sized,
    {
        let slab: &dyn Any = self.slab.as_deref()?;
        let Some(slab) = slab.downcast_ref::<Slab<V>>() else {
            return self.seek(probe).map(Found::Other);
        };
        let mut own = None;
        let slot = *self
            .index
            .find(probe.hash(), |slot| match slab.slot(*slot) {
                Some((Slot::Own(occupant), beside)) => {
                    own = Some((occupant, beside));
                    probe.matches(&occupant.meta.key)
                }
                Some((other, _)) => {
                    own = None;
                    is_other(other, probe)
                }
                None => false,
            })?;
        match own {
            Some((occupant, beside)) => Some(Found::Own(occupant, beside, slot)),
            None => Some(Found::Other(slot)),
        }
    }

    /// The slot of the entry that `probe` looks for, whatever its type.
    pub(super) fn seek(&self, probe: &dyn Seek) -> Option<u32> {
        let slab = self.slab.as_deref()?;
        let is_it = |slot: &u32| slab.meta(*slot).is_some_and(|meta| probe.is(&meta.key));
        self.index.find(probe.hash(), is_it).copied()
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

    /// Puts an entry in, in the place of the one of its key, which is returned beside its slot; `is_new`: it is known that there is none.
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
            // an empty one takes on the type of what comes first
            slab => slab.insert(value.slab()),
        };
        let slot = slab.put(meta, extra, value);
        let hash_of = |slot: &u32| slab.meta(*slot).map_or(0, |meta| meta.key.hash());
        self.index.insert_unique(hash, slot, hash_of);
        (slot, None)
    }

    /// Looks at what taking out the entry in a slot looks at.
    pub(super) fn touch(&self, slot: u32) {
        if let Some(meta) = self.meta(slot) {
            touch(&self.index, meta.key.hash(), |other| *other == slot);
        }
    }

    /// Takes out the entry in a slot, if that `is_it`. See [`Parcel::hold`] of `bin`.
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
        // a table that was full once does not keep the room for that
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

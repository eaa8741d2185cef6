//! The shards, each with its own lock and a table for each space.
//!
//! A lookup finds an entry by hash and predicate, so it needs no owned key. Readers on several threads don't contend for a shard's
//! lock: a hit writes to no cache line that a hit of another thread writes. Apart from the closures passed to them, these functions
//! call nothing that could re-enter the shards.

use std::ops::{Deref, DerefMut};

use crossbeam_utils::CachePadded;
use smallvec::SmallVec;

use super::handle::{Handle, SHARDS, shard_of};
use super::table::Table;
use crate::entry::{Entry, Extra, Meta, Parcel, Taken};
use crate::key::{Head, Key};
use crate::sync::ReadMostly;

/// The most entries that are removed under one lock.
const AT_ONCE: usize = 16;

/// The tables of a shard. The index of a table is the id of its space minus `first`, the lowest id that the shard has had entries of.
#[derive(Default)]
pub(super) struct Shard {
    first: usize,
    tables: Vec<Table>,
}

impl Shard {
    /// The table of the space with this id, if there is one.
    #[inline]
    pub(super) fn get(&self, space: usize) -> Option<&Table> {
        self.tables.get(space.wrapping_sub(self.first))
    }

    fn get_mut(&mut self, space: usize) -> Option<&mut Table> {
        self.tables.get_mut(space.wrapping_sub(self.first))
    }

    /// The table of the space with this id, which is created if there is none.
    fn table(&mut self, space: usize) -> &mut Table {
        if self.tables.is_empty() {
            self.first = space;
        }
        let before = self.first.saturating_sub(space);
        if before > 0 {
            let empty = std::iter::repeat_with(Table::default);
            self.tables.splice(..0, empty.take(before));
            self.first = space;
        }
        let nth = space - self.first;
        if self.tables.len() <= nth {
            self.tables.resize_with(nth + 1, Table::default);
        }
        &mut self.tables[nth]
    }
}

pub(super) struct Shards([CachePadded<ReadMostly<Shard>>; SHARDS]);

/// A hit reads one cache line of a shard.
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(shuttle)))]
const _: () = assert!(size_of::<ReadMostly<Shard>>() <= 64);

impl Shards {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| {
            ReadMostly::new(Shard::default()).into()
        }))
    }

    #[inline]
    fn read_lock(&self, number: usize) -> impl Deref<Target = Shard> {
        self.0[number].read()
    }

    fn write_lock(&self, number: usize) -> impl DerefMut<Target = Shard> {
        self.0[number].write()
    }

    /// Locks the shard of the keys with `head` for reading.
    pub(super) fn read(&self, head: Head) -> impl Deref<Target = Shard> {
        self.read_lock(shard_of(head.hash()))
    }

    /// As [`read`](Self::read), if that needs neither waiting nor the slow path.
    #[inline]
    pub(super) fn try_read(&self, head: Head) -> Option<impl Deref<Target = Shard>> {
        self.0[shard_of(head.hash())].try_read()
    }

    /// Passes the entry of `key` to `read`, which runs while the shard is locked for reading.
    pub(super) fn read_key<R>(&self, key: &Key, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
        let shard = self.read(key.head());
        let table = shard.get(key.head().space_id() as usize)?;
        let slot = table.seek(key)?;
        table.entry(slot).map(read)
    }

    /// Passes the metadata of the entry at `handle` to `read`, which runs while the shard is locked for reading.
    pub(super) fn meta_at<R>(&self, handle: Handle, read: impl FnOnce(&Meta) -> R) -> Option<R> {
        let shard = self.read_lock(handle.shard());
        meta_of(&shard, handle).map(read)
    }

    /// Passes all entries with the hash and the space of `head` to `see`, which runs while the shard is locked for reading.
    pub(super) fn read_all(&self, head: Head, mut see: impl FnMut(Entry<'_>)) {
        let shard = self.read(head);
        let table = shard.get(head.space_id() as usize);
        for slot in table
            .into_iter()
            .flat_map(|table| table.find_all(head.hash().spread()))
        {
            table.and_then(|table| table.entry(slot)).map(&mut see);
        }
    }

    /// The heads of all entries of the space with this id.
    pub(super) fn heads(&self, space: usize) -> Vec<Head> {
        let mut heads = Vec::new();
        for number in 0..SHARDS {
            let shard = self.read_lock(number);
            let table = shard.get(space);
            let slots = table.into_iter().flat_map(Table::slots);
            let metas = slots.filter_map(|slot| table?.meta(slot));
            heads.extend(metas.map(|meta| meta.key.head()));
        }
        heads
    }

    /// Inserts an entry, or replaces the entry of the same key. Returns the handle and the replaced entry. `is_new` means that the key
    /// is known to have no entry. `swapped` is called with the handle and the replaced entry while the shard is locked.
    pub(super) fn insert(
        &self,
        meta: Meta,
        extra: Option<Extra>,
        value: &mut dyn Parcel,
        is_new: bool,
        swapped: impl FnOnce(Handle, Option<&Taken>),
    ) -> (Handle, Option<Taken>) {
        let head = meta.key.head();
        let mut shard = self.write_lock(shard_of(head.hash()));
        let table = shard.table(head.space_id() as usize);
        let (slot, old) = table.insert(meta, extra, value, is_new);
        let handle = Handle::of(head, slot);
        swapped(handle, old.as_ref());
        (handle, old)
    }

    /// Removes the entry of `key`. `removed` runs while the shard is locked.
    pub(super) fn remove_key(
        &self,
        key: &Key,
        removed: impl FnOnce(Handle, &Meta),
    ) -> Option<Taken> {
        let mut shard = self.write_lock(shard_of(key.head().hash()));
        let table = shard.get_mut(key.head().space_id() as usize)?;
        let slot = table.seek(key)?;
        let taken = table.take(slot, |_| true, None)?;
        removed(Handle::of(key.head(), slot), &taken.meta);
        Some(taken)
    }

    /// Removes the entry at `handle`, if `is_it` accepts it. `removed` runs while the shard is locked. For `bin`, see
    /// [`Parcel::hold`].
    pub(super) fn remove(
        &self,
        handle: Handle,
        is_it: impl FnOnce(&Meta) -> bool,
        bin: Option<&mut dyn Parcel>,
        removed: impl FnOnce(Handle, &Meta),
    ) -> Option<Taken> {
        let mut shard = self.write_lock(handle.shard());
        let table = shard.get_mut(handle.table())?;
        let taken = table.take(handle.slot(), is_it, bin)?;
        removed(handle, &taken.meta);
        Some(taken)
    }

    /// Moves the entries at `handles` that `is_it` accepts into `gone`. The shard's lock is taken once per batch, which is cheaper
    /// than once per entry and does not keep readers waiting long. `removed` is called with each batch under the lock.
    pub(super) fn remove_all(
        &self,
        mut handles: Vec<Handle>,
        is_it: impl Fn(Handle, &Meta) -> bool,
        removed: impl Fn(&[Taken]),
        gone: &mut Vec<Taken>,
    ) {
        handles.sort_unstable();
        for group in handles.chunk_by(|one, other| one.shard() == other.shard()) {
            for some in group.chunks(AT_ONCE) {
                let mut shard = self.write_lock(some[0].shard());
                // each step runs for the whole batch before the next step, so that the entries' memory is loaded in parallel
                let those: SmallVec<[Handle; AT_ONCE]> = some
                    .iter()
                    .copied()
                    .filter(|&handle| {
                        meta_of(&shard, handle).is_some_and(|meta| is_it(handle, meta))
                    })
                    .collect();
                for handle in &those {
                    if let Some(table) = shard.get(handle.table()) {
                        table.touch(handle.slot());
                    }
                }
                let before = gone.len();
                gone.extend(those.into_iter().filter_map(|it| take(&mut shard, it)));
                removed(&gone[before..]);
            }
        }
    }

    /// Removes everything, shard by shard, and frees the memory. `removed` is called with batches of a shard's entries while the shard
    /// is locked.
    pub(super) fn drain(&self, removed: impl Fn(&[Taken])) -> Vec<Taken> {
        let mut all = Vec::new();
        for number in 0..SHARDS {
            let mut shard = self.write_lock(number);
            let before = all.len();
            for mut table in std::mem::take(&mut *shard).tables {
                let slots: Vec<u32> = table.slots().collect();
                all.extend(
                    slots
                        .into_iter()
                        .filter_map(|slot| table.take(slot, |_| true, None)),
                );
            }
            all[before..].chunks(AT_ONCE).for_each(&removed);
        }
        all
    }

    /// Passes every entry to `see`, shard by shard, with the shard locked for reading.
    pub(super) fn for_each(&self, mut see: impl FnMut(Entry<'_>)) {
        for number in 0..SHARDS {
            for table in &self.read_lock(number).tables {
                for slot in table.slots() {
                    table.entry(slot).map(&mut see);
                }
            }
        }
    }
}

/// The metadata of the entry at `handle`, in its shard.
fn meta_of(shard: &Shard, handle: Handle) -> Option<&Meta> {
    shard.get(handle.table())?.meta(handle.slot())
}

/// Removes the entry at `handle` from its shard.
fn take(shard: &mut Shard, handle: Handle) -> Option<Taken> {
    let table = shard.get_mut(handle.table())?;
    table.take(handle.slot(), |_| true, None)
}

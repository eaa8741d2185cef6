//! The table: entries by hash, in shards that are locked one by one.
//!
//! A look-up finds an entry by hash and predicate, so it owns no key. A shard's lock is one that readers of several threads
//! don't contend for: a hit writes to no cache line that a hit of another thread writes. What that costs is paid by writers,
//! who lock it for each group of threads. Nothing here calls code that could come back to the table, but for the closures
//! that it is given.

use std::sync::{Arc, PoisonError};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

use crate::entry::Entry;
use crate::key::{Hash32, Key};
use crate::sync::ReadMostly;

/// How many shards: enough for the writers of a large machine, and for a shard's growth to be no long wait.
const SHARDS: usize = if cfg!(shuttle) { 2 } else { 32 };

/// The entries of one hash that are in the table. Beside one that is put in or taken out there seldom is one.
#[derive(Clone, Copy)]
pub(super) struct Twins<'a> {
    table: &'a HashTable<Arc<Entry>>,
    hash: u64,
    /// Whether there is none, which is looked up once.
    none: bool,
}

impl<'a> Twins<'a> {
    pub(super) fn new(table: &'a HashTable<Arc<Entry>>, hash: u64) -> Self {
        let none = of_hash(table, hash).next().is_none();
        Self { table, hash, none }
    }

    pub(super) fn any(self, is_it: impl Fn(&Entry) -> bool) -> bool {
        !self.none && of_hash(self.table, self.hash).any(is_it)
    }
}

/// The entries with `hash`.
fn of_hash(table: &HashTable<Arc<Entry>>, hash: u64) -> impl Iterator<Item = &Entry> {
    let all = table.iter_hash(hash);
    all.filter(move |entry| entry.key().hash() == hash)
        .map(|entry| &**entry)
}

/// Takes out of a shard the entry with `hash` that `is_it`, and shows it to `removed`.
fn take(
    shard: &mut HashTable<Arc<Entry>>,
    hash: u64,
    is_it: impl Fn(&Arc<Entry>) -> bool,
    removed: impl FnOnce(&Entry, Twins<'_>),
) -> Option<Arc<Entry>> {
    let found = shard.find_entry(hash, |entry| entry.key().hash() == hash && is_it(entry));
    let (entry, _) = found.ok()?.remove();
    removed(&entry, Twins::new(shard, hash));
    // a shard that was full once does not keep the room for that
    if shard.len() * 8 + SLACK < shard.capacity() {
        let room = shard.len() * 2;
        shard.shrink_to(room, |entry| entry.key().hash());
    }
    Some(entry)
}

/// The room for so many entries is kept by a shard that has few.
const SLACK: usize = 64;

/// How many hashes' entries are taken out under one lock.
const AT_ONCE: usize = 16;

type Shard = ReadMostly<HashTable<Arc<Entry>>>;

pub(super) struct Table([Shard; SHARDS]);

impl Table {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Shard::new(HashTable::new())))
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Shard {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "taken modulo the number of shards"
        )]
        // the tables look at the lowest bits, and at the topmost, and a hash has no more in it than its lower half
        &self.0[(hash >> 27) as usize % SHARDS]
    }

    /// Gives the entry with `hash` whose key `is_it` to `read`, which runs while the shard is locked for reading.
    #[inline]
    pub(super) fn read<R>(
        &self,
        hash: u64,
        is_it: impl Fn(&Key) -> bool,
        read: impl FnOnce(&Arc<Entry>) -> R,
    ) -> Option<R> {
        let shard = self.shard(hash).read();
        let shard = shard.unwrap_or_else(PoisonError::into_inner);
        shard.find(hash, |entry| is_it(entry.key())).map(read)
    }

    /// Shows all entries with `hash` to `see`, which runs while their shard is locked for reading.
    pub(super) fn read_all(&self, hash: Hash32, see: impl FnMut(&Entry)) {
        let hash = hash.spread();
        let shard = self.shard(hash).read();
        let shard = shard.unwrap_or_else(PoisonError::into_inner);
        of_hash(&shard, hash).for_each(see);
    }

    /// Puts `entry` in, in the place of the one of its key, which is returned. `swapped` is shown both while the shard is locked.
    pub(super) fn insert(
        &self,
        entry: Arc<Entry>,
        swapped: impl FnOnce(&Entry, Option<(&Entry, Twins<'_>)>),
    ) -> Option<Arc<Entry>> {
        let hash = entry.key().hash();
        let shard = self.shard(hash).write();
        let mut shard = shard.unwrap_or_else(PoisonError::into_inner);
        let is_it = |old: &Arc<Entry>| old.key() == entry.key();
        match shard.entry(hash, is_it, |entry| entry.key().hash()) {
            Place::Occupied(mut place) => {
                let old = std::mem::replace(place.get_mut(), Arc::clone(&entry));
                let twins = Twins::new(place.into_table(), hash);
                swapped(&entry, Some((&old, twins)));
                // while the shard is locked, this is not the last one: once it is not, another may take the entry out, and a value
                // must not be dropped here, where its caller may hold locks
                drop(entry);
                Some(old)
            }
            Place::Vacant(place) => {
                swapped(place.insert(entry).get(), None);
                None
            }
        }
    }

    /// Takes out the entry with `hash` that `is_it`. `removed` runs while the shard is locked.
    pub(super) fn remove(
        &self,
        hash: u64,
        is_it: impl Fn(&Arc<Entry>) -> bool,
        removed: impl FnOnce(&Entry, Twins<'_>),
    ) -> Option<Arc<Entry>> {
        let shard = self.shard(hash).write();
        let mut shard = shard.unwrap_or_else(PoisonError::into_inner);
        take(&mut shard, hash, is_it, removed)
    }

    /// Takes out all entries with one of the `hashes` that `is_it`, into `gone`. `removed` runs for each while its shard is locked:
    /// not for each of them anew, nor for many at once, which readers would wait for.
    pub(super) fn remove_all(
        &self,
        mut hashes: Vec<Hash32>,
        is_it: impl Fn(&Arc<Entry>) -> bool,
        removed: impl Fn(&Entry, Twins<'_>),
        gone: &mut impl Extend<Arc<Entry>>,
    ) {
        let shard_of = |hash: &Hash32| self.shard(hash.spread());
        // the topmost bits of a hash say which shard it is in
        hashes.sort_unstable();
        let same_shard =
            |one: &Hash32, other: &Hash32| std::ptr::eq(shard_of(one), shard_of(other));
        for group in hashes.chunk_by(same_shard) {
            for some in group.chunks(AT_ONCE) {
                let shard = shard_of(&some[0]).write();
                let mut shard = shard.unwrap_or_else(PoisonError::into_inner);
                for hash in some {
                    gone.extend(std::iter::from_fn(|| {
                        take(&mut shard, hash.spread(), &is_it, &removed)
                    }));
                }
            }
        }
    }

    /// Takes out everything, shard by shard, and gives back the room. `removed` runs for each while its shard is locked.
    pub(super) fn drain(&self, mut removed: impl FnMut(&Entry, Twins<'_>)) -> Vec<Arc<Entry>> {
        let mut all = Vec::new();
        for shard in &self.0 {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let start = all.len();
            all.extend(std::mem::take(&mut *shard));
            for entry in &all[start..] {
                removed(entry, Twins::new(&shard, entry.key().hash()));
            }
        }
        all
    }

    /// Shows everything to `see`, shard by shard, each locked for reading.
    pub(super) fn for_each(&self, mut see: impl FnMut(&Arc<Entry>)) {
        for shard in &self.0 {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.iter().for_each(&mut see);
        }
    }
}

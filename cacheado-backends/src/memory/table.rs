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
use crate::key::Key;
use crate::sync::ReadMostly;

/// How many shards: enough for the writers of a large machine, and for a shard's growth to be no long wait.
const SHARDS: usize = if cfg!(shuttle) { 2 } else { 32 };

/// The room for so many entries is kept by a shard that has few.
const SLACK: usize = 64;

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
        // the table itself looks at the topmost and the lowest bits
        &self.0[(hash >> 48) as usize % SHARDS]
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

    /// Puts `entry` in, in the place of the one of its key, which is returned. `swapped` is shown both while the shard is locked.
    pub(super) fn insert(
        &self,
        entry: Arc<Entry>,
        swapped: impl FnOnce(&Arc<Entry>, Option<&Arc<Entry>>),
    ) -> Option<Arc<Entry>> {
        let hash = entry.key().hash();
        let shard = self.shard(hash).write();
        let mut shard = shard.unwrap_or_else(PoisonError::into_inner);
        let is_it = |old: &Arc<Entry>| old.key() == entry.key();
        match shard.entry(hash, is_it, |entry| entry.key().hash()) {
            Place::Occupied(mut place) => {
                let old = std::mem::replace(place.get_mut(), entry);
                swapped(place.get(), Some(&old));
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
        removed: impl FnOnce(&Arc<Entry>),
    ) -> Option<Arc<Entry>> {
        let shard = self.shard(hash).write();
        let mut shard = shard.unwrap_or_else(PoisonError::into_inner);
        let (entry, _) = shard.find_entry(hash, is_it).ok()?.remove();
        removed(&entry);
        // a shard that was full once does not keep the room for that
        if shard.len() * 8 + SLACK < shard.capacity() {
            let room = shard.len() * 2;
            shard.shrink_to(room, |entry| entry.key().hash());
        }
        Some(entry)
    }

    /// Takes out everything, shard by shard, and gives back the room. `removed` runs for each while its shard is locked.
    pub(super) fn drain(&self, mut removed: impl FnMut(&Arc<Entry>)) -> Vec<Arc<Entry>> {
        let mut all = Vec::new();
        for shard in &self.0 {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let start = all.len();
            all.extend(std::mem::take(&mut *shard));
            all[start..].iter().for_each(&mut removed);
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

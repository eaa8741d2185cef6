//! The table: entries by hash, in shards that are locked one by one.
//!
//! It is a dashmap whose raw shards find an entry by hash and predicate, so a look-up owns no key. Nothing here calls code
//! that could come back to the table, but for the closures that it is given.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use crate::entry::Entry;
use crate::key::Key;

/// An entry in its place. Equal to another of the same key.
struct Slot(Arc<Entry>);

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.key().hash());
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl Eq for Slot {}

/// Passes on the hash that the key has already.
#[derive(Clone, Default)]
#[cfg_attr(shuttle, allow(dead_code))]
pub(super) struct Passthrough(u64);

impl Hasher for Passthrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // only `write_u64` is ever used; folding keeps this right if that changes
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg_attr(shuttle, allow(dead_code))]
type PassthroughHasher = BuildHasherDefault<Passthrough>;

#[cfg(not(shuttle))]
mod shards {
    use std::sync::Arc;

    use dashmap::{DashMap, SharedValue};

    use super::{Entry, Key, PassthroughHasher, Slot};

    pub(in crate::memory) struct Table(DashMap<Slot, (), PassthroughHasher>);

    impl Table {
        pub(in crate::memory) fn new() -> Self {
            Self(DashMap::with_hasher(PassthroughHasher::default()))
        }

        #[inline]
        fn shard(&self, hash: u64) -> usize {
            #[allow(
                clippy::cast_possible_truncation,
                reason = "a hash; dashmap takes a usize"
            )]
            self.0.determine_shard(hash as usize)
        }

        /// Gives the entry with `hash` whose key `is_it` to `read`, which runs while the shard is locked for reading.
        #[inline]
        pub(in crate::memory) fn read<R>(
            &self,
            hash: u64,
            is_it: impl Fn(&Key) -> bool,
            read: impl FnOnce(&Arc<Entry>) -> R,
        ) -> Option<R> {
            let shard = self.0.shards()[self.shard(hash)].read();
            shard
                .get(hash, |(slot, _)| is_it(slot.0.key()))
                .map(|(slot, _)| read(&slot.0))
        }

        /// Puts `entry` in, in the place of the one of its key, which is returned. `swapped` runs while the shard is locked.
        pub(in crate::memory) fn insert(
            &self,
            entry: Arc<Entry>,
            swapped: impl FnOnce(Option<&Arc<Entry>>),
        ) -> Option<Arc<Entry>> {
            let hash = entry.key().hash();
            let mut shard = self.0.shards()[self.shard(hash)].write();
            let old = match shard.get_mut(hash, |(slot, _)| slot.0.key() == entry.key()) {
                Some((slot, _)) => Some(std::mem::replace(&mut slot.0, entry)),
                None => {
                    shard.insert(hash, (Slot(entry), SharedValue::new(())), |(slot, _)| {
                        slot.0.key().hash()
                    });
                    None
                }
            };
            swapped(old.as_ref());
            old
        }

        /// Takes out the entry with `hash` that `is_it`. `removed` runs while the shard is locked.
        pub(in crate::memory) fn remove(
            &self,
            hash: u64,
            is_it: impl Fn(&Entry) -> bool,
            removed: impl FnOnce(&Arc<Entry>),
        ) -> Option<Arc<Entry>> {
            let mut shard = self.0.shards()[self.shard(hash)].write();
            let (Slot(entry), _) = shard.remove_entry(hash, |(slot, _)| is_it(&slot.0))?;
            removed(&entry);
            Some(entry)
        }

        /// Takes out everything, shard by shard. `removed` runs for each while its shard is locked.
        pub(in crate::memory) fn drain(
            &self,
            mut removed: impl FnMut(&Arc<Entry>),
        ) -> Vec<Arc<Entry>> {
            let mut all = Vec::new();
            for shard in self.0.shards() {
                all.extend(shard.write().drain().map(|(Slot(entry), _)| {
                    removed(&entry);
                    entry
                }));
            }
            all
        }

        /// Shows everything to `see`, shard by shard, each locked for reading.
        pub(in crate::memory) fn for_each(&self, mut see: impl FnMut(&Arc<Entry>)) {
            for item in &self.0 {
                see(&item.key().0);
            }
        }
    }
}

/// The same table on a model checker's locks, which can't be put inside of dashmap.
#[cfg(shuttle)]
mod shards {
    use std::sync::Arc;

    use shuttle::sync::RwLock;

    use super::{Entry, Key, Slot};

    pub(in crate::memory) struct Table([RwLock<Vec<Slot>>; 2]);

    impl Table {
        pub(in crate::memory) fn new() -> Self {
            Self([RwLock::new(Vec::new()), RwLock::new(Vec::new())])
        }

        fn shard(&self, hash: u64) -> &RwLock<Vec<Slot>> {
            &self.0[(hash >> 63) as usize]
        }

        pub(in crate::memory) fn read<R>(
            &self,
            hash: u64,
            is_it: impl Fn(&Key) -> bool,
            read: impl FnOnce(&Arc<Entry>) -> R,
        ) -> Option<R> {
            let shard = self.shard(hash).read().unwrap();
            shard
                .iter()
                .find(|slot| is_it(slot.0.key()))
                .map(|slot| read(&slot.0))
        }

        pub(in crate::memory) fn insert(
            &self,
            entry: Arc<Entry>,
            swapped: impl FnOnce(Option<&Arc<Entry>>),
        ) -> Option<Arc<Entry>> {
            let mut shard = self.shard(entry.key().hash()).write().unwrap();
            let old = match shard.iter_mut().find(|slot| slot.0.key() == entry.key()) {
                Some(slot) => Some(std::mem::replace(&mut slot.0, entry)),
                None => {
                    shard.push(Slot(entry));
                    None
                }
            };
            swapped(old.as_ref());
            old
        }

        pub(in crate::memory) fn remove(
            &self,
            hash: u64,
            is_it: impl Fn(&Entry) -> bool,
            removed: impl FnOnce(&Arc<Entry>),
        ) -> Option<Arc<Entry>> {
            let mut shard = self.shard(hash).write().unwrap();
            let at = shard.iter().position(|slot| is_it(&slot.0))?;
            let Slot(entry) = shard.swap_remove(at);
            removed(&entry);
            Some(entry)
        }

        pub(in crate::memory) fn drain(
            &self,
            mut removed: impl FnMut(&Arc<Entry>),
        ) -> Vec<Arc<Entry>> {
            let mut all = Vec::new();
            for shard in &self.0 {
                for Slot(entry) in shard.write().unwrap().drain(..) {
                    removed(&entry);
                    all.push(entry);
                }
            }
            all
        }

        pub(in crate::memory) fn for_each(&self, mut see: impl FnMut(&Arc<Entry>)) {
            for shard in &self.0 {
                shard.read().unwrap().iter().for_each(|slot| see(&slot.0));
            }
        }
    }
}

pub(super) use shards::Table;

//! Sets of hashes, which say where entries are to be looked for: four bytes an entry, and as much again for free places.

use hashbrown::HashTable;

use crate::key::Hash32;

/// The room for so many is kept by a set that has few.
const SLACK: usize = 8;

/// Which hashes the entries of some group have.
///
/// A hash is in it once, whichever number of the group's entries have it: it goes with the last of them, which is for who takes
/// them out to see to.
#[derive(Default)]
pub(super) struct Hashes(HashTable<Hash32>);

impl Hashes {
    pub(super) fn insert(&mut self, hash: Hash32) {
        let is_it = |other: &Hash32| *other == hash;
        self.0
            .entry(hash.spread(), is_it, |hash| hash.spread())
            .or_insert(hash);
    }

    /// Takes `hash` out, if it is in.
    pub(super) fn remove(&mut self, hash: Hash32) {
        if let Ok(found) = self.0.find_entry(hash.spread(), |other| *other == hash) {
            found.remove();
            fit(&mut self.0, |hash| hash.spread());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Hash32> {
        self.0.iter().copied()
    }
}

/// Has `table`, from which something was removed, give back room if it was full once and has little left.
pub(super) fn fit<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    if table.len() * 8 + SLACK < table.capacity() {
        table.shrink_to(table.len() * 2, hash);
    }
}

//! Sets of handles: eight bytes per handle, and half as much again for free buckets.

use hashbrown::HashTable;

use super::handle::Handle;

/// A nearly empty set keeps room for this many handles.
const SLACK: usize = 8;

/// A set of entries, by their handles.
#[derive(Default)]
pub(super) struct Handles(HashTable<Handle>);

impl Handles {
    pub(super) fn insert(&mut self, handle: Handle) {
        let is_it = |other: &Handle| *other == handle;
        self.0
            .entry(handle.spread(), is_it, |handle| handle.spread())
            .or_insert(handle);
    }

    /// Removes `handle`, if it is in the set.
    pub(super) fn remove(&mut self, handle: Handle) {
        if let Ok(found) = self.0.find_entry(handle.spread(), |other| *other == handle) {
            found.remove();
            fit(&mut self.0, |handle| handle.spread());
        }
    }

    /// Reads the memory that removing `handle` will read. See [`touch`].
    pub(super) fn touch(&self, handle: Handle) {
        touch(&self.0, handle.spread(), |other| *other == handle);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The capacity, in handles.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.0.capacity()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Handle> {
        self.0.iter().copied()
    }
}

/// Shrinks `table` after a removal, if only about an eighth of its capacity or less is in use.
pub(super) fn fit<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    if table.len() * 8 + SLACK < table.capacity() {
        table.shrink_to(table.len() * 2, hash);
    }
}

/// Reads the memory that a removal from `table` will read. Doing this for several entries before removing the first one lets the
/// processor load their memory in parallel: in a store of a million entries it saves a fifth of the cost of evicting a scope.
pub(super) fn touch<T>(table: &HashTable<T>, hash: u64, is_it: impl FnMut(&T) -> bool) {
    // without this the compiler would drop the reads
    _ = std::hint::black_box(table.find(hash, is_it));
}

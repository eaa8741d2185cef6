//! Sets of handles: eight bytes an entry, and half as much again for free places.

use hashbrown::HashTable;

use super::handle::Handle;

/// The room for so many is kept by a set that has few.
const SLACK: usize = 8;

/// Which entries are in some group.
#[derive(Default)]
pub(super) struct Handles(HashTable<Handle>);

impl Handles {
    pub(super) fn insert(&mut self, handle: Handle) {
        let is_it = |other: &Handle| *other == handle;
        self.0
            .entry(handle.spread(), is_it, |handle| handle.spread())
            .or_insert(handle);
    }

    /// Takes `handle` out, if it is in.
    pub(super) fn remove(&mut self, handle: Handle) {
        if let Ok(found) = self.0.find_entry(handle.spread(), |other| *other == handle) {
            found.remove();
            fit(&mut self.0, |handle| handle.spread());
        }
    }

    /// Looks at what taking `handle` out looks at.
    pub(super) fn touch(&self, handle: Handle) {
        touch(&self.0, handle.spread(), |other| *other == handle);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// For how many there is room.
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

/// Has `table`, from which something was removed, give back room if it was full once and has little left.
pub(super) fn fit<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    if table.len() * 8 + SLACK < table.capacity() {
        table.shrink_to(table.len() * 2, hash);
    }
}

/// Looks at what taking out of `table` looks at. If that is done for several before the first is taken out, the processor waits for the
/// memory of all of them together: in a store of a million entries, a fifth of what evicting a scope costs.
pub(super) fn touch<T>(table: &HashTable<T>, hash: u64, is_it: impl FnMut(&T) -> bool) {
    // or nothing would be looked at
    _ = std::hint::black_box(table.find(hash, is_it));
}

//! Lists whose entries know their places in them, so that taking one out costs the same however long the list is.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::entry::{Entry, Seat};

/// Entries in no order. Many lists never have a second one, and so allocate nothing.
#[derive(Default)]
pub(super) struct Roster(SmallVec<[Arc<Entry>; 1]>);

/// Which of its seats an entry has in the lists of one kind.
pub(super) type Which = fn(&Entry) -> &Seat;

impl Roster {
    /// Adds `entry` to this list, which is the one called `list`.
    pub(super) fn push(&mut self, entry: Arc<Entry>, list: u32, seat: Which) {
        seat(&entry).take(list, self.0.len());
        self.0.push(entry);
    }

    /// Takes out the entry at `place`.
    pub(super) fn remove(&mut self, place: usize, seat: Which) -> Option<Arc<Entry>> {
        if place >= self.0.len() {
            return None;
        }
        let removed = self.0.swap_remove(place);
        if let Some(moved) = self.0.get(place)
            && let Some((list, _)) = seat(moved).taken()
        {
            seat(moved).take(list, place);
        }
        // a list that was long once does not keep the room for it
        if self.0.spilled() && self.0.len() * 4 < self.0.capacity() {
            self.0.shrink_to_fit();
        }
        seat(&removed).leave();
        Some(removed)
    }

    /// Takes out all, who have no seats any more.
    pub(super) fn dissolve(self, seat: Which) -> SmallVec<[Arc<Entry>; 1]> {
        self.0.iter().for_each(|entry| seat(entry).leave());
        self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.0.iter()
    }
}

//! Handles: which place of the store is meant, in one word.

use std::hash::{Hash, Hasher};

use crate::key::{Hash32, Head, Space};

/// A place: its shard, the table in it, and the slot in that. Whoever keeps one looks again at what lies there before he acts on
/// it: an entry may have gone since, and another of the same function lie in its place.
///
/// Of several that are sorted, those of one shard come one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Handle(u64);

/// How many bits say which shard it is.
const SHARD: u32 = 5;
const SLOT: u32 = u32::BITS;
/// What is left for the space: 134 million functions.
const SPACE: u32 = u64::BITS - SHARD - SLOT;

/// How many shards: enough for the writers of a large machine, and for a table's growth to be no long wait.
pub(super) const SHARDS: usize = if cfg!(shuttle) { 2 } else { 1 << SHARD };

/// Odd, so that nothing is lost, and without a pattern.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which shard the keys of that hash are in.
#[inline]
pub(super) fn shard_of(hash: Hash32) -> usize {
    // the tables look at the lowest bits, and at some that are made of all
    (hash.0 >> (u32::BITS - SHARD)) as usize % SHARDS
}

impl Handle {
    /// The place of an entry whose key has this `head`, in that slot.
    #[inline]
    pub(crate) fn of(head: Head, slot: u32) -> Self {
        let shard = shard_of(head.hash()) as u64;
        let space = u64::from(head.space_id());
        debug_assert!(space < 1 << SPACE);
        Self(shard << (SPACE + SLOT) | space << SLOT | u64::from(slot))
    }

    pub(super) fn shard(self) -> usize {
        (self.0 >> (SPACE + SLOT)) as usize
    }

    /// The number of the space, by which a shard finds its table.
    pub(super) fn table(self) -> usize {
        ((self.0 >> SLOT) % (1 << SPACE)) as usize
    }

    /// Whose entry lies there.
    pub(super) fn space(self) -> Option<&'static Space> {
        Space::by_id(u32::try_from(self.table()).ok()?)
    }

    pub(super) fn slot(self) -> u32 {
        #[allow(clippy::cast_possible_truncation, reason = "the lower half is taken")]
        let slot = self.0 as u32;
        slot
    }

    /// A hash of it, for a table.
    pub(super) fn spread(self) -> u64 {
        // the tables look at the topmost bits and at the lowest, and multiplying moves everything upwards
        (self.0 ^ self.0 >> SLOT)
            .wrapping_mul(SPREAD)
            .rotate_left(SLOT)
    }
}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

//! Handles: the address of a slot in the store, in one word.

use std::hash::{Hash, Hasher};

use crate::key::{Hash32, Head, Space};

/// The address of a slot: the shard, the table in that shard, and the slot in that table. Code that keeps a handle must check the
/// entry in the slot before acting on it: the original entry may have been removed since, and the slot reused for another entry of the
/// same function.
///
/// Sorting handles groups them by shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Handle(u64);

/// The number of bits for the shard.
const SHARD: u32 = 5;
const SLOT: u32 = u32::BITS;
/// The number of bits for the space: 134 million functions.
const SPACE: u32 = u64::BITS - SHARD - SLOT;

/// The number of shards: enough for the writers of a large machine, and to keep the pause short while a table grows.
pub(super) const SHARDS: usize = if cfg!(shuttle) { 2 } else { 1 << SHARD };

/// An odd number without a pattern in its bits: odd, so that multiplying by it loses no information.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The shard of the keys with this hash.
#[inline]
pub(super) fn shard_of(hash: Hash32) -> usize {
    // the topmost bits: the tables use the lowest ones, and some that depend on all of them
    (hash.0 >> (u32::BITS - SHARD)) as usize % SHARDS
}

impl Handle {
    /// The handle of the entry in `slot` whose key has this `head`.
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

    /// The id of the space, by which a shard finds its table.
    pub(super) fn table(self) -> usize {
        ((self.0 >> SLOT) % (1 << SPACE)) as usize
    }

    /// The space of the entry.
    pub(super) fn space(self) -> Option<&'static Space> {
        Space::by_id(u32::try_from(self.table()).ok()?)
    }

    pub(super) fn slot(self) -> u32 {
        #[allow(clippy::cast_possible_truncation, reason = "the lower half is taken")]
        let slot = self.0 as u32;
        slot
    }

    /// A hash of the handle, for a table.
    pub(super) fn spread(self) -> u64 {
        // the tables use the topmost and the lowest bits, and multiplying moves entropy upwards only
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

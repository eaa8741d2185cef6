//! The content of a load's mark.

use std::time::Instant;

use super::header::Generation;
use crate::backend::Mark;

/// What the store answered when a load began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoadMark {
    /// The number of the item under the key. 0, which no item has, if nothing may be stored.
    pub(super) cas: u64,
    /// The generation of the key's scopes.
    pub(super) generation: Generation,
    /// The number of the load's claim; 0 without one.
    pub(super) lease: u64,
}

const LEN: usize = 8 + Generation::LEN + 8;

impl LoadMark {
    /// The mark for a load that began at `taken`.
    pub(super) fn mark(self, taken: Instant) -> Mark {
        let bytes = [
            &self.cas.to_be_bytes()[..],
            &self.generation.0,
            &self.lease.to_be_bytes(),
        ]
        .concat();
        Mark::new(bytes, taken)
    }

    /// Reads `mark`; `None` if it has no content.
    pub(super) fn of(mark: &Mark) -> Option<Self> {
        let bytes: &[u8; LEN] = mark.bytes().try_into().ok()?;
        let (&cas, rest) = bytes.split_first_chunk()?;
        let (&generation, rest) = rest.split_first_chunk()?;
        let (&lease, _) = rest.split_first_chunk()?;
        Some(Self {
            cas: u64::from_be_bytes(cas),
            generation: Generation(generation),
            lease: u64::from_be_bytes(lease),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = LoadMark {
            cas: 7,
            generation: Generation([3; 16]),
            lease: u64::MAX,
        };
        assert_eq!(LoadMark::of(&mark.mark(Instant::now())), Some(mark));
        assert_eq!(LoadMark::of(&Mark::none()), None);
    }
}

//! Heads of keys: a hash of 32 bits and the id of the key's space, which distinguish most keys.

use super::space::Space;

/// Odd, so that each lower half gives a different upper half; the fraction of the golden ratio, so that it looks random.
const SPREAD: u64 = 0x9e37_79b9_0000_0001;

/// A hash of 32 bits. Of a million keys about a hundred share their hash with another key, so a lookup must compare the keys as well.
///
/// Tables take 64 bits, of which they use the lowest and the topmost. These are computed from the 32 bits, without adding information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hash32(pub(crate) u32);

impl Hash32 {
    /// Takes the lower half of a hash of 64 bits.
    #[inline]
    pub(crate) fn fold(hash: u64) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "the lower half is taken")]
        Self(hash as u32)
    }

    /// Spreads the hash over 64 bits, for a table.
    #[inline]
    pub(crate) fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(SPREAD)
    }
}

/// The hash of a key, and above it the id of its space: one word, which is compared in one step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Head(u64);

impl Head {
    #[inline]
    pub(crate) fn new(hash: u64, space: &Space) -> Self {
        Self(u64::from(Hash32::fold(hash).0) | u64::from(space.id()) << 32)
    }

    #[inline]
    pub(crate) fn hash(self) -> Hash32 {
        Hash32::fold(self.0)
    }

    #[inline]
    pub(crate) fn space_id(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) fn space(self) -> &'static Space {
        Space::by_id(self.space_id()).expect("a key is made of a space that there is")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreading_loses_nothing_and_changes_the_topmost_bits() {
        let mut topmost = [0; 128];
        for n in 0..12_800 {
            let hash = Hash32(n);
            assert_eq!(hash.spread() % (1 << 32), u64::from(n));
            topmost[(hash.spread() >> 57) as usize] += 1;
        }
        assert!(topmost.iter().all(|count| (50..150).contains(count)));
    }
}

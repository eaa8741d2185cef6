//! Compression of values: LZ4's block format (Collet, 2011), by the safe variant of the crate `lz4_flex`.
//!
//! A block is decompressed to the length given in the envelope. That is limited by [`MOST`], and by what a block of its size can
//! expand to. So no contents of a store make this allocate more.

/// The largest uncompressed size of a compressed value: 64 MiB. Larger values are stored uncompressed.
pub const MOST: usize = 64 << 20;

/// The most bytes that one byte of a block can expand to: each byte of a match length adds 255.
#[cfg(feature = "lz4")]
const MOST_PER_BYTE: usize = 255;

/// Which values are compressed. None, by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compression {
    #[cfg(feature = "lz4")]
    above: Option<usize>,
}

#[cfg(feature = "lz4")]
impl Compression {
    /// Compresses values of more than `bytes` bytes.
    #[must_use]
    pub const fn above(bytes: usize) -> Self {
        Self { above: Some(bytes) }
    }

    /// The compressed block of `value`; `None` if it must not be compressed, or would not be shorter with its length in front.
    pub(super) fn compress(self, value: &[u8]) -> Option<Vec<u8>> {
        let above = self.above?;
        if value.len() <= above || value.len() > MOST {
            return None;
        }
        let block = lz4_flex::block::compress(value);
        let bits = u64::BITS - (value.len() as u64).leading_zeros();
        let length = bits.div_ceil(7) as usize;
        (block.len() + length < value.len()).then_some(block)
    }
}

#[cfg(not(feature = "lz4"))]
impl Compression {
    #[allow(clippy::unused_self, reason = "the feature's build looks at it")]
    pub(super) fn compress(self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// Decompresses `block` to `length` bytes.
#[cfg(feature = "lz4")]
pub(super) fn decompress(block: &[u8], length: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(length).ok()?;
    if length > MOST || length / MOST_PER_BYTE > block.len() {
        return None;
    }
    let mut value = vec![0; length];
    let written = lz4_flex::block::decompress_into(block, &mut value).ok()?;
    (written == length).then_some(value)
}

/// This build can't decompress.
#[cfg(not(feature = "lz4"))]
pub(super) fn decompress(_: &[u8], _: u64) -> Option<Vec<u8>> {
    None
}

#[cfg(all(test, feature = "lz4"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_gets_no_shorter_is_left_as_it_is() {
        let varied: Vec<u8> = (0..=u8::MAX).collect();
        assert!(Compression::above(0).compress(&varied).is_none());
        assert!(Compression::above(0).compress(&[]).is_none());
        assert!(Compression::above(999).compress(&[7; 1000]).is_some());
        assert!(Compression::above(1000).compress(&[7; 1000]).is_none());
        assert!(Compression::default().compress(&[7; 1000]).is_none());
    }

    #[test]
    fn the_most_that_a_byte_can_stand_for_is_enough() {
        for len in [1_000, 100_000, 10_000_000, MOST] {
            let value = vec![7; len];
            let block = Compression::above(0).compress(&value).unwrap();
            assert!(decompress(&block, len as u64).unwrap() == value, "{len}");
        }
        assert!(Compression::above(0).compress(&vec![7; MOST + 1]).is_none());
    }

    #[test]
    fn a_length_that_is_too_large_takes_no_memory() {
        let block = Compression::above(0).compress(&[7; 1000]).unwrap();
        for length in [999, 1001, 1 << 30, u64::MAX] {
            assert_eq!(decompress(&block, length), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_no_block_is_none_or_as_long_as_it_says(block: Vec<u8>, length in 0_u64..2000) {
            if let Some(value) = decompress(&block, length) {
                prop_assert_eq!(value.len() as u64, length);
            }
        }
    }
}

//! The lengths of postcard encodings, as [its wire format](https://postcard.jamesmunns.com/wire-format) defines them.

/// The length of an unsigned number: seven bits per byte.
#[inline]
pub(super) const fn varint(number: u128) -> usize {
    // zero takes one byte as well
    let bits = (u128::BITS - (number | 1).leading_zeros()) as usize;
    bits.div_ceil(7)
}

/// The length of a signed number, which is zigzag-encoded: small absolute values stay short.
#[inline]
pub(super) const fn zigzag(number: i128) -> usize {
    varint((number << 1 ^ number >> (i128::BITS - 1)).cast_unsigned())
}

/// The length of a text or of bytes, with their own length in front.
#[inline]
pub(super) const fn with_len(len: usize) -> usize {
    varint(len as u128) + len
}

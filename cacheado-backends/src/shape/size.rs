//! How many bytes postcard writes of what it writes, as [its format](https://postcard.jamesmunns.com/wire-format) says.

/// How many bytes postcard writes of a number that fills as many bits as `number` does: seven to a byte.
#[inline]
pub(super) const fn varint(number: u128) -> usize {
    // one that is zero fills one
    let bits = (u128::BITS - (number | 1).leading_zeros()) as usize;
    bits.div_ceil(7)
}

/// The same of one with a sign, which is turned so that small ones are short either way.
#[inline]
pub(super) const fn zigzag(number: i128) -> usize {
    varint((number << 1 ^ number >> (i128::BITS - 1)).cast_unsigned())
}

/// The same of a text or bytes of that length: it stands in front.
#[inline]
pub(super) const fn with_len(len: usize) -> usize {
    varint(len as u128) + len
}

//! Lengths in as few bytes as possible (LEB128). A length in front makes the texts of a key prefix-free.

use super::buffer::Buffer;

/// Appends `len`.
#[inline]
pub(crate) fn write(out: &mut Buffer, len: usize) {
    match u8::try_from(len) {
        // nearly every text is this short
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let (bytes, used) = encode(len);
            out.extend(&bytes[..used]);
        }
    }
}

/// The encoding of `len`, and its length.
fn encode(mut len: usize) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut used = 0;
    loop {
        #[allow(clippy::cast_possible_truncation, reason = "seven bits")]
        let low = (len & 0x7f) as u8;
        len >>= 7;
        bytes[used] = if len == 0 { low } else { low | 0x80 };
        used += 1;
        if len == 0 {
            return (bytes, used);
        }
    }
}

/// Strips the encoding of `len` from the start of `bytes`; `None` if `bytes` begins differently.
#[inline]
pub(crate) fn strip(bytes: &[u8], len: usize) -> Option<&[u8]> {
    if len < 0x80 {
        // nearly every text is this short
        let (&first, rest) = bytes.split_first()?;
        return (usize::from(first) == len).then_some(rest);
    }
    strip_long(bytes, len)
}

#[cold]
fn strip_long(bytes: &[u8], len: usize) -> Option<&[u8]> {
    let (encoded, used) = encode(len);
    bytes.strip_prefix(&encoded[..used])
}

/// The text at the start of `bytes`, preceded by its length, and the bytes after it; `None` if it is incomplete.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = read(bytes)?;
    rest.split_at_checked(len)
}

/// The length at the start of `bytes`, and the bytes after it; `None` if it is incomplete.
#[inline]
fn read(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        // nearly every text is this short
        return Some((usize::from(first), rest));
    }
    read_long(bytes)
}

#[cold]
fn read_long(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut len = 0_usize;
    for (nth, byte) in bytes.iter().enumerate().take(10) {
        let shift = u32::try_from(nth).ok()? * 7;
        len |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((len, &bytes[nth + 1..]));
        }
    }
    None
}

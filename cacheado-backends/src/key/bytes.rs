//! The bytes of a key: inline while they are few, so that comparing them accesses no other place in memory.

use std::hint::cold_path;
use std::num::NonZeroU8;
use std::ops::Deref;
use std::sync::Arc;

/// The most bytes that are kept inline: enough for two short ids and a number. One less than a power of two.
const INLINE: usize = 31;
/// A bit above the inline length, so that the marked length is never zero.
const MARK: usize = INLINE + 1;

/// Immutable bytes. Cloning is cheap.
pub(crate) struct KeyBytes(Repr);

/// The marked length is never zero, so the compiler uses zero for the other variant, and the tag takes no byte.
enum Repr {
    Inline(Inline),
    Heap(Arc<[u8]>),
}

/// Aligned, so that it can be copied as words.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Inline {
    marked_len: NonZeroU8,
    bytes: [u8; INLINE],
}

const _: () = assert!(size_of::<KeyBytes>() == INLINE + 1);

impl KeyBytes {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= INLINE
            && let Ok(marked_len) = u8::try_from(bytes.len() | MARK)
            && let Some(marked_len) = NonZeroU8::new(marked_len)
        {
            let mut inline = Inline {
                marked_len,
                bytes: [0; INLINE],
            };
            inline.bytes[..bytes.len()].copy_from_slice(bytes);
            return Self(Repr::Inline(inline));
        }
        Self(Repr::Heap(bytes.into()))
    }
}

impl Clone for KeyBytes {
    #[inline]
    fn clone(&self) -> Self {
        match &self.0 {
            Repr::Inline(inline) => Self(Repr::Inline(*inline)),
            Repr::Heap(bytes) => Self::share(bytes),
        }
    }
}

impl KeyBytes {
    /// Not inlined: if the compiler sees both variants in one place, it copies the inline bytes in small pieces. Reads of whole words
    /// soon after then have to wait for those writes, four times per miss.
    #[cold]
    #[inline(never)]
    fn share(bytes: &Arc<[u8]>) -> Self {
        Self(Repr::Heap(Arc::clone(bytes)))
    }

    /// The number of bytes on the heap, with the reference counts.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline(_) => 0,
            Repr::Heap(bytes) => bytes.len() + 2 * size_of::<usize>(),
        }
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(Inline { marked_len, bytes }) => {
                // the bits below the mark are at most `INLINE`, so no bounds check is needed
                &bytes[..usize::from(marked_len.get()) & INLINE]
            }
            Repr::Heap(bytes) => {
                cold_path();
                bytes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_in_place_and_elsewhere() {
        for len in [0, 1, INLINE - 1, INLINE, INLINE + 1, 255, 256, 1000] {
            let bytes = vec![7; len];
            assert_eq!(&*KeyBytes::new(&bytes), &*bytes);
        }
    }
}

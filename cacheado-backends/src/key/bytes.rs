//! A key's bytes: in place while they are few, so that comparing them takes no step to elsewhere in memory.

use std::hint::cold_path;
use std::num::NonZeroU8;
use std::ops::Deref;
use std::sync::Arc;

/// How many bytes are kept in place: enough for two short ids and a number. One less than a power of two.
const INLINE: usize = 31;
/// Stands above the length of what is in place, so that it is never zero.
const MARK: usize = INLINE + 1;

/// Bytes that never change. Cloning is cheap.
pub(crate) struct KeyBytes(Repr);

/// What is in place says so by its length, which with the mark is never zero, and needs no byte for it.
enum Repr {
    Inline(Inline),
    Heap(Arc<[u8]>),
}

/// One value, and aligned, so that it can be copied as words.
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
    /// Not in line: where the compiler sees both in one place, it copies what is in place in pieces of some bytes. Read as words soon after,
    /// each of those is waited for: four times in a miss.
    #[cold]
    #[inline(never)]
    fn share(bytes: &Arc<[u8]>) -> Self {
        Self(Repr::Heap(Arc::clone(bytes)))
    }

    /// How many bytes lie elsewhere, with the counts of those who share them.
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
                // what is below the mark is no more than the array has: nothing needs to look whether it is
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

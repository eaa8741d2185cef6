//! A key's bytes: in place while they are few, so that comparing them takes no step to elsewhere in memory.

use std::num::NonZeroU8;
use std::ops::Deref;
use std::sync::Arc;

/// How many bytes are kept in place: enough for two short ids and a number. One less than a power of two.
const INLINE: usize = 31;

/// Bytes that never change. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct KeyBytes(Repr);

/// What is in place says so by its length, which is never zero, and so needs no byte to tell it from what is elsewhere.
#[derive(Clone)]
enum Repr {
    Inline {
        len_and_one: NonZeroU8,
        bytes: [u8; INLINE],
    },
    Heap(Arc<[u8]>),
}

const _: () = assert!(size_of::<KeyBytes>() == INLINE + 1);

impl KeyBytes {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        if let Some(place) = inline.get_mut(..bytes.len())
            && let Some(len_and_one) = u8::try_from(bytes.len() + 1).ok().and_then(NonZeroU8::new)
        {
            place.copy_from_slice(bytes);
            return Self(Repr::Inline {
                len_and_one,
                bytes: inline,
            });
        }
        Self(Repr::Heap(bytes.into()))
    }
}

impl KeyBytes {
    /// How many bytes lie elsewhere, with the counts of those who share them.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Heap(bytes) => bytes.len() + 2 * size_of::<usize>(),
        }
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len_and_one, bytes } => {
                // `new` keeps it within the array; and this way nothing needs to look whether it did
                &bytes[..usize::from(len_and_one.get() - 1) & INLINE]
            }
            Repr::Heap(bytes) => bytes,
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

//! A key's bytes: in place while they are few, so that comparing them takes no step to elsewhere in memory.

use std::ops::Deref;
use std::sync::Arc;

/// How many bytes are kept in place: enough for two short ids and a number.
const INLINE: usize = 38;

/// Bytes that never change. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct KeyBytes(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Arc<[u8]>),
}

impl KeyBytes {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        Self(
            match (inline.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
                (Some(place), Ok(len)) => {
                    place.copy_from_slice(bytes);
                    Repr::Inline { len, bytes: inline }
                }
                _ => Repr::Heap(bytes.into()),
            },
        )
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
            // `new` keeps `len` within the array
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
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

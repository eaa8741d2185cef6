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

/// Whether two texts are the same, without a call for the short ones that ids and arguments mostly are.
#[inline]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    let len = one.len();
    if len != other.len() {
        return false;
    }
    // two words that overlap cover every length from one word to two
    if len > 16 {
        one == other
    } else if len >= 8 {
        let word = |text: &[u8]| text.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let last = |text: &[u8]| text.last_chunk().copied().map_or(0, u64::from_le_bytes);
        (word(one) ^ word(other)) | (last(one) ^ last(other)) == 0
    } else if len >= 4 {
        let word = |text: &[u8]| text.first_chunk().copied().map_or(0, u32::from_le_bytes);
        let last = |text: &[u8]| text.last_chunk().copied().map_or(0, u32::from_le_bytes);
        (word(one) ^ word(other)) | (last(one) ^ last(other)) == 0
    } else {
        let places = |text: &[u8]| {
            let (first, last) = (text.first().copied(), text.last().copied());
            (first, text.get(len / 2).copied(), last)
        };
        places(one) == places(other)
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

    #[test]
    fn a_text_is_the_same_as_itself_and_as_no_other() {
        for len in 0..40 {
            let text = vec![7_u8; len];
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &vec![7; len + 1]));
            for place in 0..len {
                let mut other = text.clone();
                other[place] = 8;
                assert!(!same(&text, &other), "{len} bytes that differ at {place}");
            }
        }
    }
}

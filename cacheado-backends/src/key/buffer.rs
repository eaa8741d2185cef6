//! The buffer that keys are written into: on the stack while they are short.

/// Bytes that are being written.
pub(crate) struct Buffer {
    place: [u8; PLACE],
    /// The number of inline bytes. While `rest` is empty, these are all.
    len: usize,
    /// All bytes, once they no longer fit inline.
    heap: Vec<u8>,
}

const PLACE: usize = 96;

impl Buffer {
    pub(crate) fn new() -> Self {
        Self {
            place: [0; PLACE],
            len: 0,
            heap: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.place.get_mut(self.len..end) {
            Some(place) if self.heap.is_empty() => {
                place.copy_from_slice(bytes);
                self.len = end;
            }
            _ => self.spill(bytes),
        }
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.place[..self.len]);
        }
        self.heap.extend_from_slice(bytes);
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        if self.heap.is_empty() {
            &self.place[..self.len]
        } else {
            &self.heap
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_all_there_wherever_it_is_kept() {
        for step in 1..PLACE + 2 {
            let (mut buffer, mut written) = (Buffer::new(), Vec::new());
            for nth in 0..=u8::MAX {
                buffer.extend(&vec![nth; step]);
                written.extend(vec![nth; step]);
                buffer.push(nth);
                written.push(nth);
                assert_eq!(buffer.as_slice(), written);
            }
        }
    }
}

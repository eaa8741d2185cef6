//! The parts of an envelope: bytes, numbers, and texts preceded by their lengths.

/// Appends `number`, seven bits a byte, the lowest first (LEB128).
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends `text`, preceded by its length.
pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// The bytes that are still to be read. Each method reads the part that it is named after; `None` if it is not there.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.fixed::<1>().map(|[byte]| byte)
    }

    pub(super) fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return None;
            }
            number |= shifted;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_is_read(number: u64, shift in 0_u32..64, text: Vec<u8>, rest: Vec<u8>) {
            let number = number >> shift;
            let mut out = Vec::new();
            put_number(&mut out, number);
            put_text(&mut out, &text);
            out.extend(&rest);
            let mut reader = Reader(&out);
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.text(), Some(&text[..]));
            prop_assert_eq!(reader.0, &rest[..]);
        }
    }

    #[test]
    fn a_number_that_is_too_large_is_none() {
        let mut most = Vec::new();
        put_number(&mut most, u64::MAX);
        assert_eq!(Reader(&most).number(), Some(u64::MAX));
        *most.last_mut().unwrap() = 2;
        assert_eq!(Reader(&most).number(), None);
        assert_eq!(Reader(&[0x80; 11]).number(), None);
        // a text longer than the rest
        assert_eq!(Reader(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2]).text(), None);
    }
}

//! The sinks of the walk over a key: those that hash, compare and write it, and some that measure or check a value.

use std::fmt;
use std::hash::Hasher;
use std::hint::cold_path;

use super::buffer::Buffer;
use super::varint;

macro_rules! tags {
    ($($tag:ident = $number:literal),* $(,)?) => {
        /// The kind of the next part of a key. The numbers are part of the written form, so they never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Tag {
            $($tag = $number),*
        }

        impl Tag {
            /// The tag with this number.
            pub(crate) fn read(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$tag),)*
                    _ => None,
                }
            }
        }
    };
}
tags! {
    End = 0,
    None = 1,
    Some = 2,
    Unit = 3,
    False = 4,
    True = 5,
    I8 = 6,
    I16 = 7,
    I32 = 8,
    I64 = 9,
    I128 = 10,
    U8 = 11,
    U16 = 12,
    U32 = 13,
    U64 = 14,
    U128 = 15,
    F32 = 16,
    F64 = 17,
    Char = 18,
    Str = 19,
    Bytes = 20,
    Seq = 21,
    Tuple = 22,
    Map = 23,
    Pair = 24,
    Struct = 25,
    Enum = 26,
    Variant = 27,
    Field = 28,
}

/// Why a walk ended early: the error of a part's `Serialize`.
#[derive(Debug)]
pub(crate) struct Stop(Box<str>);

impl Stop {
    pub(crate) fn new(message: &str) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stop {}

impl serde::ser::Error for Stop {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&message.to_string())
    }
}

/// Receives the parts of a walk over a key.
pub(crate) trait Sink {
    /// A part without contents beyond its tag.
    fn mark(&mut self, tag: Tag) -> Result<(), Stop>;
    /// A part of a size that its tag determines.
    fn fixed<const N: usize>(&mut self, tag: Tag, bytes: [u8; N]) -> Result<(), Stop>;
    /// A part of any size.
    fn bytes(&mut self, tag: Tag, bytes: &[u8]) -> Result<(), Stop>;
    /// The name of a type, a variant or a field.
    fn name(&mut self, tag: Tag, name: &str) -> Result<(), Stop>;
    /// A field that is left out because of its value.
    fn skipped(&mut self, name: &'static str) -> Result<(), Stop> {
        let _ = name;
        Ok(())
    }
}

/// Ignores everything but fields that are left out because of their values, and stops at the first.
pub(crate) struct NoneSkipped;

impl Sink for NoneSkipped {
    fn mark(&mut self, _: Tag) -> Result<(), Stop> {
        Ok(())
    }

    fn fixed<const N: usize>(&mut self, _: Tag, _: [u8; N]) -> Result<(), Stop> {
        Ok(())
    }

    fn bytes(&mut self, _: Tag, _: &[u8]) -> Result<(), Stop> {
        Ok(())
    }

    fn name(&mut self, _: Tag, _: &str) -> Result<(), Stop> {
        Ok(())
    }

    fn skipped(&mut self, name: &'static str) -> Result<(), Stop> {
        let message = format!(
            "its field `{name}` is left out for its value (`skip_serializing_if`), and nothing in the bytes says so"
        );
        Err(Stop::new(&message))
    }
}

/// Adds up the sizes of the parts, without names and marks.
pub(crate) struct Size(pub(crate) usize);

impl Sink for Size {
    fn mark(&mut self, _: Tag) -> Result<(), Stop> {
        Ok(())
    }

    fn fixed<const N: usize>(&mut self, _: Tag, _: [u8; N]) -> Result<(), Stop> {
        self.0 += N;
        Ok(())
    }

    fn bytes(&mut self, _: Tag, bytes: &[u8]) -> Result<(), Stop> {
        self.0 += bytes.len();
        Ok(())
    }

    fn name(&mut self, _: Tag, _: &str) -> Result<(), Stop> {
        Ok(())
    }
}

/// Feeds a hasher. It may leave out parts that only the comparison needs: names and most tags are the same for all keys of a function,
/// and would only cost time.
pub(crate) struct Hash<H>(pub(crate) H);

impl<H: Hasher> Sink for Hash<H> {
    #[inline]
    fn mark(&mut self, tag: Tag) -> Result<(), Stop> {
        match tag {
            Tag::Tuple | Tag::Seq | Tag::Map => {}
            _ => self.0.write_u8(tag as u8),
        }
        Ok(())
    }

    #[inline]
    fn fixed<const N: usize>(&mut self, _tag: Tag, bytes: [u8; N]) -> Result<(), Stop> {
        if N <= 8 {
            let mut word = [0; 8];
            word[..N].copy_from_slice(&bytes);
            self.0.write_u64(u64::from_le_bytes(word));
        } else {
            self.0.write(&bytes);
        }
        Ok(())
    }

    #[inline]
    fn bytes(&mut self, _tag: Tag, bytes: &[u8]) -> Result<(), Stop> {
        self.0.write(bytes);
        Ok(())
    }

    #[inline]
    fn name(&mut self, _tag: Tag, _name: &str) -> Result<(), Stop> {
        Ok(())
    }
}

/// Compares with the output of a [`Writer`]. A difference does not end the walk: only keys with equal hashes are compared, so
/// differences are very rare, and without an early exit the walk is half as much code.
pub(crate) struct Compare<'k> {
    /// The bytes that have not been compared yet; `None` after a difference.
    rest: Option<&'k [u8]>,
}

impl<'k> Compare<'k> {
    #[inline]
    pub(crate) fn new(bytes: &'k [u8]) -> Self {
        Self { rest: Some(bytes) }
    }

    /// Whether everything was equal, up to the end.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_some_and(<[u8]>::is_empty)
    }

    /// Removes the next part by `strip`, which returns `None` if it differs from the expected one.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "it is a line of its callers")]
    fn expect(&mut self, strip: impl FnOnce(&'k [u8]) -> Option<&'k [u8]>) {
        self.rest = self.rest.and_then(strip);
        if self.rest.is_none() {
            cold_path();
        }
    }

    /// Expects texts, each preceded by its length, as the ids of a scope are encoded.
    #[inline]
    pub(crate) fn expect_encoded(&mut self, ids: &[u8]) {
        self.expect(|rest| rest.strip_prefix(ids));
    }

    /// Expects a text preceded by its length.
    #[inline]
    pub(crate) fn expect_text(&mut self, text: &[u8]) {
        self.expect(|rest| strip_text(rest, text));
    }
}

/// Strips `text`, preceded by its length, from the start of `bytes`; `None` if `bytes` begins differently.
#[inline]
fn strip_text<'k>(bytes: &'k [u8], text: &[u8]) -> Option<&'k [u8]> {
    let rest = varint::strip(bytes, text.len())?;
    let (head, rest) = rest.split_at_checked(text.len())?;
    same(head, text).then_some(rest)
}

/// Strips the number of `tag` from the start of `bytes`; `None` if `bytes` begins differently.
#[inline]
fn strip_tag(bytes: &[u8], tag: Tag) -> Option<&[u8]> {
    let (&first, rest) = bytes.split_first()?;
    (first == tag as u8).then_some(rest)
}

/// Whether both are equal. Texts of up to 16 bytes, as most ids are, are compared as two overlapping words, without a call.
#[inline]
fn same(one: &[u8], other: &[u8]) -> bool {
    let len = one.len();
    if len != other.len() {
        return false;
    }
    match len {
        0 => true,
        1..4 => {
            one[0] == other[0] && one[len / 2] == other[len / 2] && one[len - 1] == other[len - 1]
        }
        4..8 => {
            one.first_chunk::<4>() == other.first_chunk::<4>()
                && one.last_chunk::<4>() == other.last_chunk::<4>()
        }
        8..=16 => {
            one.first_chunk::<8>() == other.first_chunk::<8>()
                && one.last_chunk::<8>() == other.last_chunk::<8>()
        }
        _ => one == other,
    }
}

impl Sink for Compare<'_> {
    #[inline]
    fn mark(&mut self, tag: Tag) -> Result<(), Stop> {
        self.expect(|rest| strip_tag(rest, tag));
        Ok(())
    }

    #[inline]
    fn fixed<const N: usize>(&mut self, tag: Tag, bytes: [u8; N]) -> Result<(), Stop> {
        // the size is a constant, so that comparing needs no call
        self.expect(|rest| {
            let (head, rest) = strip_tag(rest, tag)?.split_first_chunk::<N>()?;
            (*head == bytes).then_some(rest)
        });
        Ok(())
    }

    #[inline]
    fn bytes(&mut self, tag: Tag, bytes: &[u8]) -> Result<(), Stop> {
        self.expect(|rest| strip_text(strip_tag(rest, tag)?, bytes));
        Ok(())
    }

    #[inline]
    fn name(&mut self, tag: Tag, name: &str) -> Result<(), Stop> {
        self.bytes(tag, name.as_bytes())
    }
}

/// Writes a key.
pub(crate) struct Writer {
    pub(crate) bytes: Buffer,
    /// A field that was left out because of its value, if there was one.
    pub(crate) skipped: Option<&'static str>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Buffer::new(),
            skipped: None,
        }
    }
}

impl Sink for Writer {
    fn mark(&mut self, tag: Tag) -> Result<(), Stop> {
        self.bytes.push(tag as u8);
        Ok(())
    }

    fn fixed<const N: usize>(&mut self, tag: Tag, bytes: [u8; N]) -> Result<(), Stop> {
        self.bytes.push(tag as u8);
        self.bytes.extend(&bytes);
        Ok(())
    }

    fn bytes(&mut self, tag: Tag, bytes: &[u8]) -> Result<(), Stop> {
        self.bytes.push(tag as u8);
        varint::write(&mut self.bytes, bytes.len());
        self.bytes.extend(bytes);
        Ok(())
    }

    fn name(&mut self, tag: Tag, name: &str) -> Result<(), Stop> {
        self.bytes(tag, name.as_bytes())
    }

    fn skipped(&mut self, name: &'static str) -> Result<(), Stop> {
        self.skipped = Some(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn texts_are_the_same_if_every_byte_is() {
        for len in 0..40_u8 {
            let text: Vec<u8> = (0..len).collect();
            assert!(same(&text, &text.clone()));
            for nth in 0..text.len() {
                let mut other = text.clone();
                other[nth] ^= 0x80;
                assert!(!same(&text, &other), "{nth} of {len}");
                assert!(!same(&text, &text[..nth]));
            }
        }
    }
}

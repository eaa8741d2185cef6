//! Prints the written form of a key for people: in listings, traces and error messages.

use std::fmt::{self, Write as _};

use super::sink::Tag;
use super::varint::text;

/// The deepest nesting that is shown. A key from another process may be nested to any depth, and must not overflow the stack.
const DEEPEST: usize = 64;

/// The parts of a key as Rust would write them. Parts that can't be read, or are nested too deeply, are shown as `…`.
pub(crate) fn show(bytes: &[u8]) -> String {
    written(bytes, Text::with_room(String::new(), usize::MAX))
}

/// As [`show`], up to `most` bytes. The cost is bounded by that, for a key of any length.
#[cfg(feature = "shared")]
pub(crate) fn show_start(bytes: &[u8], most: usize) -> String {
    written(bytes, Text::with_room(String::with_capacity(most), most))
}

fn written(mut bytes: &[u8], mut out: Text) -> String {
    while !bytes.is_empty() {
        if !out.text.is_empty() {
            out.push(", ");
        }
        match part(bytes, &mut out, DEEPEST) {
            Some(rest) => bytes = rest,
            None => {
                out.push("…");
                break;
            }
        }
    }
    out.text
}

/// A text of limited length.
struct Text {
    text: String,
    /// How many more bytes the text may take; 0 once something was cut off.
    room: usize,
}

impl Text {
    fn with_room(text: String, room: usize) -> Self {
        Self { text, room }
    }

    /// Appends as much of `more` as there is room for, in whole characters.
    fn push(&mut self, more: &str) {
        if more.len() <= self.room {
            self.room -= more.len();
            self.text.push_str(more);
            return;
        }
        let cut = more.floor_char_boundary(std::mem::take(&mut self.room));
        self.text.push_str(&more[..cut]);
    }
}

impl fmt::Write for Text {
    /// # Errors
    ///
    /// If the text is full, so that formatting stops.
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.push(more);
        if self.room == 0 {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// The parts up to the end mark, between `open` and `close`.
fn parts<'b>(
    mut bytes: &'b [u8],
    out: &mut Text,
    deeper: usize,
    open: &str,
    close: &str,
) -> Option<&'b [u8]> {
    out.push(open);
    let mut first = true;
    loop {
        if let Some((&0, rest)) = bytes.split_first() {
            out.push(close);
            return Some(rest);
        }
        if !std::mem::take(&mut first) {
            out.push(", ");
        }
        bytes = part(bytes, out, deeper)?;
    }
}

/// Prints the part at the start of `bytes`, with up to `deeper` levels of nesting. Returns the bytes after it; `None` also if `out` is
/// full.
fn part<'b>(bytes: &'b [u8], out: &mut Text, deeper: usize) -> Option<&'b [u8]> {
    if out.room == 0 {
        return None;
    }
    let deeper = deeper.checked_sub(1)?;
    let (&tag, rest) = bytes.split_first()?;
    let rest_behind = |tag: Tag, bytes: &'b [u8]| bytes.strip_prefix(&[tag as u8]);
    macro_rules! print {
        ($type:ty) => {{
            let (bytes, rest) = rest.split_first_chunk()?;
            let _ = write!(out, "{}", <$type>::from_le_bytes(*bytes));
            rest
        }};
    }
    Some(match Tag::read(tag)? {
        Tag::None => {
            out.push("None");
            rest
        }
        Tag::Some => {
            out.push("Some(");
            let rest = part(rest, out, deeper)?;
            out.push(")");
            rest
        }
        Tag::Unit => {
            out.push("()");
            rest
        }
        Tag::False => {
            out.push("false");
            rest
        }
        Tag::True => {
            out.push("true");
            rest
        }
        Tag::I8 => print!(i8),
        Tag::I16 => print!(i16),
        Tag::I32 => print!(i32),
        Tag::I64 => print!(i64),
        Tag::I128 => print!(i128),
        Tag::U8 => print!(u8),
        Tag::U16 => print!(u16),
        Tag::U32 => print!(u32),
        Tag::U64 => print!(u64),
        Tag::U128 => print!(u128),
        Tag::F32 => print!(f32),
        Tag::F64 => print!(f64),
        Tag::Char => {
            let (bytes, rest) = rest.split_first_chunk()?;
            let _ = write!(out, "{:?}", char::from_u32(u32::from_le_bytes(*bytes))?);
            rest
        }
        Tag::Str => {
            let (text, rest) = text(rest)?;
            let _ = write!(out, "{:?}", String::from_utf8_lossy(text));
            rest
        }
        Tag::Bytes => {
            let (bytes, rest) = text(rest)?;
            let _ = write!(out, "b\"{}\"", bytes.escape_ascii());
            rest
        }
        Tag::Seq => parts(rest, out, deeper, "[", "]")?,
        Tag::Tuple => parts(rest, out, deeper, "(", ")")?,
        Tag::Map => parts(rest, out, deeper, "{", "}")?,
        Tag::Pair => {
            let (key, rest) = text(rest)?;
            part(key, out, deeper)?;
            out.push(": ");
            let (value, rest) = text(rest_behind(Tag::Pair, rest)?)?;
            part(value, out, deeper)?;
            rest
        }
        Tag::Struct => {
            let (name, rest) = text(rest)?;
            out.push(&String::from_utf8_lossy(name));
            parts(rest, out, deeper, "(", ")")?
        }
        Tag::Enum => {
            let (_, rest) = text(rest)?;
            let (name, rest) = text(rest_behind(Tag::Field, rest.get(5..)?)?)?;
            out.push(&String::from_utf8_lossy(name));
            if let Some((&0, rest)) = rest.split_first() {
                return Some(rest);
            }
            parts(rest, out, deeper, "(", ")")?
        }
        Tag::Field => {
            let (name, rest) = text(rest)?;
            out.push(&String::from_utf8_lossy(name));
            out.push(": ");
            part(rest, out, deeper)?
        }
        Tag::End | Tag::Variant => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_depth_takes_the_stack() {
        for tag in [Tag::Some, Tag::Seq, Tag::Tuple, Tag::Map] {
            let shown = show(&vec![tag as u8; 1_000_000]);
            assert!(shown.ends_with('…') && shown.len() < 1_000, "{shown}");
        }
        let mut nested = vec![Tag::Some as u8; DEEPEST - 1];
        nested.push(Tag::True as u8);
        let (open, close) = ("Some(".repeat(DEEPEST - 1), ")".repeat(DEEPEST - 1));
        assert_eq!(show(&nested), format!("{open}true{close}"));
    }

    #[cfg(feature = "shared")]
    mod starts {
        use proptest::prelude::*;

        use super::*;
        use crate::key::{Probe, Space};
        use crate::scope::{Level, Scope};

        type Args = (
            String,
            Vec<Option<i32>>,
            char,
            std::collections::BTreeMap<String, u8>,
            f64,
        );

        proptest! {
            #[test]
            fn a_start_is_what_the_whole_begins_with(args: Args, most in 0_usize..80) {
                let space = Space::programmatic(Level::global());
                let scope = Scope::global();
                let probe = Probe::in_scope(space, &scope, &args).unwrap();
                let key = probe.to_key().unwrap();
                let whole = show(key.args());
                let cut = whole.floor_char_boundary(most);
                prop_assert_eq!(show_start(key.args(), most), &whole[..cut]);
            }
        }
    }
}

//! The written form of a key, read back for people: in listings, traces and error messages.

use std::fmt::Write as _;

use super::sink::Tag;
use super::varint::text;

/// How deep parts may lie in one another and still be shown. A key that another process tells of may have any depth, and none may
/// have the stack.
const DEEPEST: usize = 64;

/// The parts of a key as Rust would write them; what can't be read, or lies too deep, is shown as `…`.
pub(crate) fn show(mut bytes: &[u8]) -> String {
    let mut out = String::new();
    while !bytes.is_empty() {
        if !out.is_empty() {
            out.push_str(", ");
        }
        match part(bytes, &mut out, DEEPEST) {
            Some(rest) => bytes = rest,
            None => {
                out.push('…');
                break;
            }
        }
    }
    out
}

/// The parts up to the end mark, between `open` and `close`.
fn parts<'b>(
    mut bytes: &'b [u8],
    out: &mut String,
    deeper: usize,
    open: &str,
    close: &str,
) -> Option<&'b [u8]> {
    out.push_str(open);
    let mut first = true;
    loop {
        if let Some((&0, rest)) = bytes.split_first() {
            out.push_str(close);
            return Some(rest);
        }
        if !std::mem::take(&mut first) {
            out.push_str(", ");
        }
        bytes = part(bytes, out, deeper)?;
    }
}

/// The part at the start of `bytes`, with others in it down to `deeper` levels. Returns what follows it.
fn part<'b>(bytes: &'b [u8], out: &mut String, deeper: usize) -> Option<&'b [u8]> {
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
            out.push_str("None");
            rest
        }
        Tag::Some => {
            out.push_str("Some(");
            let rest = part(rest, out, deeper)?;
            out.push(')');
            rest
        }
        Tag::Unit => {
            out.push_str("()");
            rest
        }
        Tag::False => {
            out.push_str("false");
            rest
        }
        Tag::True => {
            out.push_str("true");
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
            out.push_str(": ");
            let (value, rest) = text(rest_behind(Tag::Pair, rest)?)?;
            part(value, out, deeper)?;
            rest
        }
        Tag::Struct => {
            let (name, rest) = text(rest)?;
            out.push_str(&String::from_utf8_lossy(name));
            parts(rest, out, deeper, "(", ")")?
        }
        Tag::Enum => {
            let (_, rest) = text(rest)?;
            let (name, rest) = text(rest_behind(Tag::Field, rest.get(5..)?)?)?;
            out.push_str(&String::from_utf8_lossy(name));
            if let Some((&0, rest)) = rest.split_first() {
                return Some(rest);
            }
            parts(rest, out, deeper, "(", ")")?
        }
        Tag::Field => {
            let (name, rest) = text(rest)?;
            out.push_str(&String::from_utf8_lossy(name));
            out.push_str(": ");
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
}

//! The written form of a key, read back for people: in listings, traces and error messages.

use std::fmt::Write as _;

use super::sink::Tag;
use super::varint;

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

fn number<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes
        .split_first_chunk::<N>()
        .map(|(head, rest)| (*head, rest))
}

fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = varint::read(bytes)?;
    rest.split_at_checked(len)
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
    macro_rules! print {
        ($type:ty) => {{
            let (bytes, rest) = number::<{ size_of::<$type>() }>(rest)?;
            let _ = write!(out, "{}", <$type>::from_le_bytes(bytes));
            rest
        }};
    }
    let tagged = |tag: Tag| tag as u8;
    Some(match tag {
        t if t == tagged(Tag::None) => {
            out.push_str("None");
            rest
        }
        t if t == tagged(Tag::Some) => {
            out.push_str("Some(");
            let rest = part(rest, out, deeper)?;
            out.push(')');
            rest
        }
        t if t == tagged(Tag::Unit) => {
            out.push_str("()");
            rest
        }
        t if t == tagged(Tag::False) => {
            out.push_str("false");
            rest
        }
        t if t == tagged(Tag::True) => {
            out.push_str("true");
            rest
        }
        t if t == tagged(Tag::I8) => print!(i8),
        t if t == tagged(Tag::I16) => print!(i16),
        t if t == tagged(Tag::I32) => print!(i32),
        t if t == tagged(Tag::I64) => print!(i64),
        t if t == tagged(Tag::I128) => print!(i128),
        t if t == tagged(Tag::U8) => print!(u8),
        t if t == tagged(Tag::U16) => print!(u16),
        t if t == tagged(Tag::U32) => print!(u32),
        t if t == tagged(Tag::U64) => print!(u64),
        t if t == tagged(Tag::U128) => print!(u128),
        t if t == tagged(Tag::F32) => print!(f32),
        t if t == tagged(Tag::F64) => print!(f64),
        t if t == tagged(Tag::Char) => {
            let (bytes, rest) = number::<4>(rest)?;
            let _ = write!(out, "{:?}", char::from_u32(u32::from_le_bytes(bytes))?);
            rest
        }
        t if t == tagged(Tag::Str) => {
            let (text, rest) = text(rest)?;
            let _ = write!(out, "{:?}", String::from_utf8_lossy(text));
            rest
        }
        t if t == tagged(Tag::Bytes) => {
            let (bytes, rest) = text(rest)?;
            let _ = write!(out, "b\"{}\"", bytes.escape_ascii());
            rest
        }
        t if t == tagged(Tag::Seq) => parts(rest, out, deeper, "[", "]")?,
        t if t == tagged(Tag::Tuple) => parts(rest, out, deeper, "(", ")")?,
        t if t == tagged(Tag::Map) => parts(rest, out, deeper, "{", "}")?,
        t if t == tagged(Tag::Pair) => {
            let (key, rest) = text(rest)?;
            part(key, out, deeper)?;
            out.push_str(": ");
            let (&tag, rest) = rest.split_first()?;
            if tag != tagged(Tag::Pair) {
                return None;
            }
            let (value, rest) = text(rest)?;
            part(value, out, deeper)?;
            rest
        }
        t if t == tagged(Tag::Struct) => {
            let (name, rest) = text(rest)?;
            out.push_str(&String::from_utf8_lossy(name));
            parts(rest, out, deeper, "(", ")")?
        }
        t if t == tagged(Tag::Enum) => {
            let (_, rest) = text(rest)?;
            let rest = rest.get(5..)?;
            let (&field, rest) = rest.split_first()?;
            if field != tagged(Tag::Field) {
                return None;
            }
            let (name, rest) = text(rest)?;
            out.push_str(&String::from_utf8_lossy(name));
            if let Some((&0, rest)) = rest.split_first() {
                return Some(rest);
            }
            parts(rest, out, deeper, "(", ")")?
        }
        t if t == tagged(Tag::Field) => {
            let (name, rest) = text(rest)?;
            out.push_str(&String::from_utf8_lossy(name));
            out.push_str(": ");
            part(rest, out, deeper)?
        }
        _ => return None,
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

//! Replays the written form of a key to a sink, as the original walk would.

use super::sink::{Sink, Tag};
use super::varint::text;

/// Replays `bytes`, written by a [`Writer`](super::sink::Writer), to `sink`. `None` if they are incomplete, or written by a later
/// version, whose parts are unknown.
pub(crate) fn replay(mut bytes: &[u8], sink: &mut impl Sink) -> Option<()> {
    while let Some((&tag, rest)) = bytes.split_first() {
        bytes = part(Tag::read(tag)?, rest, sink)?;
    }
    Some(())
}

fn part<'b>(tag: Tag, bytes: &'b [u8], sink: &mut impl Sink) -> Option<&'b [u8]> {
    match tag {
        Tag::End
        | Tag::None
        | Tag::Some
        | Tag::Unit
        | Tag::False
        | Tag::True
        | Tag::Seq
        | Tag::Tuple
        | Tag::Map => {
            sink.mark(tag).ok()?;
            Some(bytes)
        }
        Tag::I8 | Tag::U8 => fixed::<1>(tag, bytes, sink),
        Tag::I16 | Tag::U16 => fixed::<2>(tag, bytes, sink),
        Tag::I32 | Tag::U32 | Tag::F32 | Tag::Char | Tag::Variant => fixed::<4>(tag, bytes, sink),
        Tag::I64 | Tag::U64 | Tag::F64 => fixed::<8>(tag, bytes, sink),
        Tag::I128 | Tag::U128 => fixed::<16>(tag, bytes, sink),
        Tag::Str | Tag::Bytes | Tag::Pair => {
            let (text, rest) = text(bytes)?;
            sink.bytes(tag, text).ok()?;
            Some(rest)
        }
        Tag::Struct | Tag::Enum | Tag::Field => {
            let (text, rest) = text(bytes)?;
            sink.name(tag, std::str::from_utf8(text).ok()?).ok()?;
            Some(rest)
        }
    }
}

fn fixed<'b, const N: usize>(tag: Tag, bytes: &'b [u8], sink: &mut impl Sink) -> Option<&'b [u8]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    sink.fixed(tag, *head).ok()?;
    Some(rest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;
    use crate::key::sink::Writer;
    use crate::key::{Key, Probe, Space};
    use crate::scope::{Level, Scope};

    #[derive(Debug, Clone, Serialize)]
    enum Shape {
        Unit,
        New(i16),
        Tuple(u8, String),
        Fields { one: Option<u128>, two: Vec<char> },
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        prop_oneof![
            Just(Shape::Unit),
            any::<i16>().prop_map(Shape::New),
            any::<(u8, String)>().prop_map(|(one, two)| Shape::Tuple(one, two)),
            any::<(Option<u128>, Vec<char>)>().prop_map(|(one, two)| Shape::Fields { one, two }),
        ]
    }

    type Args = (Vec<Shape>, BTreeMap<String, i64>, (bool, f64, f32, i8), ());

    fn args() -> impl Strategy<Value = Args> {
        let shapes = prop::collection::vec(shapes(), 0..4);
        let map = prop::collection::btree_map(any::<String>(), any::<i64>(), 0..4);
        (shapes, map, any::<(bool, f64, f32, i8)>(), Just(()))
    }

    proptest! {
        #[test]
        fn a_key_from_its_parts_is_the_key(args in args(), id in ".*") {
            let level = Level::intern(Level::global(), "replayed", false);
            let scope = Scope::of(level, [id.as_str()]);
            let space = Space::programmatic(level);
            let key = Probe::in_scope(space, &scope, &args).unwrap().to_key().unwrap();
            let again = Key::from_parts(space, &scope, key.args()).unwrap();
            prop_assert_eq!(again.hash(), key.hash());
            prop_assert!(again == key);
        }

        #[test]
        fn what_is_not_whole_is_none_and_never_a_panic(bytes: Vec<u8>, args in args()) {
            let mut sink = Writer::new();
            if replay(&bytes, &mut sink).is_some() {
                prop_assert_eq!(sink.bytes.as_slice(), &bytes[..]);
            }
            let (space, scope) = (Space::programmatic(Level::global()), Scope::global());
            let key = Probe::in_scope(space, &scope, &args).unwrap().to_key().unwrap();
            let short = &key.args()[..key.args().len() - 1];
            // the last part is a mark, so only its end is missing
            prop_assert!(replay(short, &mut Writer::new()).is_some());
        }
    }
}

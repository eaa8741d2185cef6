//! Shapes: what a value is made of, apart from what it says.
//!
//! The bytes that postcard writes name no fields and no types, so a value reads without complaint as one of another shape: two
//! fields of one type that have changed places, a variant that was put in between. The shape is written beside them, and what is read
//! back must have the same.

use serde::ser::{self, Serialize};

use crate::key::Stop;

/// A number for the shape of `value`: the names and the order of its fields, its variants, and the kinds of its parts, as serde
/// serializes them. What it says plays no part, nor does the order of what a sequence or a map holds. Walks over all of it.
///
/// The same in every process and build; 64 bits of FNV-1a (Fowler, Noll and Vo, 1991), which guards against mistakes, not against
/// malice.
///
/// # Errors
///
/// What the value's `Serialize` said when it failed.
pub fn shape<T: Serialize + ?Sized>(value: &T) -> Result<u64, String> {
    let part = value.serialize(Shaper).map_err(|stop| stop.to_string())?;
    Ok(part.shape.0)
}

/// What a part is. The numbers are in what is stored, so they never change.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    None = 1,
    Some = 2,
    Unit = 3,
    Bool = 4,
    I8 = 5,
    I16 = 6,
    I32 = 7,
    I64 = 8,
    I128 = 9,
    U8 = 10,
    U16 = 11,
    U32 = 12,
    U64 = 13,
    U128 = 14,
    F32 = 15,
    F64 = 16,
    Char = 17,
    Str = 18,
    Bytes = 19,
    Seq = 20,
    Tuple = 21,
    Map = 22,
    Struct = 23,
    Variant = 24,
}

/// A shape that is being put together.
#[derive(Clone, Copy)]
struct Shape(u64);

impl Shape {
    const fn of(kind: Kind) -> Self {
        Self(0xcbf2_9ce4_8422_2325).with(kind as u64)
    }

    const fn with(self, part: u64) -> Self {
        Self((self.0 ^ part).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// With a part that nothing but its place tells from others. What `with` makes of two numbers, it makes of them the other way round, so
    /// `(A, (B,))` would be `(B, (A,))`, and `(A, (A,))` nothing at all. So a part whose number is also what a longer one begins with is
    /// turned by half.
    const fn with_part(self, part: Part) -> Self {
        match part.ends {
            Ends::Always => self.with(part.shape.0),
            Ends::InOrder | Ends::Alike => self.with(part.shape.0.rotate_left(32)),
        }
    }

    /// That of something that has no parts.
    const fn alone(self) -> Part {
        self.ending(Ends::Always)
    }

    const fn ending(self, ends: Ends) -> Part {
        Part { shape: self, ends }
    }

    fn named(self, name: &str) -> Self {
        let shape = name
            .bytes()
            .fold(self, |shape, byte| shape.with(byte.into()));
        // where the name ends
        shape.with(u64::MAX)
    }

    fn variant(name: &str, index: u32, variant: &str) -> Self {
        let shape = Self::of(Kind::Variant).named(name);
        shape.with(index.into()).named(variant)
    }
}

/// The whole shape of a part.
#[derive(Clone, Copy)]
struct Part {
    shape: Shape,
    ends: Ends,
}

/// What else begins with the number of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Nothing.
    Always,
    /// A tuple, a struct or a variant that is longer.
    InOrder,
    /// A sequence or a map that holds more.
    Alike,
}

type Step<T = Part> = Result<T, Stop>;

#[derive(Clone, Copy)]
struct Shaper;

macro_rules! kinds {
    ($($method:ident $type:ty, $kind:ident;)*) => {
        $(
            #[inline]
            fn $method(self, _: $type) -> Step {
                Ok(const { Shape::of(Kind::$kind).alone() })
            }
        )*
    };
}

impl ser::Serializer for Shaper {
    type Ok = Part;
    type Error = Stop;
    type SerializeSeq = Alike;
    type SerializeTuple = InOrder;
    type SerializeTupleStruct = InOrder;
    type SerializeTupleVariant = InOrder;
    type SerializeMap = Alike;
    type SerializeStruct = InOrder;
    type SerializeStructVariant = InOrder;

    kinds! {
        serialize_bool bool, Bool;
        serialize_i8 i8, I8;
        serialize_i16 i16, I16;
        serialize_i32 i32, I32;
        serialize_i64 i64, I64;
        serialize_i128 i128, I128;
        serialize_u8 u8, U8;
        serialize_u16 u16, U16;
        serialize_u32 u32, U32;
        serialize_u64 u64, U64;
        serialize_u128 u128, U128;
        serialize_f32 f32, F32;
        serialize_f64 f64, F64;
        serialize_char char, Char;
        serialize_str &str, Str;
        serialize_bytes &[u8], Bytes;
    }

    fn serialize_none(self) -> Step {
        Ok(Shape::of(Kind::None).alone())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Step {
        let shape = Shape::of(Kind::Some);
        Ok(shape.with(value.serialize(self)?.shape.0).alone())
    }

    fn serialize_unit(self) -> Step {
        Ok(Shape::of(Kind::Unit).alone())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Step {
        Ok(Shape::of(Kind::Struct).named(name).ending(Ends::InOrder))
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Step {
        Ok(Shape::variant(name, index, variant).ending(Ends::InOrder))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Step {
        let mut parts = InOrder(Shape::of(Kind::Struct).named(name));
        parts.part(value)?;
        Ok(parts.0.ending(Ends::InOrder))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Step {
        let mut parts = InOrder(Shape::variant(name, index, variant));
        parts.part(value)?;
        Ok(parts.0.ending(Ends::InOrder))
    }

    fn serialize_seq(self, _: Option<usize>) -> Step<Alike> {
        Ok(Alike::new(Kind::Seq))
    }

    fn serialize_tuple(self, _: usize) -> Step<InOrder> {
        Ok(InOrder(Shape::of(Kind::Tuple)))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Step<InOrder> {
        Ok(InOrder(Shape::of(Kind::Struct).named(name)))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Step<InOrder> {
        Ok(InOrder(Shape::variant(name, index, variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Step<Alike> {
        Ok(Alike::new(Kind::Map))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Step<InOrder> {
        Ok(InOrder(Shape::of(Kind::Struct).named(name)))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Step<InOrder> {
        Ok(InOrder(Shape::variant(name, index, variant)))
    }

    /// As the values are written.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The parts of a tuple, a struct or a variant: each stands where it stands.
struct InOrder(Shape);

impl InOrder {
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Step<()> {
        self.0 = self.0.with_part(value.serialize(Shaper)?);
        Ok(())
    }

    /// Its name tells it from others, so its number is taken as it is.
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Step<()> {
        let part = value.serialize(Shaper)?;
        self.0 = self.0.named(name).with(part.shape.0);
        Ok(())
    }
}

macro_rules! in_order {
    ($($trait:ident :: $method:ident ( $($name:ident)? ) = $part:ident;)*) => {
        $(impl ser::$trait for InOrder {
            type Ok = Part;
            type Error = Stop;

            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Step<()> {
                self.$part($($name,)? value)
            }

            fn end(self) -> Step {
                Ok(self.0.ending(Ends::InOrder))
            }
        })*
    };
}
in_order! {
    SerializeTuple::serialize_element() = part;
    SerializeTupleStruct::serialize_field() = part;
    SerializeTupleVariant::serialize_field() = part;
    SerializeStruct::serialize_field(name) = field;
    SerializeStructVariant::serialize_field(name) = field;
}

/// What a sequence or a map holds: which shapes there are, however many of each, in whatever order (a `HashMap` has none).
struct Alike {
    kind: Kind,
    /// Ascending, each once.
    shapes: Vec<u64>,
    /// The last one: what comes next is most often another of those.
    last: Option<u64>,
    /// The key of the value that comes next.
    key: Option<Part>,
}

impl Alike {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            shapes: Vec::new(),
            last: None,
            key: None,
        }
    }

    #[inline]
    fn add(&mut self, shape: u64) {
        if self.last != Some(shape) {
            self.last = Some(shape);
            self.add_another(shape);
        }
    }

    fn add_another(&mut self, shape: u64) {
        if let Err(place) = self.shapes.binary_search(&shape) {
            self.shapes.insert(place, shape);
        }
    }

    fn finish(self) -> Part {
        let shape = Shape::of(self.kind);
        let shape = self.shapes.into_iter().fold(shape, Shape::with);
        shape.ending(Ends::Alike)
    }
}

impl ser::SerializeSeq for Alike {
    type Ok = Part;
    type Error = Stop;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Step<()> {
        let Part { shape, ends } = value.serialize(Shaper)?;
        // a tuple never begins as a sequence does
        self.add(match ends {
            Ends::Alike => shape.0.rotate_left(32),
            Ends::Always | Ends::InOrder => shape.0,
        });
        Ok(())
    }

    fn end(self) -> Step {
        Ok(self.finish())
    }
}

impl ser::SerializeMap for Alike {
    type Ok = Part;
    type Error = Stop;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Step<()> {
        self.key = Some(key.serialize(Shaper)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Step<()> {
        let value = value.serialize(Shaper)?;
        let pair = Shape::of(Kind::Tuple);
        let pair = self.key.take().map_or(pair, |key| pair.with_part(key));
        self.add(pair.with_part(value).0);
        Ok(())
    }

    fn end(self) -> Step {
        Ok(self.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::ser::SerializeTuple;
    use serde::{Serialize, Serializer};

    use super::shape;

    #[derive(Serialize)]
    enum Event {
        Paid(u32),
        Sent { to: String },
        Done,
    }

    fn of(value: &impl Serialize) -> u64 {
        shape(value).unwrap()
    }

    #[test]
    fn what_is_said_plays_no_part() {
        assert_eq!(of(&1_u32), of(&2_u32));
        assert_eq!(of(&"a"), of(&"another text".to_owned()));
        assert_eq!(of(&vec![1, 2, 3]), of(&vec![4]));
        assert_eq!(of(&Event::Paid(1)), of(&Event::Paid(9)));
        let map = |pairs: [(u8, Event); 3]| HashMap::from(pairs);
        let one = map([(1, Event::Done), (2, Event::Paid(3)), (3, Event::Done)]);
        let other = map([(9, Event::Paid(0)), (8, Event::Done), (7, Event::Done)]);
        assert_eq!(of(&one), of(&other));
        let some = Some(7_u8);
        assert_eq!(
            of(&vec![None, some, None, None, some]),
            of(&vec![some, None])
        );
    }

    #[test]
    fn what_it_is_made_of_does() {
        #[derive(Serialize)]
        struct Place {
            x: u32,
            y: u32,
        }
        mod swapped {
            #[derive(serde::Serialize)]
            pub(super) struct Place {
                pub y: u32,
                pub x: u32,
            }
        }
        let to = || Event::Sent { to: String::new() };
        let shapes = [
            of(&Place { x: 1, y: 2 }),
            of(&swapped::Place { y: 1, x: 2 }),
            of(&(1_u32, 2_u32)),
            of(&(1_u32, 2_i32)),
            of(&[1_u32; 3]),
            of(&vec![1_u32; 3]),
            of(&vec![Some(1_u32)]),
            of(&vec![Some(1_u32), None]),
            of(&None::<u32>),
            of(&()),
            of(&Event::Done),
            of(&Event::Paid(1)),
            of(&to()),
            of(&vec![to(), Event::Done]),
            of(&HashMap::from([(1_u8, 2_u8)])),
            of(&HashMap::from([(1_u8, 2_u16)])),
            of(&HashMap::from([(1_u16, 2_u8)])),
        ];
        for (nth, shape) in shapes.iter().enumerate() {
            assert!(!shapes[..nth].contains(shape), "number {nth}");
        }
    }

    /// What a number is made of, and in which order, is not lost where one part is made as another begins.
    #[test]
    fn parts_that_change_places_with_what_they_stand_in_are_told_apart() {
        assert_ne!(of(&(1_u32, (1_i32,))), of(&(1_i32, (1_u32,))));
        assert_ne!(of(&(1_u32, (1_u32,))), of(&(1_i32, (1_i32,))));
        assert_ne!(
            of(&(1_u32, 1_u8, (1_i32, 1_i8))),
            of(&(1_i32, 1_i8, (1_u32, 1_u8)))
        );
        assert_ne!(of(&(1_u32, [1_u32])), of(&(1_i32, [1_i32])));
        assert_ne!(of(&(1, 2, Vec::<u8>::new())), of(&vec![(1, 2)]));
        let none = HashMap::<u8, u8>::new();
        assert_ne!(of(&(1, 2, none)), of(&HashMap::from([(1, 2)])));
    }

    /// Parts of any shape.
    #[derive(Clone, Debug)]
    enum Tree {
        None,
        Number,
        Text,
        List(Vec<Tree>),
        Tuple(Vec<Tree>),
    }

    impl Serialize for Tree {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::None => serializer.serialize_none(),
                Self::Number => serializer.serialize_u32(0),
                Self::Text => serializer.serialize_str(""),
                Self::List(parts) => parts.serialize(serializer),
                Self::Tuple(parts) => {
                    let mut tuple = serializer.serialize_tuple(parts.len())?;
                    for part in parts {
                        tuple.serialize_element(part)?;
                    }
                    tuple.end()
                }
            }
        }
    }

    #[test]
    fn no_two_of_many_have_one_number() {
        let list = |part: &Tree| Tree::List(vec![part.clone()]);
        let tuple = |parts: &[&Tree]| Tree::Tuple(parts.iter().copied().cloned().collect());
        let least = [Tree::None, Tree::Number, Tree::Text, Tree::List(vec![])];
        let mut parts = least.to_vec();
        for one in &least {
            parts.extend([list(one), tuple(&[one])]);
            parts.extend(least.iter().map(|two| tuple(&[one, two])));
        }
        let mut trees = Vec::new();
        for one in &parts {
            trees.extend([list(one), tuple(&[one])]);
            for two in &parts {
                trees.push(tuple(&[one, two]));
                trees.extend(parts.iter().map(|three| tuple(&[one, two, three])));
            }
        }
        let mut seen = HashMap::new();
        for tree in trees {
            if let Some(other) = seen.insert(of(&tree), tree.clone()) {
                panic!("{tree:?} and {other:?}");
            }
        }
    }

    /// It stands in what other processes have stored.
    #[test]
    fn the_numbers_stay() {
        assert_eq!(of(&1_u32), 0xaf63_c14c_8601_beab);
    }
}

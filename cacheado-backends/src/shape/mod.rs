//! Shapes: the structure of a value without its contents.
//!
//! postcard writes neither field names nor types, so the bytes of a value can be read as a value of another shape without an error: if
//! two fields of one type change places, or if a variant is inserted. So the shape is stored beside the bytes, and the value that is
//! read back must have the same one.
//!
//! The same walk counts the bytes that postcard writes. So encoding allocates once, and decoding checks without encoding again that
//! the value would be written as it was read.

mod size;
#[cfg(test)]
mod tests;

use serde::ser::{self, Serialize};

use self::size::{varint, with_len, zigzag};
use crate::key::Stop;

/// What one walk over a value determines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// A hash of its shape: the names and the order of fields, the variants, and the kinds of the parts, as serde serializes them.
    /// Neither the contents nor the order of elements in a sequence or a map play a part.
    ///
    /// The same in every process and build; 64 bits of FNV-1a (Fowler, Noll and Vo, 1991), which guards against mistakes, not against
    /// malice.
    pub shape: u64,
    /// The length of its postcard encoding, in bytes.
    pub size: usize,
}

/// The [`Outline`] of `value`.
///
/// # Errors
///
/// The error of the value's `Serialize`.
pub fn outline<T: Serialize + ?Sized>(value: &T) -> Result<Outline, String> {
    let part = value.serialize(Shaper).map_err(|stop| stop.to_string())?;
    Ok(Outline {
        shape: part.shape.0,
        size: part.size,
    })
}

/// The kind of a part. The numbers are part of stored hashes, so they never change.
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

/// The hash of a shape, while it is built up.
#[derive(Clone, Copy)]
struct Shape(u64);

impl Shape {
    const fn of(kind: Kind) -> Self {
        Self(0xcbf2_9ce4_8422_2325).with(kind as u64)
    }

    const fn with(self, part: u64) -> Self {
        Self((self.0 ^ part).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// Adds a part that is identified by its position alone. `with` gives the same for two numbers in either order, so `(A, (B,))`
    /// would equal `(B, (A,))`, and in `(A, (A,))` both would cancel out. So if a longer part can begin with the hash, the hash is
    /// rotated by half.
    const fn with_part(self, part: Part) -> Self {
        match part.ends {
            Ends::Always => self.with(part.shape.0),
            Ends::InOrder | Ends::Alike => self.with(part.shape.0.rotate_left(32)),
        }
    }

    /// The shape of something without parts.
    const fn alone(self, size: usize) -> Part {
        self.ending(Ends::Always, size)
    }

    const fn ending(self, ends: Ends, size: usize) -> Part {
        Part {
            shape: self,
            ends,
            size,
        }
    }

    fn named(self, name: &str) -> Self {
        let shape = name
            .bytes()
            .fold(self, |shape, byte| shape.with(byte.into()));
        // the end of the name
        shape.with(u64::MAX)
    }
}

/// The complete shape of a part.
#[derive(Clone, Copy)]
struct Part {
    shape: Shape,
    ends: Ends,
    size: usize,
}

/// Whether the hash of a part is also the beginning of a longer one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// No.
    Always,
    /// Of a longer tuple, struct or variant.
    InOrder,
    /// Of a sequence or a map with more kinds of elements.
    Alike,
}

type Step<T = Part> = Result<T, Stop>;

#[derive(Clone, Copy)]
struct Shaper;

macro_rules! kinds {
    ($($method:ident $type:ty, $kind:ident, $size:expr;)*) => {
        $(
            #[inline]
            fn $method(self, value: $type) -> Step {
                let size: fn($type) -> usize = $size;
                Ok(const { Shape::of(Kind::$kind) }.alone(size(value)))
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
        serialize_bool bool, Bool, |_| 1;
        serialize_i8 i8, I8, |_| 1;
        serialize_i16 i16, I16, |number| zigzag(number.into());
        serialize_i32 i32, I32, |number| zigzag(number.into());
        serialize_i64 i64, I64, |number| zigzag(number.into());
        serialize_i128 i128, I128, zigzag;
        serialize_u8 u8, U8, |_| 1;
        serialize_u16 u16, U16, |number| varint(number.into());
        serialize_u32 u32, U32, |number| varint(number.into());
        serialize_u64 u64, U64, |number| varint(number.into());
        serialize_u128 u128, U128, varint;
        serialize_f32 f32, F32, |_| 4;
        serialize_f64 f64, F64, |_| 8;
        serialize_char char, Char, |char| with_len(char.len_utf8());
        serialize_str &str, Str, |text| with_len(text.len());
        serialize_bytes &[u8], Bytes, |bytes| with_len(bytes.len());
    }

    fn serialize_none(self) -> Step {
        Ok(Shape::of(Kind::None).alone(1))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Step {
        let some = value.serialize(self)?;
        let shape = Shape::of(Kind::Some).with(some.shape.0);
        Ok(shape.alone(1 + some.size))
    }

    fn serialize_unit(self) -> Step {
        Ok(Shape::of(Kind::Unit).alone(0))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Step {
        Ok(InOrder::named(name).finish())
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Step {
        Ok(InOrder::variant(name, index, variant).finish())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Step {
        let mut parts = InOrder::named(name);
        parts.part(value)?;
        Ok(parts.finish())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Step {
        let mut parts = InOrder::variant(name, index, variant);
        parts.part(value)?;
        Ok(parts.finish())
    }

    fn serialize_seq(self, len: Option<usize>) -> Step<Alike> {
        Ok(Alike::new(Kind::Seq, len))
    }

    fn serialize_tuple(self, _: usize) -> Step<InOrder> {
        Ok(InOrder::new(Shape::of(Kind::Tuple), 0))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Step<InOrder> {
        Ok(InOrder::named(name))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Step<InOrder> {
        Ok(InOrder::variant(name, index, variant))
    }

    fn serialize_map(self, len: Option<usize>) -> Step<Alike> {
        Ok(Alike::new(Kind::Map, len))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Step<InOrder> {
        Ok(InOrder::named(name))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Step<InOrder> {
        Ok(InOrder::variant(name, index, variant))
    }

    /// As postcard, which writes the values.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The parts of a tuple, a struct or a variant, in order.
struct InOrder {
    shape: Shape,
    size: usize,
}

impl InOrder {
    const fn new(shape: Shape, size: usize) -> Self {
        Self { shape, size }
    }

    fn named(name: &str) -> Self {
        Self::new(Shape::of(Kind::Struct).named(name), 0)
    }

    fn variant(name: &str, index: u32, variant: &str) -> Self {
        let shape = Shape::of(Kind::Variant).named(name);
        let shape = shape.with(index.into()).named(variant);
        Self::new(shape, varint(index.into()))
    }

    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Step<()> {
        let part = value.serialize(Shaper)?;
        self.shape = self.shape.with_part(part);
        self.size += part.size;
        Ok(())
    }

    /// Adds a field, which is identified by its name, so its hash is not rotated.
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Step<()> {
        let part = value.serialize(Shaper)?;
        self.shape = self.shape.named(name).with(part.shape.0);
        self.size += part.size;
        Ok(())
    }

    fn finish(self) -> Part {
        self.shape.ending(Ends::InOrder, self.size)
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
                Ok(self.finish())
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

/// The elements of a sequence or a map: the set of their shapes, without numbers or order (a `HashMap` has none).
struct Alike {
    kind: Kind,
    /// Ascending, without duplicates.
    shapes: Vec<u64>,
    /// The shape of the last element: the next one is mostly the same.
    last: Option<u64>,
    /// The key of the next value.
    key: Option<Part>,
    size: usize,
}

impl Alike {
    /// postcard writes `len` first, and refuses a sequence or a map without it.
    fn new(kind: Kind, len: Option<usize>) -> Self {
        Self {
            kind,
            shapes: Vec::new(),
            last: None,
            key: None,
            size: varint(len.unwrap_or(0) as u128),
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
        shape.ending(Ends::Alike, self.size)
    }
}

impl ser::SerializeSeq for Alike {
    type Ok = Part;
    type Error = Stop;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Step<()> {
        let Part { shape, ends, size } = value.serialize(Shaper)?;
        self.size += size;
        // a tuple and a sequence never begin alike, so only sequences need the rotation
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
        let key = key.serialize(Shaper)?;
        self.size += key.size;
        self.key = Some(key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Step<()> {
        let value = value.serialize(Shaper)?;
        self.size += value.size;
        let pair = Shape::of(Kind::Tuple);
        let pair = self.key.take().map_or(pair, |key| pair.with_part(key));
        self.add(pair.with_part(value).0);
        Ok(())
    }

    fn end(self) -> Step {
        Ok(self.finish())
    }
}

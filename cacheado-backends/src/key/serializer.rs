//! The definition of a key's contents: a serde walk over a value, which passes each part to a [`Sink`].
//!
//! There are three main sinks: one hashes, one compares with a stored key, one writes the key. All three see the same walk, so they
//! can't disagree.
//!
//! Every part carries its type (`1_u32` and `"1"` differ), every text its length, every sequence its end, and every field its name. So
//! no two values of one type, and no two values of different shape, are written alike.

use serde::ser::{self, Serialize};

use super::sink::{Sink, Stop, Tag, Writer};

type Step<T = ()> = Result<T, Stop>;

/// Walks a value and passes its parts to the sink.
pub(crate) struct KeySerializer<'s, S>(pub(crate) &'s mut S);

macro_rules! fixed {
    ($($method:ident $type:ty, $tag:ident;)*) => {
        $(#[inline]
        fn $method(self, v: $type) -> Step {
            self.0.fixed(Tag::$tag, v.to_le_bytes())
        })*
    };
}

impl<'s, S: Sink> ser::Serializer for KeySerializer<'s, S> {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Parts<'s, S>;
    type SerializeTuple = Parts<'s, S>;
    type SerializeTupleStruct = Parts<'s, S>;
    type SerializeTupleVariant = Parts<'s, S>;
    type SerializeMap = Pairs<'s, S>;
    type SerializeStruct = Parts<'s, S>;
    type SerializeStructVariant = Parts<'s, S>;

    fixed! {
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
    }

    #[inline]
    fn serialize_bool(self, v: bool) -> Step {
        self.0.mark(if v { Tag::True } else { Tag::False })
    }

    #[inline]
    fn serialize_char(self, v: char) -> Step {
        self.0.fixed(Tag::Char, u32::from(v).to_le_bytes())
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Step {
        self.0.bytes(Tag::Str, v.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, v: &[u8]) -> Step {
        self.0.bytes(Tag::Bytes, v)
    }

    #[inline]
    fn serialize_none(self) -> Step {
        self.0.mark(Tag::None)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Step {
        self.0.mark(Tag::Some)?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Step {
        self.0.mark(Tag::Unit)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Step {
        self.0.name(Tag::Struct, name)?;
        self.0.mark(Tag::End)
    }

    #[inline]
    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Step {
        Self::variant(self.0, name, index, variant)?;
        self.0.mark(Tag::End)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Step {
        self.0.name(Tag::Struct, name)?;
        value.serialize(KeySerializer(&mut *self.0))?;
        self.0.mark(Tag::End)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Step {
        Self::variant(self.0, name, index, variant)?;
        value.serialize(KeySerializer(&mut *self.0))?;
        self.0.mark(Tag::End)
    }

    #[inline]
    fn serialize_seq(self, _len: Option<usize>) -> Step<Parts<'s, S>> {
        self.0.mark(Tag::Seq)?;
        Ok(Parts::new(self.0))
    }

    #[inline]
    fn serialize_tuple(self, _len: usize) -> Step<Parts<'s, S>> {
        self.0.mark(Tag::Tuple)?;
        Ok(Parts::new(self.0))
    }

    #[inline]
    fn serialize_tuple_struct(self, name: &'static str, _len: usize) -> Step<Parts<'s, S>> {
        self.0.name(Tag::Struct, name)?;
        Ok(Parts::new(self.0))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Step<Parts<'s, S>> {
        Self::variant(self.0, name, index, variant)?;
        Ok(Parts::new(self.0))
    }

    fn serialize_map(self, _len: Option<usize>) -> Step<Pairs<'s, S>> {
        Ok(Pairs {
            sink: self.0,
            seen: Vec::new(),
            key: None,
            failed: false,
        })
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, _len: usize) -> Step<Parts<'s, S>> {
        self.0.name(Tag::Struct, name)?;
        Ok(Parts::new(self.0))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Step<Parts<'s, S>> {
        Self::variant(self.0, name, index, variant)?;
        Ok(Parts::new(self.0))
    }

    /// Keys are not read by people, so a type may choose its compact form.
    fn is_human_readable(&self) -> bool {
        false
    }
}

impl<S: Sink> KeySerializer<'_, S> {
    #[inline]
    fn variant(sink: &mut S, name: &'static str, index: u32, variant: &'static str) -> Step {
        sink.name(Tag::Enum, name)?;
        sink.fixed(Tag::Variant, index.to_le_bytes())?;
        sink.name(Tag::Field, variant)
    }
}

/// The parts of a sequence, a tuple, a struct or a variant, one after another, followed by an end mark.
pub(crate) struct Parts<'s, S> {
    sink: &'s mut S,
    /// Whether a part failed.
    failed: bool,
}

/// A part that fails may have passed something to the sink already, which can't be distinguished from what follows. So the whole walk
/// fails, even if the enclosing `Serialize` ignores the error.
fn incomplete<T>() -> Step<T> {
    Err(Stop::new(
        "the `Serialize` of one of its parts failed, and its own went on",
    ))
}

impl<'s, S: Sink> Parts<'s, S> {
    #[inline]
    fn new(sink: &'s mut S) -> Self {
        let failed = false;
        Self { sink, failed }
    }

    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Step {
        let told = value.serialize(KeySerializer(&mut *self.sink));
        self.failed |= told.is_err();
        told
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Step {
        // a field may be left out because of its value, so the position does not identify a field
        let told = self.sink.name(Tag::Field, name);
        self.failed |= told.is_err();
        told?;
        self.part(value)
    }

    #[inline]
    fn finish(self) -> Step {
        if self.failed {
            return incomplete();
        }
        self.sink.mark(Tag::End)
    }
}

macro_rules! parts {
    ($($trait:ident :: $method:ident ( $($name:ident)? );)*) => {
        $(impl<S: Sink> ser::$trait for Parts<'_, S> {
            type Ok = ();
            type Error = Stop;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Step {
                parts!(@call self, value $(, $name)?)
            }

            $(#[inline]
            fn skip_field(&mut self, $name: &'static str) -> Step {
                self.sink.skipped($name)
            })?

            #[inline]
            fn end(self) -> Step {
                self.finish()
            }
        })*
    };
    (@call $self:ident, $value:ident) => { $self.part($value) };
    (@call $self:ident, $value:ident, $name:ident) => { $self.field($name, $value) };
}
parts! {
    SerializeSeq::serialize_element();
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field();
    SerializeStruct::serialize_field(name);
    SerializeStructVariant::serialize_field(name);
}

/// The pairs of a map, passed on in the order of their keys' bytes. So equal maps make one key, in whatever order they iterate. This
/// needs a buffer, so a map in a key costs allocations, on a hit too.
pub(crate) struct Pairs<'s, S> {
    sink: &'s mut S,
    seen: Vec<(Vec<u8>, Vec<u8>)>,
    /// The key of the next value.
    key: Option<Vec<u8>>,
    /// Whether a key or a value failed.
    failed: bool,
}

/// A key without a value would be lost, and two different maps could become one key.
fn unpaired<T>() -> Step<T> {
    Err(Stop::new(
        "a map has a key without a value, or a value without a key",
    ))
}

impl<S: Sink> Pairs<'_, S> {
    /// Writes a key or a value of the map into bytes.
    fn written<T: Serialize + ?Sized>(&mut self, value: &T) -> Step<Vec<u8>> {
        let mut writer = Writer::new();
        let told = value.serialize(KeySerializer(&mut writer));
        self.failed |= told.is_err();
        told?;
        if let Some(name) = writer.skipped {
            self.sink.skipped(name)?;
        }
        Ok(writer.bytes.as_slice().into())
    }
}

impl<S: Sink> ser::SerializeMap for Pairs<'_, S> {
    type Ok = ();
    type Error = Stop;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Step {
        let key = self.written(key)?;
        if self.key.replace(key).is_some() {
            self.failed = true;
            return unpaired();
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Step {
        let value = self.written(value)?;
        let Some(key) = self.key.take() else {
            self.failed = true;
            return unpaired();
        };
        self.seen.push((key, value));
        Ok(())
    }

    fn end(mut self) -> Step {
        if self.failed {
            return incomplete();
        }
        if self.key.is_some() {
            return unpaired();
        }
        // pairs with equal keys keep their order, which may be what distinguishes two maps
        self.seen.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.sink.mark(Tag::Map)?;
        for (key, value) in &self.seen {
            self.sink.bytes(Tag::Pair, key)?;
            self.sink.bytes(Tag::Pair, value)?;
        }
        self.sink.mark(Tag::End)
    }
}

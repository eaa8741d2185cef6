//! Recognizes a loader's failure: an `Err`, also from a loader passed to `get_or_load`, which expects one that can't fail.

use std::any::type_name;

use serde::de::value::Error;
use serde::ser::{Error as _, Impossible, Serialize, Serializer};

/// `Err` if `value` is the `Err` of a `Result`, which must not be stored.
pub(super) fn or_failure<T: Serialize>(value: T) -> Result<T, T> {
    // the type is generic, so only serde can tell; types other than `Result` are not serialized, which might be expensive
    let is_result = type_name::<T>().starts_with("core::result::Result<");
    if is_result && value.serialize(Outermost).is_ok_and(|is_err| is_err) {
        Err(value)
    } else {
        Ok(value)
    }
}

/// Serializes only the outermost part of a value: true if that is an `Err`, as serde writes it.
struct Outermost;

/// The error for a part that no `Result` begins with.
fn other() -> Error {
    Error::custom("no `Result`")
}

macro_rules! others {
    ($($method:ident($($arg:ty),*) $(-> $kind:ident)?;)*) => {
        $(others!(@ $method($($arg),*) $(-> $kind)?);)*
    };
    (@ $method:ident($($arg:ty),*)) => {
        fn $method(self, $(_: $arg),*) -> Result<bool, Error> {
            Err(other())
        }
    };
    (@ $method:ident($($arg:ty),*) -> $kind:ident) => {
        fn $method(self, $(_: $arg),*) -> Result<Self::$kind, Error> {
            Err(other())
        }
    };
}

impl Serializer for Outermost {
    type Ok = bool;
    type Error = Error;
    type SerializeSeq = Impossible<bool, Error>;
    type SerializeTuple = Impossible<bool, Error>;
    type SerializeTupleStruct = Impossible<bool, Error>;
    type SerializeTupleVariant = Impossible<bool, Error>;
    type SerializeMap = Impossible<bool, Error>;
    type SerializeStruct = Impossible<bool, Error>;
    type SerializeStructVariant = Impossible<bool, Error>;

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: &T,
    ) -> Result<bool, Error> {
        Ok(variant == "Err")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<bool, Error> {
        Err(other())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<bool, Error> {
        Err(other())
    }

    others! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}

//! Values behind `dyn Any`: operations on a value whose type only its function knows.
//!
//! The path of a miss is compiled once, in this crate, for values of every type. It operates on values through a [`ValueType`], a
//! table created where the type is known. So code that passes values on needs no bounds on their type.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cacheado_backends::{
    Clock, Entry, Key, Kind, NewEntry, Outline, leaves_nothing_out, outline, serialized_size,
};

use crate::aging::aged::{Age, Aged};
use crate::cache::Cache;
use crate::outcome::{Portable, Value};

/// A value of any type that a cache can hold.
pub(crate) type AnyValue = dyn Any + Send + Sync;

/// How values of one type are kept. They are passed as [`AnyValue`]s.
pub(crate) struct ValueType {
    is: fn(&AnyValue) -> bool,
    clone: fn(&AnyValue) -> Box<AnyValue>,
    clone_stored: CloneStored,
    age: for<'e> fn(Entry<'e>) -> Option<&'e Age>,
    /// Whether an entry has a value of this type without an age.
    has_ageless: fn(Entry<'_>) -> bool,
    lend: LendEntry,
    /// The kinds of entries without an age, and with one.
    kinds: [fn() -> Kind; 2],
    bytes: fn(&AnyValue) -> usize,
    /// The encoding for outside the process; `None`: the values stay in it.
    pub(crate) codec: Option<Codec>,
}

/// [`NewEntry::lent`] of a clone, or [`NewEntry::ending`] of one with an age.
type LendEntry = fn(Key, &AnyValue, Option<Age>, u32, bool, store: &mut dyn FnMut(NewEntry<'_>));

/// Clones the value of an entry, if `takes` accepts its age. A value without an age is always accepted.
type CloneStored = fn(Entry<'_>, takes: &mut dyn FnMut(&Age) -> bool) -> Option<Box<AnyValue>>;

type Decode = fn(Encoded<&[u8]>) -> Result<Box<AnyValue>, String>;

/// How values of one type are converted to bytes and back. Errors are texts.
#[derive(Clone, Copy)]
pub(crate) struct Codec {
    pub(crate) encode: fn(&AnyValue) -> Result<Encoded, String>,
    pub(crate) decode: Decode,
    /// The type's name, as the compiler prints it.
    pub(crate) type_name: fn() -> &'static str,
}

/// The bytes of a value, and its `shape`, which they do not contain.
pub(crate) struct Encoded<B = Vec<u8>> {
    pub(crate) bytes: B,
    pub(crate) shape: u64,
}

impl ValueType {
    /// For values of `T` that stay in the process.
    pub(crate) const fn local<T: Value>() -> Self {
        Self {
            is: |value| value.is::<T>(),
            clone: |value| Box::new(known(value.downcast_ref::<T>()).clone()),
            clone_stored: |entry, takes| {
                let value = match entry.value::<T>() {
                    Some(value) => value,
                    None => {
                        let aged = entry.value::<Aged<T>>()?;
                        takes(&aged.age).then_some(&aged.value)?
                    }
                };
                Some(Box::new(value.clone()))
            },
            age: |entry| Some(&entry.value::<Aged<T>>()?.age),
            has_ageless: |entry| entry.value::<T>().is_some(),
            lend: |key, value, age, weight, portable, store| {
                let value = known(value.downcast_ref::<T>()).clone();
                match age {
                    None => NewEntry::lent(key, value, weight, portable, store),
                    Some(age) => {
                        let kind = Kind::of::<Aged<T>>();
                        let aged = Aged { value, age };
                        let ends = |aged: &mut Aged<T>, asked, end| aged.age.ends(asked, end);
                        NewEntry::ending(kind, key, aged, weight, portable, ends, store);
                    }
                }
            },
            kinds: [Kind::of::<T>, Kind::of::<Aged<T>>],
            bytes: |_| size_of::<T>(),
            codec: None,
        }
    }

    /// For values of `T` that can leave the process.
    pub(crate) const fn portable<T: Portable>() -> Self {
        Self {
            bytes: |value| size_of::<T>() + value.downcast_ref::<T>().map_or(0, serialized_size),
            codec: Some(Codec::of::<T>()),
            ..Self::local::<T>()
        }
    }

    /// Whether `value` is of this type. The other functions, except `clone_stored`, may only be called with values that are.
    pub(crate) fn is(&self, value: &AnyValue) -> bool {
        (self.is)(value)
    }

    /// A clone of `value`.
    pub(crate) fn clone(&self, value: &AnyValue) -> Box<AnyValue> {
        (self.clone)(value)
    }

    /// The value of an entry, if it is of this type and good.
    pub(crate) fn clone_fresh(&self, entry: Entry<'_>, clock: &Clock) -> Option<Box<AnyValue>> {
        (self.clone_stored)(entry, &mut |age| age.is_fresh(clock))
    }

    /// Whether `cache` has a good value of this type under `key`.
    pub(crate) fn has_good(&self, cache: &Cache, key: &Key) -> bool {
        let is_fresh = |age: &Age| age.is_fresh(cache.clock());
        let is_good = |entry: Entry<'_>| self.takes(entry, is_fresh);
        cache.store().peek_key(key, is_good) == Some(true)
    }

    /// Whether an entry has a value of this type whose age `takes` accepts. A value without an age is always accepted.
    pub(crate) fn takes(&self, entry: Entry<'_>, takes: impl FnOnce(&Age) -> bool) -> bool {
        self.age(entry)
            .map_or_else(|| (self.has_ageless)(entry), takes)
    }

    /// The value of an entry, if [`takes`](Self::takes) holds for it.
    pub(crate) fn clone_aged(
        &self,
        entry: Entry<'_>,
        mut takes: impl FnMut(&Age) -> bool,
    ) -> Option<Box<AnyValue>> {
        (self.clone_stored)(entry, &mut takes)
    }

    /// The value that `cache` has under `key`: a good one, or one past its lifetime if that `may` stand in.
    pub(crate) fn stand_in(&self, cache: &Cache, key: &Key, may: bool) -> Option<Box<AnyValue>> {
        let takes = |age: &Age| may || age.is_fresh(cache.clock());
        let found = cache
            .store()
            .peek_key(key, |entry| self.clone_aged(entry, takes));
        found.flatten()
    }

    /// The age of an entry's value, if it has one and is of this type.
    pub(crate) fn age<'e>(&self, entry: Entry<'e>) -> Option<&'e Age> {
        (self.age)(entry)
    }

    /// The kind of most entries of the functions with these values, with an age or without.
    pub(crate) fn kind(&self, ages: bool) -> Kind {
        self.kinds[usize::from(ages)]()
    }

    /// The approximate size of `value` in bytes: its own, and as many as serde serializes of it. Zero if that panics, because weighing
    /// must not fail a call.
    pub(crate) fn bytes(&self, value: &AnyValue) -> usize {
        catch_unwind(AssertUnwindSafe(|| (self.bytes)(value))).unwrap_or_default()
    }

    /// Calls `store` with an entry of `key` for a clone of `value`. See [`NewEntry::lent`].
    pub(crate) fn lend<R>(
        &self,
        key: Key,
        value: &AnyValue,
        age: Option<Age>,
        weight: u32,
        portable: bool,
        store: impl FnOnce(NewEntry<'_>) -> R,
    ) -> R {
        let (mut store, mut result) = (Some(store), None);
        let mut store = |entry: NewEntry<'_>| result = store.take().map(|store| store(entry));
        (self.lend)(key, value, age, weight, portable, &mut store);
        result.unwrap_or_else(|| unreachable!("each entry is stored once"))
    }
}

const ANOTHER_SHAPE: &str = "its type has another shape now";

impl Codec {
    /// The codec of `T`.
    pub(crate) const fn of<T: Portable>() -> Self {
        Self {
            encode: |value| {
                let value = known(value.downcast_ref::<T>());
                leaves_nothing_out(value)?;
                let Outline { shape, size } = outline(value)?;
                let bytes = postcard::to_extend(value, Vec::with_capacity(size))
                    .map_err(|error| error.to_string())?;
                Ok(Encoded { bytes, shape })
            },
            decode: |encoded| match postcard::take_from_bytes::<T>(encoded.bytes) {
                Ok((value, [])) => match outline(&value) {
                    Ok(Outline { shape, size }) if shape == encoded.shape => {
                        if size == encoded.bytes.len() {
                            return Ok(Box::new(value));
                        }
                        Err("it would be written otherwise than it was read: a field with `skip_serializing` or `skip_deserializing` alone shifts those after it, so use `skip`, or the option `local`".to_owned())
                    }
                    _ => Err(ANOTHER_SHAPE.to_owned()),
                },
                Ok(_) => Err(ANOTHER_SHAPE.to_owned()),
                Err(error) if error != postcard::Error::WontImplement => {
                    Err(format!("its type may have another shape now: {error}"))
                }
                Err(error) => Err(format!(
                    "{error}: what asks its format for the type of what comes next (untagged enums, `serde_json::Value`) can't be read back: use the option `local`, or a type that names it"
                )),
            },
            type_name: std::any::type_name::<T>,
        }
    }
}

/// Operations on values whose type is known, but without bounds on it.
pub(crate) struct Typed<T> {
    /// The value as [`AnyValue`].
    pub(crate) erase: fn(&T) -> &AnyValue,
    /// The value from a box that its [`ValueType`] has made.
    pub(crate) own: fn(Box<AnyValue>) -> T,
    pub(crate) values: &'static ValueType,
}

impl<T: Value> Typed<T> {
    pub(crate) const LOCAL: Self = Self {
        erase: |value| value,
        own: unboxed::<T>,
        values: const { &ValueType::local::<T>() },
    };
}

impl<T: Portable> Typed<T> {
    pub(crate) const PORTABLE: Self = Self {
        values: const { &ValueType::portable::<T>() },
        ..Self::LOCAL
    };
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Typed<T> {}

/// The value in the box, which is known to be a `T`: the table of its own type made it.
pub(crate) fn unboxed<T: Value>(value: Box<AnyValue>) -> T {
    *known(value.downcast::<T>().ok())
}

fn known<T>(value: Option<T>) -> T {
    value.unwrap_or_else(|| unreachable!("a value of another type"))
}

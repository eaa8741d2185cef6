//! The weight of an entry against a cache's bound.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cacheado_backends::{Key, NewEntry};

use crate::aging::aged::Age;
use crate::outcome::Value;
use crate::value::{AnyValue, ValueType};

/// How a cache weighs its entries.
pub(crate) enum Weigher {
    /// Each entry weighs 1.
    One,
    /// By its approximate size in bytes.
    Bytes,
    /// By the user's function.
    By(ByUser),
}

/// The user's weigher.
pub(crate) type ByUser = Box<dyn Fn(&Weighed<'_>) -> u32 + Send + Sync>;

impl Weigher {
    /// The weight of a value stored under `key`. `ages`: its age is kept with it.
    pub(crate) fn weigh(&self, key: &Key, values: &ValueType, value: &AnyValue, ages: bool) -> u32 {
        let age = if ages { Age::BYTES } else { 0 };
        self.of(&Weighed {
            key,
            value,
            size: &|| age + values.bytes(value),
        })
    }

    /// The weight of an error kept under `key` in place of a value.
    pub(crate) fn weigh_error<E: Value>(&self, key: &Key, error: &E) -> u32 {
        self.of(&Weighed {
            key,
            value: error,
            size: &|| NewEntry::APART + size_of::<E>(),
        })
    }

    fn of(&self, weighed: &Weighed<'_>) -> u32 {
        match self {
            Self::One => 1,
            Self::Bytes => weighed.bytes(),
            // a failing weigher must not fail the call; and if nothing can be weighed, the number of entries is still bounded
            Self::By(weigh) => catch_unwind(AssertUnwindSafe(|| weigh(weighed))).unwrap_or(1),
        }
    }
}

/// A key and a value about to be stored. Passed to the weigher of [`CacheBuilder::max_weight`](crate::CacheBuilder::max_weight) or
/// [`CacheBuilder::weigher`](crate::CacheBuilder::weigher).
pub struct Weighed<'a> {
    key: &'a Key,
    value: &'a AnyValue,
    /// The size of the value in bytes.
    size: &'a dyn Fn() -> usize,
}

impl Weighed<'_> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.key
    }

    /// The value, if it is a `T`. For a function that returns a `Result<T, E>`, that is its `T`, or its `E` if an error is kept
    /// (`err_ttl`).
    #[must_use]
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// The approximate size of the entry in bytes: the cache's overhead for any entry, a key that is too long to be stored inline, the
    /// value, and the memory it owns elsewhere, estimated as the length of its serde serialization. For a value of a `local` function,
    /// and for a kept error, only the size of the type is counted. At most `u32::MAX`. Costs a walk over the value.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        let bytes = NewEntry::overhead(self.key) + (self.size)();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Weighed<'_> {
    /// Prints the key only: the value is user data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weighed({})", self.key)
    }
}

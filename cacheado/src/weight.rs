//! What an entry takes of a cache's bound.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cacheado_backends::{Key, NewEntry};

use crate::aging::aged::Age;
use crate::outcome::Value;
use crate::value::{AnyValue, ValueType};

/// How the entries of a cache are weighed.
pub(crate) enum Weigher {
    /// Each weighs 1.
    One,
    /// By the bytes that it takes, about.
    Bytes,
    /// By what the user says.
    By(ByUser),
}

/// What the user says.
pub(crate) type ByUser = Box<dyn Fn(&Weighed<'_>) -> u32 + Send + Sync>;

impl Weigher {
    /// What a value weighs that is stored under `key`. `ages`: its age is kept beside it.
    pub(crate) fn weigh(&self, key: &Key, values: &ValueType, value: &AnyValue, ages: bool) -> u32 {
        let age = if ages { Age::BYTES } else { 0 };
        self.of(&Weighed {
            key,
            value,
            size: &|| age + values.bytes(value),
        })
    }

    /// What an error weighs that is kept under `key`, in the place of a value.
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
            // to be weighed is no reason for a call to fail; and if nothing can be weighed, the bound is one after all
            Self::By(weigh) => catch_unwind(AssertUnwindSafe(|| weigh(weighed))).unwrap_or(1),
        }
    }
}

/// A key and a value that are about to be stored, for the weigher of [`CacheBuilder::max_weight`](crate::CacheBuilder::max_weight) or
/// [`CacheBuilder::weigher`](crate::CacheBuilder::weigher).
pub struct Weighed<'a> {
    key: &'a Key,
    value: &'a AnyValue,
    /// The bytes that the value takes.
    size: &'a dyn Fn() -> usize,
}

impl Weighed<'_> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.key
    }

    /// The value, if it is a `T`. Of a function that returns a `Result<T, E>`, it is the `T`; if an error is kept in its place
    /// (`err_ttl`), the `E`.
    #[must_use]
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// The bytes that the entry takes, about: what the cache needs for any entry, a key that is too long to lie in it, the value,
    /// and what the value owns elsewhere, which is taken to be as much as serde serializes of it. Of a `local` function's value, and
    /// of an error that is kept, nothing is known but its size. Costs a walk over the value.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        let bytes = NewEntry::overhead(self.key) + (self.size)();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Weighed<'_> {
    /// The key; the value is somebody's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weighed({})", self.key)
    }
}

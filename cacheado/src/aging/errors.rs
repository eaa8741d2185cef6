//! Errors that are kept for a while: `err_ttl`.
//!
//! Such an error is stored in the entry of its call as a [`Failure`], so it can't be mistaken for a value. It stays in the process.

use cacheado_backends::{Entry, Key, Kind, NewEntry};

use crate::outcome::Value;
use crate::value::AnyValue;
use crate::weight::Weigher;

/// What a function returned when it failed.
struct Failure<E>(E);

/// What can be done with the error of a function that returns `R`.
pub struct Errors<R> {
    /// The return value from an entry that holds an error.
    read: fn(Entry<'_>) -> Option<R>,
    /// An entry for the error in a return value, if there is one.
    entry: fn(Kind, &Key, &R, &Weigher) -> Option<NewEntry<'static>>,
    /// For callers that don't know the type.
    clone: CloneError,
    restore: fn(Box<AnyValue>) -> Option<R>,
}

/// Clones the error in an entry, if it holds one.
pub(crate) type CloneError = fn(Entry<'_>) -> Option<Box<AnyValue>>;

impl<R> Clone for Errors<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Errors<R> {}

impl<T, E: Value> Errors<Result<T, E>> {
    pub(crate) fn of() -> Self {
        Self {
            read: |entry| Some(Err(entry.value::<Failure<E>>()?.0.clone())),
            entry: |kind, key, ret, weigher| {
                let error = ret.as_ref().err()?.clone();
                let weight = weigher.weigh_error(key, &error);
                let key = key.clone();
                Some(NewEntry::among(kind, key, Failure(error), weight, false))
            },
            clone: |entry| Some(Box::new(entry.value::<Failure<E>>()?.0.clone())),
            restore: |error| Some(Err(*error.downcast().ok()?)),
        }
    }
}

impl<R> Errors<R> {
    pub(crate) fn read(&self, entry: Entry<'_>) -> Option<R> {
        (self.read)(entry)
    }

    /// An entry for the error in `ret`, if there is one, among values of `kind`.
    pub(crate) fn entry(
        &self,
        kind: Kind,
        key: &Key,
        ret: &R,
        weigher: &Weigher,
    ) -> Option<NewEntry<'static>> {
        (self.entry)(kind, key, ret, weigher)
    }

    pub(crate) fn clone_error(&self) -> CloneError {
        self.clone
    }

    /// The return value for an error.
    pub(crate) fn restore(&self, error: Box<AnyValue>) -> Option<R> {
        (self.restore)(error)
    }
}

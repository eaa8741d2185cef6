//! How the values of a function are stored in the process. The macro knows this, so a lookup checks only for what there can be.

use cacheado_backends::memory::Store;
use cacheado_backends::{Entry, Probe};
use serde::Serialize;

use crate::aging::aged::Aged;
use crate::outcome::Value;

/// How the values are stored.
pub trait Storage {
    /// What the process has for a call: nothing, an entry that needs a closer look, or a value.
    fn find<T: Value, A: Serialize>(store: &Store, probe: &Probe<'_, A>) -> Option<Option<T>>;
}

/// The values alone.
pub struct Bare;

/// With their age: they are examined while they live.
pub struct WithAge;

impl Storage for Bare {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "it is the look-up of one function")]
    fn find<T: Value, A: Serialize>(store: &Store, probe: &Probe<'_, A>) -> Option<Option<T>> {
        store.get::<T, _, _>(probe, |entry| entry.value::<T>().cloned())
    }
}

impl Storage for WithAge {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "it is the look-up of one function")]
    fn find<T: Value, A: Serialize>(store: &Store, probe: &Probe<'_, A>) -> Option<Option<T>> {
        let moment = |entry: Entry<'_>| Some(entry.value::<Aged<T>>()?.age.attention());
        let read = |entry: Entry<'_>, young: bool| {
            let aged = entry.value::<Aged<T>>().filter(|_| young)?;
            Some(aged.value.clone())
        };
        store.get_until::<Aged<T>, _, _>(probe, moment, read)
    }
}

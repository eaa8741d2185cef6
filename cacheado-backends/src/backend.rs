//! Backends: what a cache can keep entries in outside of the process.
//!
//! A backend stores bytes under keys, for a time. It knows nothing of values, functions or rules. What it is given is checked
//! when it comes back, so a backend that returns the wrong bytes causes a miss and not a wrong answer.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::key::Key;
use crate::scope::Scope;

/// What a backend's operation returns. The error is kept as the source of [`Error::Backend`](crate::Error::Backend).
pub type BackendResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The future of a backend's operation.
pub type BackendFuture<'a, T> = Pin<Box<dyn Future<Output = BackendResult<T>> + Send + 'a>>;

/// What is stored: bytes, and how long they live.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// The value, encoded.
    pub bytes: Arc<[u8]>,
    /// When storing: how long it lives. When reading: what is left of that. `None`: until evicted.
    pub lifetime: Option<Duration>,
}

/// A store outside of the process: the shared tier behind the in-process one.
///
/// Each operation comes twice: one that blocks, for sync functions, and one that returns a future, for async ones. The
/// futures' defaults run the blocking operation in place, which is right for a backend that never waits; one that does
/// input and output must bring its own.
///
/// A failed operation never fails a cached function: it is counted, traced, and the body runs.
///
/// What `Key` and `Scope` print is for people: it leaves secret ids out and is nothing to name entries by. [`Key::args`], the
/// ids of [`Key::scope`], and the name, version and level of [`Key::space`] are what tells one key from another.
///
/// The cache clones no backend and calls it from many threads.
pub trait Backend: Send + Sync + 'static {
    /// What kind of store it is: `storage_type` of the statistics.
    fn name(&self) -> &str;

    /// Told once, before anything else, the name of the cache: what keeps its entries apart from those of other caches in the
    /// same store, which no operation of this backend is to read or remove. A backend that keeps its entries to itself needs no
    /// name, and the default forgets it.
    fn bind(&mut self, name: &str) {
        let _ = name;
    }

    /// What is stored under `key`, with what is left of its lifetime; nothing once that is over. No other part of the cache looks
    /// at how old it is.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out.
    fn get(&self, key: &Key) -> BackendResult<Option<Payload>>;

    /// Stores `payload` under `key`, in the place of what was there.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being stored.
    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()>;

    /// Removes what is under `key`. Returns whether something was.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being removed.
    fn evict(&self, key: &Key) -> BackendResult<bool>;

    /// Removes all that is in `scope` or below it. Returns how many live entries that were.
    ///
    /// # Errors
    ///
    /// Whatever kept them from being removed.
    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64>;

    /// Removes all that this cache has stored, and nothing else.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being removed.
    fn clear(&self) -> BackendResult<()>;

    /// [`get`](Self::get) without blocking.
    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Option<Payload>> {
        Box::pin(ready(self.get(key)))
    }

    /// [`set`](Self::set) without blocking.
    fn set_async<'a>(&'a self, key: &'a Key, payload: &'a Payload) -> BackendFuture<'a, ()> {
        Box::pin(ready(self.set(key, payload)))
    }

    /// [`evict`](Self::evict) without blocking.
    fn evict_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, bool> {
        Box::pin(ready(self.evict(key)))
    }

    /// [`evict_by_scope`](Self::evict_by_scope) without blocking.
    fn evict_by_scope_async<'a>(&'a self, scope: &'a Scope) -> BackendFuture<'a, u64> {
        Box::pin(ready(self.evict_by_scope(scope)))
    }

    /// [`clear`](Self::clear) without blocking.
    fn clear_async(&self) -> BackendFuture<'_, ()> {
        Box::pin(ready(self.clear()))
    }
}

impl fmt::Debug for Payload {
    /// Without the bytes: they are somebody's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("bytes", &self.bytes.len())
            .field("lifetime", &self.lifetime)
            .finish()
    }
}

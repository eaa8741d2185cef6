//! The shared tier: the trait that each store implements, and the types of its operations.

mod boxed;
mod change;
mod lookup;
mod notice;
mod refused;

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::key::Key;
use crate::scope::Scope;

pub use change::{Change, Changes};
pub use lookup::{Lease, Lookup, Mark};
pub use refused::Refused;

/// The result of a backend's operation. Any error type will do; a [`Refused`] says that the store was reached and refused.
pub type BackendResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The future of a backend's operation.
pub type BackendFuture<'a, T> = Pin<Box<dyn Future<Output = BackendResult<T>> + Send + 'a>>;

/// A stored value: bytes, and how long they live.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// The value, encoded.
    pub bytes: Arc<[u8]>,
    /// When storing: how long the value lives. When reading: what is left of that. `None`: until evicted.
    pub lifetime: Option<Duration>,
}

/// A store outside the process: the shared tier behind the in-process one.
///
/// A backend needs seven operations: [`name`](Self::name), [`get`](Self::get), [`set`](Self::set), [`evict`](Self::evict),
/// [`evict_by_scope`](Self::evict_by_scope), [`clear`](Self::clear), and [`bind`](Self::bind) if others use the store too. The others
/// are optional; their defaults do without:
///
/// | for | implement |
/// |---|---|
/// | operations that don't block a thread of a runtime | the operations ending in `_async` |
/// | an eviction in one process that wins over a load begun before in another | marks: [`get`](Self::get) returns one with each miss, and [`mark`](Self::mark) one alone; [`fill`](Self::fill) and [`put`](Self::put) check it |
/// | other processes that drop at once what this one evicts | [`watch`](Self::watch) |
/// | one load among all processes | [`lease`](Self::lease) and [`release`](Self::release) |
/// | waiters that do not queue up after a failed load | [`release_to_all`](Self::release_to_all) |
/// | one round trip for many keys | the operations ending in `_many` |
/// | no command spent on a lifetime that the caller ignores | [`get_value`](Self::get_value) and [`get_values`](Self::get_values) |
///
/// Each operation has two forms: one that blocks, for sync functions, and one that returns a future, for async ones. By default the
/// futures run the blocking operation in place, which is right for a backend that never waits; a backend that does input and output
/// must bring its own. The futures are polled by whatever executor the caller has, also without a tokio runtime: a backend that needs
/// one keeps a [`Handle`](https://docs.rs/tokio/latest/tokio/runtime/struct.Handle.html) of it.
///
/// A failed operation never fails a cached function, unless that has `on_backend_error = "error"`: it is counted and traced, and the
/// body runs. An operation that panics counts as failed. After several failures in a row the cache stops asking for a while, so an
/// operation that can't tell should fail rather than answer.
///
/// What `Key` and `Scope` print is for people: it leaves out secret ids, and must not be used to name entries. One key is told from
/// another by [`Key::args`], the ids of [`Key::scope`], and these parts of [`Key::space`]: the name, [whether that is
/// explicit](crate::Space::is_explicit), the version, and the [path](crate::Level::path) of its level. Ids of secret levels are hashed
/// before a backend sees them.
///
/// With marks, an eviction also counts for keys that have no entry: a load under way may have found the value that the eviction is
/// meant for. A mark is only ever given back to the backend that it is from, for the key that it was taken of.
///
/// The cache never clones a backend, and calls it from many threads. A `Box<dyn Backend>`, chosen at run time, is a backend as well.
///
/// The module [`conformance`](https://docs.rs/cacheado/latest/cacheado/backends/conformance/index.html), of the feature of that name,
/// documents a small backend, and has the checks that show whether a backend does all of this.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no backend",
    label = "not a backend",
    note = "of one that is chosen at run time give a `Box<dyn Backend>`; an `Arc` can't be told the name of its cache, which is the backend's alone"
)]
pub trait Backend: Send + Sync + 'static {
    /// The kind of store, as shown in `storage_type` of the statistics.
    fn name(&self) -> &str;

    /// Called once, by the builder's `build()`, before anything else: checks the backend's settings. The default accepts them.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings; `build()` fails with that.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Called once, before any operation, with the name of the cache. The name separates its entries from those of other caches in the
    /// same store, which no operation of this backend may read or remove. A backend that has a store to itself needs no name, and the
    /// default ignores it.
    fn bind(&mut self, name: &str) {
        let _ = name;
    }

    /// Called once, after [`bind`](Self::bind), with the place to report what others evict and put, so that this process drops it too.
    /// Returns whether it will: then the process trusts its copies while it is [covered](Change::Covered). The default returns
    /// `false`, and the process keeps copies for the builder's `coherence` at most.
    fn watch(&self, changes: Changes) -> bool {
        let _ = changes;
        false
    }

    /// The part of the store that `key` is in, for a store whose parts may be down separately, such as the nodes of a cluster: after
    /// several failures in a row of one part, the others are still asked. The number has no other meaning, and may differ the next
    /// time. By default the store is one part.
    fn part(&self, key: &Key) -> u32 {
        let _ = key;
        0
    }

    /// As [`part`](Self::part), for everything in `scope` or below it. If that is in several parts, the result is a number of its own.
    fn part_of_scope(&self, scope: &Scope) -> u32 {
        let _ = scope;
        0
    }

    /// Returns what is stored under `key`, with what is left of its lifetime; a miss once that is over. The backend alone is
    /// responsible for expiry: no other part of the cache checks it.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out.
    fn get(&self, key: &Key) -> BackendResult<Lookup>;

    /// As [`get`](Self::get), for a caller that ignores the remaining lifetime. A backend that needs an extra command for it may leave it
    /// out: the lifetime in the payload may be longer than what is left, or `None`. By default it is `get`.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out.
    fn get_value(&self, key: &Key) -> BackendResult<Lookup> {
        self.get(key)
    }

    /// Returns the mark of `key` without what is stored under it, for a value that is made in any case.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out.
    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        let _ = key;
        Ok(Mark::none())
    }

    /// Stores `payload` under `key`, replacing what was there. It is newer than the value of any load under way anywhere, and than all
    /// copies.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being stored.
    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()>;

    /// Stores the value of a load that began at `mark`, unless `key` was evicted or set since, by any process, by itself or with a
    /// scope that it is in. If another load has filled it meanwhile, either value will do. Returns whether the value is stored. The
    /// mark's lease ends with this, stored or not. By default it [`set`](Self::set)s, whatever came between.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being stored.
    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        let _ = mark;
        self.set(key, payload).map(|()| true)
    }

    /// As [`set`](Self::set), for a value whose computation began at `mark`. If `key` was evicted or set since, it is not known which
    /// of the two values the source holds: then what is there is removed. Returns whether the value is stored. Stored or not, it
    /// outdates each load under way, as a [`set`](Self::set) does, and is [reported](Self::watch). By default it sets, whatever came
    /// between.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being stored.
    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        let _ = mark;
        self.set(key, payload).map(|()| true)
    }

    /// Removes what is under `key`. Returns whether there was something within its lifetime.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being removed.
    fn evict(&self, key: &Key) -> BackendResult<bool>;

    /// Removes everything in `scope` or below it. Returns the number of live entries removed; 0 if the store can't tell.
    ///
    /// # Errors
    ///
    /// Whatever kept them from being removed.
    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64>;

    /// Removes everything that this cache has stored, and nothing else.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being removed.
    fn clear(&self) -> BackendResult<()>;

    /// [`get`](Self::get) for each key, in their order. A key may occur twice.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out about any.
    fn get_many(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// [`get_value`](Self::get_value) for each key, in their order. A key may occur twice. By default it is
    /// [`get_many`](Self::get_many).
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out about any.
    fn get_values(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        self.get_many(keys)
    }

    /// [`set`](Self::set) for each entry. No key occurs twice.
    ///
    /// # Errors
    ///
    /// Whatever kept one from being stored; others may be.
    fn set_many(&self, entries: &[(Key, Payload)]) -> BackendResult<()> {
        entries
            .iter()
            .try_for_each(|(key, payload)| self.set(key, payload))
    }

    /// [`fill`](Self::fill) for each entry. Returns the result of each, in their order. No key occurs twice.
    ///
    /// # Errors
    ///
    /// Whatever kept one from being stored; others may be.
    fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> BackendResult<Vec<bool>> {
        let fill = |(key, payload, mark): &(Key, Payload, Mark)| self.fill(key, payload, mark);
        entries.iter().map(fill).collect()
    }

    /// Claims the load of `key` for `span`, among all processes. By default claims are unsupported.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out.
    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        let _ = (key, span);
        Ok(Lease::Unsupported)
    }

    /// Gives back the claim that `mark` holds, of a load that stores nothing. A claim that is over, or another's by now, is left as it
    /// is.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being given back; it ends by itself.
    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        let _ = (key, mark);
        Ok(())
    }

    /// As [`release`](Self::release), for a load that has failed: for `span` from now on the claim is open to anybody. Whoever asks
    /// for it is [granted](Lease::Granted) a mark that holds no claim, so that waiters need not fail one after the other. By default
    /// the claim is just given back, and they do.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being given back; it ends by itself.
    fn release_to_all(&self, key: &Key, mark: &Mark, span: Duration) -> BackendResult<()> {
        let _ = span;
        self.release(key, mark)
    }

    /// [`get`](Self::get) without blocking.
    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        Box::pin(ready(self.get(key)))
    }

    /// [`get_value`](Self::get_value) without blocking. By default it is [`get_async`](Self::get_async).
    fn get_value_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        self.get_async(key)
    }

    /// [`mark`](Self::mark) without blocking.
    fn mark_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Mark> {
        Box::pin(ready(self.mark(key)))
    }

    /// [`set`](Self::set) without blocking.
    fn set_async<'a>(&'a self, key: &'a Key, payload: &'a Payload) -> BackendFuture<'a, ()> {
        Box::pin(ready(self.set(key, payload)))
    }

    /// [`fill`](Self::fill) without blocking. By default this is [`set_async`](Self::set_async) if the mark is [empty](Mark::none),
    /// and otherwise `fill`, in place, which checks the mark.
    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        if mark.says_nothing() {
            return Box::pin(async move { self.set_async(key, payload).await.map(|()| true) });
        }
        Box::pin(ready(self.fill(key, payload, mark)))
    }

    /// [`put`](Self::put) without blocking. By default this is [`set_async`](Self::set_async) if the mark is [empty](Mark::none), and
    /// otherwise `put`, in place.
    fn put_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        if mark.says_nothing() {
            return Box::pin(async move { self.set_async(key, payload).await.map(|()| true) });
        }
        Box::pin(ready(self.put(key, payload, mark)))
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

    /// [`get_many`](Self::get_many) without blocking.
    fn get_many_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        Box::pin(async move {
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                found.push(self.get_async(key).await?);
            }
            Ok(found)
        })
    }

    /// [`get_values`](Self::get_values) without blocking. By default it is [`get_many_async`](Self::get_many_async).
    fn get_values_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        self.get_many_async(keys)
    }

    /// [`set_many`](Self::set_many) without blocking.
    fn set_many_async<'a>(&'a self, entries: &'a [(Key, Payload)]) -> BackendFuture<'a, ()> {
        Box::pin(async move {
            for (key, payload) in entries {
                self.set_async(key, payload).await?;
            }
            Ok(())
        })
    }

    /// [`fill_many`](Self::fill_many) without blocking.
    fn fill_many_async<'a>(
        &'a self,
        entries: &'a [(Key, Payload, Mark)],
    ) -> BackendFuture<'a, Vec<bool>> {
        Box::pin(async move {
            let mut filled = Vec::with_capacity(entries.len());
            for (key, payload, mark) in entries {
                filled.push(self.fill_async(key, payload, mark).await?);
            }
            Ok(filled)
        })
    }

    /// [`lease`](Self::lease) without blocking.
    fn lease_async<'a>(&'a self, key: &'a Key, span: Duration) -> BackendFuture<'a, Lease> {
        Box::pin(ready(self.lease(key, span)))
    }

    /// [`release`](Self::release) without blocking.
    fn release_async<'a>(&'a self, key: &'a Key, mark: &'a Mark) -> BackendFuture<'a, ()> {
        Box::pin(ready(self.release(key, mark)))
    }

    /// [`release_to_all`](Self::release_to_all) without blocking. By default the claim is given back.
    fn release_to_all_async<'a>(
        &'a self,
        key: &'a Key,
        mark: &'a Mark,
        span: Duration,
    ) -> BackendFuture<'a, ()> {
        let _ = span;
        self.release_async(key, mark)
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

//! What a shared tier is: the trait that each implements, and what goes in and out of one.

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

/// What a backend answers. Any error will do; a [`Refused`] says that the store was there and would not.
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
/// Seven operations make one: [`name`](Self::name), [`get`](Self::get), [`set`](Self::set), [`evict`](Self::evict),
/// [`evict_by_scope`](Self::evict_by_scope), [`clear`](Self::clear), and [`bind`](Self::bind) if others use the store too. What the
/// rest is for has a default that does without:
///
/// | to have | bring |
/// |---|---|
/// | no thread of a runtime blocked | the operations ending in `_async` |
/// | an eviction in one process win over a load that another had begun | marks: [`get`](Self::get) gives one with each miss, and [`mark`](Self::mark) one alone, [`fill`](Self::fill) and [`put`](Self::put) look at it |
/// | other processes forget at once what this one evicts | [`watch`](Self::watch) |
/// | one load among all processes | [`lease`](Self::lease) and [`release`](Self::release) |
/// | no queue after one that has failed | [`release_to_all`](Self::release_to_all) |
/// | one round trip for many keys | the operations ending in `_many` |
/// | no command spent on a lifetime that the caller ignores | [`get_value`](Self::get_value) and [`get_values`](Self::get_values) |
///
/// Each operation comes twice: one that blocks, for sync functions, and one that returns a future, for async ones. The
/// futures' defaults run the blocking operation in place, which is right for a backend that never waits; one that does
/// input and output must bring its own. They are polled by whatever executor the caller has, also by one without a tokio runtime around:
/// a backend that needs one keeps a [`Handle`](https://docs.rs/tokio/latest/tokio/runtime/struct.Handle.html) of it.
///
/// A failed operation never fails a cached function: it is counted, traced, and the body runs. One that panics has failed. After several in a row the cache
/// asks no more for a while, so an operation that can't tell should fail rather than answer.
///
/// What `Key` and `Scope` print is for people: it leaves secret ids out and is nothing to name entries by. [`Key::args`], the
/// ids of [`Key::scope`], and of [`Key::space`] the name, [whether that is explicit](crate::Space::is_explicit), the version and the
/// [path](crate::Level::path) of its level are what tells one key from another. Ids of secret levels are hashed before a backend sees them.
///
/// With marks, whatever evicts counts for what is not there too: a load under way may have found what an eviction is meant for. A mark is
/// only ever given back to the backend that it is from, for the key that it was taken of.
///
/// The cache clones no backend and calls it from many threads. A `Box<dyn Backend>`, as of one that is chosen at run time, is a backend as
/// well.
///
/// The documentation of the module [`conformance`](https://docs.rs/cacheado/latest/cacheado/backends/conformance/index.html), of the feature
/// of that name, has a small one, and the checks that show whether a backend does all of this.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no backend",
    label = "not a backend",
    note = "of one that is chosen at run time give a `Box<dyn Backend>`; an `Arc` can't be told the name of its cache, which is the backend's alone"
)]
pub trait Backend: Send + Sync + 'static {
    /// What kind of store it is: `storage_type` of the statistics.
    fn name(&self) -> &str;

    /// Asked once, by the builder's `build()`, before anything else: whether what it was given makes sense. By default it does.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with it; `build()` fails with that.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Told once, before any operation, the name of the cache: what keeps its entries apart from those of other caches in the
    /// same store, which no operation of this backend is to read or remove. A backend that keeps its entries to itself needs no
    /// name, and the default forgets it.
    fn bind(&mut self, name: &str) {
        let _ = name;
    }

    /// Told once, after [`bind`](Self::bind), where to report what others evict and put, so that this process forgets it too.
    /// Returns whether it will: then the process trusts its own copies while it is [covered](Change::Covered). By default it will
    /// not, and the process keeps copies for the builder's `coherence` at most.
    fn watch(&self, changes: Changes) -> bool {
        let _ = changes;
        false
    }

    /// Which part of the store `key` is in, of those that may be down each by itself, such as the nodes of a cluster: after several
    /// failures in a row of one part, what is in the others goes on being asked. A number that means nothing else, and may be another
    /// the next time. By default the store is one part.
    fn part(&self, key: &Key) -> u32 {
        let _ = key;
        0
    }

    /// As [`part`](Self::part), of all that is in `scope` or below it. Of what is in several parts it is a number of its own.
    fn part_of_scope(&self, scope: &Scope) -> u32 {
        let _ = scope;
        0
    }

    /// What is stored under `key`, with what is left of its lifetime; a miss once that is over. No other part of the cache looks
    /// at how old it is.
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

    /// The mark of `key` without what is stored under it, for a value that is made in any case.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out.
    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        let _ = key;
        Ok(Mark::none())
    }

    /// Stores `payload` under `key`, in the place of what was there. It is newer than what any load under way anywhere has, and
    /// than all copies.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being stored.
    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()>;

    /// Stores what a load has found that began at `mark`, unless `key` was evicted or set since, by whomever, by itself or with a scope
    /// that it is in. If another load has filled it meanwhile, either value will do. Returns whether it is stored. The mark's lease ends with it,
    /// stored or not. By default it [`set`](Self::set)s, whatever came between.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being stored.
    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        let _ = mark;
        self.set(key, payload).map(|()| true)
    }

    /// As [`set`](Self::set), for a value whose making began at `mark`. If `key` was evicted or set since, which of the two values
    /// the source holds is not known: then what is there goes. Returns whether it is stored. Stored or not, it outdates each load
    /// under way, as a [`set`](Self::set) does, and is [reported](Self::watch). By default it sets, whatever came between.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being stored.
    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        let _ = mark;
        self.set(key, payload).map(|()| true)
    }

    /// Removes what is under `key`. Returns whether something was, whose lifetime was not over.
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

    /// [`get`](Self::get) of each, in their order. A key may be there twice.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out about any.
    fn get_many(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// [`get_value`](Self::get_value) of each, in their order. A key may be there twice. By default it is [`get_many`](Self::get_many).
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out about any.
    fn get_values(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        self.get_many(keys)
    }

    /// [`set`](Self::set) of each. No key is there twice.
    ///
    /// # Errors
    ///
    /// Whatever kept one from being stored; others may be.
    fn set_many(&self, entries: &[(Key, Payload)]) -> BackendResult<()> {
        entries
            .iter()
            .try_for_each(|(key, payload)| self.set(key, payload))
    }

    /// [`fill`](Self::fill) of each. Returns what each returned. No key is there twice.
    ///
    /// # Errors
    ///
    /// Whatever kept one from being stored; others may be.
    fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> BackendResult<Vec<bool>> {
        let fill = |(key, payload, mark): &(Key, Payload, Mark)| self.fill(key, payload, mark);
        entries.iter().map(fill).collect()
    }

    /// Claims the load of `key` for `span`, among all processes. By default there is no such claim.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finding out.
    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        let _ = (key, span);
        Ok(Lease::Unsupported)
    }

    /// Gives back the claim that `mark` holds, of a load that stores nothing. One that is over, or another's by now, stays as it is.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being given back; it ends by itself.
    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        let _ = (key, mark);
        Ok(())
    }

    /// As [`release`](Self::release), of a load that has failed: for `span` from now on the claim is anybody's. Whoever asks for it is
    /// [granted](Lease::Granted) a mark that holds none, so that those who have waited need not fail one after the other. By default
    /// it is given back, and they do.
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

    /// [`fill`](Self::fill) without blocking. By default a backend whose marks say nothing [`set_async`](Self::set_async)s; that of one whose
    /// marks do is `fill`, in place, which looks at them.
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

    /// [`put`](Self::put) without blocking. Its default is chosen as that of [`fill_async`](Self::fill_async).
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

//! Reading a value, or loading it.

use std::future::{Future, IntoFuture};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cacheado_backends::{Error, Result, Scope, Space};
use serde::Serialize;

use super::failure::or_failure;
use super::{Begun, Operation, OperationFuture, key, probe};
use crate::cache::Cache;
use crate::counters::Event;
use crate::load::active::is_inside;
use crate::load::pending::Pending;
use crate::load::{Course, Load, Sharing};
use crate::outcome::{ResultKind, Storable};
use crate::repeats::warn_seldom;
use crate::value::Typed;

/// The common part of the two operations.
struct Common<'a, F, K> {
    cache: &'a Cache,
    key: K,
    loader: F,
    scope: Scope,
    ttl: Option<Duration>,
}

impl<'a, F, K: Serialize> Common<'a, F, K> {
    fn new(cache: &'a Cache, key: K, loader: F) -> Self {
        Self {
            cache,
            key,
            loader,
            scope: Scope::global(),
            ttl: None,
        }
    }

    /// The same operation with the loader that `make` makes of this one.
    fn with<G>(self, make: impl FnOnce(F) -> G) -> Common<'a, G, K> {
        Common {
            cache: self.cache,
            key: self.key,
            loader: make(self.loader),
            scope: self.scope,
            ttl: self.ttl,
        }
    }

    /// The value, or how to load it.
    #[allow(clippy::result_large_err, reason = "it is no error, but how to load")]
    fn look<T: Storable, E>(&self) -> std::result::Result<T, Loading<T, E>> {
        let space = Space::programmatic(self.scope.level());
        if !self.cache.is_enabled() {
            self.cache.count_space(space, Event::Miss);
            self.cache.count_space(space, Event::Load);
            return Err(Pending::uncached());
        }
        let probe = probe(&self.scope, &self.key).map_err(|error| self.unkeyed(space, &error))?;
        let found = self
            .cache
            .store()
            .get::<T, _, _>(&probe, |entry| entry.value::<T>().cloned());
        if let Some(value) = found.flatten()
            && !self
                .cache
                .doubts(|store| store.peek(&probe, |entry| entry.is_copy()))
        {
            self.cache.count_space(space, Event::Hit);
            return Ok(value);
        }
        let key = key(&self.scope, &self.key).map_err(|error| self.unkeyed(space, &error))?;
        let inside = is_inside(self.cache.id(), &key);
        // a lookup that the shared tier may still answer is counted when that is known
        let counted = inside || self.cache.shared().is_none();
        if counted {
            self.cache.count_space(space, Event::Miss);
        }
        if inside {
            self.cache.count_space(space, Event::Load);
            return Err(Pending::uncached());
        }
        let typed = Typed::PORTABLE;
        let load = Box::new(Load {
            cache: self.cache.clone(),
            key,
            values: typed.values,
            ttl: self.ttl,
            aging: None,
            owned: false,
            sharing: Sharing::Single,
            counted: AtomicBool::new(counted),
            fails: false,
            errors: None,
            renewal: None,
            answered: None,
            course: Course::default(),
        });
        Err(Pending::with(load, typed))
    }

    #[cold]
    fn unkeyed<T, E>(&self, space: &Space, error: &Error) -> Loading<T, E> {
        self.cache.count_space(space, Event::KeyError);
        let due = self.cache.repeats().due(error.to_string());
        warn_seldom!(due, %error, "the loader runs uncached");
        Pending::uncached()
    }

    fn load<T: Storable, E>(self) -> Result<T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        match self.look() {
            Ok(value) => Ok(value),
            Err(pending) => pending.load(self.loader),
        }
    }

    /// The value at once, or the future of loading it, passed through `then`.
    fn begin<T: Storable, E, Fut, R: 'a>(self, then: fn(Result<T, E>) -> R) -> Begun<'a, R>
    where
        F: FnOnce() -> Fut + Send + 'a,
        K: 'a,
        Fut: Future<Output = Result<T, E>> + Send + 'a,
        E: Send + 'a,
    {
        let look = self.look();
        let loader = self.loader;
        match look {
            Ok(value) => Begun::Done(then(Ok(value))),
            Err(pending) => Begun::Waits(Box::pin(async move {
                let load = pending.load_async(loader);
                then(load.await)
            })),
        }
    }
}

/// A load of a `T` that can fail with an `E`.
type Loading<T, E> = Pending<Result<T, E>, ResultKind>;

/// [`Cache::get_or_load`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct GetOrLoad<'a, F, K>(Common<'a, F, K>);

/// [`Cache::try_get_or_load`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct TryGetOrLoad<'a, F, K>(Common<'a, F, K>);

macro_rules! refined {
    ($($operation:ident),*) => {
        $(impl<'a, F, K: Serialize> $operation<'a, F, K> {
            pub(crate) fn new(cache: &'a Cache, key: K, loader: F) -> Self {
                Self(Common::new(cache, key, loader))
            }

            /// The scope of the key; global by default.
            pub fn scope(mut self, scope: Scope) -> Self {
                self.0.scope = scope;
                self
            }

            /// How long a loaded value lives; without it, until evicted. With zero it is not stored.
            pub fn ttl(mut self, ttl: Duration) -> Self {
                self.0.ttl = Some(ttl);
                self
            }
        })*
    };
}
refined!(GetOrLoad, TryGetOrLoad);

/// The result of the load, which may be a failure.
fn whichever<T>(loaded: Result<T, T>) -> T {
    loaded.unwrap_or_else(|failure| failure)
}

impl<F, K: Serialize> GetOrLoad<'_, F, K> {
    /// Returns the value. If the loader runs, it runs on this thread. A key that fails to serialize is counted and traced, and the
    /// loader runs uncached.
    ///
    /// # Errors
    ///
    /// None at present: if anything goes wrong in the cache, the loader runs.
    ///
    /// # Panics
    ///
    /// If the loader panics.
    pub fn run<T: Storable>(self) -> Result<T>
    where
        F: FnOnce() -> T,
    {
        let common = self.0.with(|loader| || or_failure(loader()));
        Ok(whichever(common.load()))
    }
}

impl<'a, F, K, Fut, T> Operation<'a> for GetOrLoad<'a, F, K>
where
    F: FnOnce() -> Fut + Send + 'a,
    K: Serialize + 'a,
    Fut: Future<Output = T> + Send + 'a,
    T: Storable,
{
    type Output = Result<T>;

    fn begin(self) -> Begun<'a, Result<T>> {
        let common = self
            .0
            .with(|loader| || async move { or_failure(loader().await) });
        common.begin(|loaded| Ok(whichever(loaded)))
    }
}

impl<'a, F, K, Fut, T> IntoFuture for GetOrLoad<'a, F, K>
where
    F: FnOnce() -> Fut + Send + 'a,
    K: Serialize + 'a,
    Fut: Future<Output = T> + Send + 'a,
    T: Storable,
{
    type Output = Result<T>;
    type IntoFuture = OperationFuture<'a, Self, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        OperationFuture::new(self)
    }
}

impl<F, K: Serialize> TryGetOrLoad<'_, F, K> {
    /// Returns the value. If the loader runs, it runs on this thread. A key that fails to serialize is counted and traced, and the
    /// loader runs uncached.
    ///
    /// # Errors
    ///
    /// What the loader returns.
    ///
    /// # Panics
    ///
    /// If the loader panics.
    pub fn run<T: Storable, E>(self) -> Result<T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        self.0.load()
    }
}

impl<'a, F, K, Fut, T, E> Operation<'a> for TryGetOrLoad<'a, F, K>
where
    F: FnOnce() -> Fut + Send + 'a,
    K: Serialize + 'a,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
    T: Storable,
    E: Send + 'a,
{
    type Output = Result<T, E>;

    fn begin(self) -> Begun<'a, Result<T, E>> {
        self.0.begin(std::convert::identity)
    }
}

impl<'a, F, K, Fut, T, E> IntoFuture for TryGetOrLoad<'a, F, K>
where
    F: FnOnce() -> Fut + Send + 'a,
    K: Serialize + 'a,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
    T: Storable,
    E: Send + 'a,
{
    type Output = Result<T, E>;
    type IntoFuture = OperationFuture<'a, Self, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        OperationFuture::new(self)
    }
}

//! Reading many keys at once, and loading those that are missing.

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use cacheado_backends::{Key, Result, Scope};
use serde::Serialize;

use super::{Begun, Operation, OperationFuture, awaitable, key};
use crate::batch::Batch;
use crate::cache::Cache;
use crate::outcome::{Decision, Storable};
use crate::value::Typed;
use crate::way::{Way, blocking};

/// [`Cache::get_many`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct GetMany<'a, T, K> {
    cache: &'a Cache,
    keys: Vec<K>,
    scope: Scope,
    typed: Typed<T>,
}

// the bounds on values are on the methods that make the operation: here they would give a second compile error
impl<'a, T, K: Serialize> GetMany<'a, T, K> {
    pub(crate) fn new(cache: &'a Cache, keys: impl IntoIterator<Item = K>) -> Self
    where
        T: Storable,
    {
        Self {
            cache,
            keys: keys.into_iter().collect(),
            scope: Scope::global(),
            typed: Typed::PORTABLE,
        }
    }

    /// The scope of the keys; global by default.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Returns the values in the order of the keys; `None` where there is none. A failing shared tier is counted, and its keys are
    /// misses.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`](crate::Error::TypeMismatch) if one was stored in the process as another type,
    /// [`Error::Key`](crate::Error::Key) if one of the keys fails to serialize.
    pub fn run(self) -> Result<Vec<Option<T>>> {
        let mut batch = begin(
            Way::Blocking,
            self.cache,
            self.typed,
            &self.scope,
            &self.keys,
        )?;
        blocking(|way| batch.look(way, false));
        batch.missing(false);
        Ok(batch.finish())
    }
}

impl<'a, T: Any + Send, K: Serialize> Operation<'a> for GetMany<'a, T, K> {
    type Output = Result<Vec<Option<T>>>;

    fn begin(self) -> Begun<'a, Self::Output> {
        let mut batch = match begin(Way::Async, self.cache, self.typed, &self.scope, &self.keys) {
            Ok(batch) => batch,
            Err(error) => return Begun::Done(Err(error)),
        };
        if !batch.asks() {
            batch.missing(false);
            return Begun::Done(Ok(batch.finish()));
        }
        Begun::Waits(Box::pin(async move {
            batch.look(Way::Async, false).await;
            batch.missing(false);
            Ok(batch.finish())
        }))
    }
}

awaitable!(GetMany<'a, T: Any + Send, K: Serialize> -> Vec<Option<T>>);

/// [`Cache::get_or_load_many`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct GetOrLoadMany<'a, F, K> {
    cache: &'a Cache,
    keys: Vec<K>,
    loader: F,
    scope: Scope,
    ttl: Option<Duration>,
}

impl<'a, F, K: Serialize> GetOrLoadMany<'a, F, K> {
    pub(crate) fn new(cache: &'a Cache, keys: impl IntoIterator<Item = K>, loader: F) -> Self {
        Self {
            cache,
            keys: keys.into_iter().collect(),
            loader,
            scope: Scope::global(),
            ttl: None,
        }
    }

    /// The scope of the keys; global by default.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// How long loaded values live; without it, until evicted. With zero they are not stored.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Returns the values in the order of the keys; `None` where neither the cache nor the loader has one. The loader is called once,
    /// with the missing keys, each once, or not at all if none is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Key`](crate::Error::Key) if one of the keys fails to serialize,
    /// [`Error::TypeMismatch`](crate::Error::TypeMismatch) if one was stored in the process as another type.
    ///
    /// # Panics
    ///
    /// If the loader panics.
    pub fn run<T: Storable, L>(self) -> Result<Vec<Option<T>>>
    where
        F: FnOnce(Vec<K>) -> L,
        L: IntoIterator<Item = (K, T)>,
    {
        let mut batch = begin(
            Way::Blocking,
            self.cache,
            Typed::PORTABLE,
            &self.scope,
            &self.keys,
        )?;
        blocking(|way| batch.look(way, true));
        let missing = take(self.keys, &batch.missing(true));
        if missing.is_empty() {
            return Ok(batch.finish());
        }
        // a lazy iterator may load while it is consumed
        let load = || keyed(&self.scope, (self.loader)(missing));
        let loaded = batch.run(load)?;
        let (loaded, ttl) = (batch.arranged(loaded), self.ttl);
        blocking(|way| batch.store(way, loaded, |_| Decision::Store { ttl }));
        Ok(batch.finish())
    }
}

/// Looks up `keys` in the process.
fn begin<'a, T>(
    way: Way,
    cache: &'a Cache,
    typed: Typed<T>,
    scope: &Scope,
    keys: &[impl Serialize],
) -> Result<Batch<'a, T>> {
    let keys = keys.iter().map(|it| key(scope, it));
    let keys = keys.collect::<Result<_>>()?;
    let aging = cache.aging_of(None);
    Batch::begin(cache, typed, aging, keys, way).of_one_type()
}

/// The `keys` at these positions.
fn take<K>(keys: Vec<K>, places: &[usize]) -> Vec<K> {
    let mut places = places.iter().copied().peekable();
    let taken = |(place, key)| places.next_if_eq(&place).map(|_| key);
    keys.into_iter().enumerate().filter_map(taken).collect()
}

/// The values that a loader has returned, with the keys of the cache.
fn keyed<K: Serialize, T>(
    scope: &Scope,
    loaded: impl IntoIterator<Item = (K, T)>,
) -> Result<Vec<(Key, T)>> {
    let keyed = |(it, value): (K, T)| Ok((key(scope, &it)?, value));
    loaded.into_iter().map(keyed).collect()
}

impl<'a, F, K, Fut, T, L> Operation<'a> for GetOrLoadMany<'a, F, K>
where
    F: FnOnce(Vec<K>) -> Fut + Send + 'a,
    K: Serialize + Send + 'a,
    Fut: Future<Output = L> + Send + 'a,
    L: IntoIterator<Item = (K, T)>,
    T: Storable,
{
    type Output = Result<Vec<Option<T>>>;

    fn begin(self) -> Begun<'a, Self::Output> {
        let mut batch = match begin(
            Way::Async,
            self.cache,
            Typed::PORTABLE,
            &self.scope,
            &self.keys,
        ) {
            Ok(batch) => batch,
            Err(error) => return Begun::Done(Err(error)),
        };
        Begun::Waits(Box::pin(async move {
            batch.look(Way::Async, true).await;
            let missing = take(self.keys, &batch.missing(true));
            if missing.is_empty() {
                return Ok(batch.finish());
            }
            let load = async { keyed(&self.scope, (self.loader)(missing).await) };
            let loaded = batch.run_async(pin!(load)).await?;
            let (loaded, ttl) = (batch.arranged(loaded), self.ttl);
            batch
                .store(Way::Async, loaded, |_| Decision::Store { ttl })
                .await;
            Ok(batch.finish())
        }))
    }
}

impl<'a, F, K, Fut, T, L> IntoFuture for GetOrLoadMany<'a, F, K>
where
    F: FnOnce(Vec<K>) -> Fut + Send + 'a,
    K: Serialize + Send + 'a,
    Fut: Future<Output = L> + Send + 'a,
    L: IntoIterator<Item = (K, T)>,
    T: Storable,
{
    type Output = Result<Vec<Option<T>>>;
    type IntoFuture = OperationFuture<'a, Self, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        OperationFuture::new(self)
    }
}

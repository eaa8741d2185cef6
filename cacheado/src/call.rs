//! One call of a cached function, named but not made: what `evict!`, `peek!` and `put!` act on.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use cacheado_backends::{Entry, IdText, Key, Result, Scope};
use serde::Serialize;

use crate::aging::{Aging, Span};
use crate::cache::Cache;
use crate::evict::{evict_key, expire_key};
use crate::flight::UnderWay;
use crate::function::Function;
use crate::ids::Ids;
use crate::outcome::{Carry, Decision, Kind, Outcome, Probe, Value};
use crate::put::Put;
use crate::repeats::warn_seldom;
use crate::shared::{Found, Wanted};
use crate::value::{AnyValue, ValueType};
use crate::way::{Way, blocking};

/// The function is sync: the verbs block.
#[derive(Clone, Copy, Debug)]
pub struct Blocking;

/// The function is async: the verbs return futures.
#[derive(Clone, Copy, Debug)]
pub struct Async;

/// A call of a function that returns `R`, named but not made.
#[must_use = "naming a call does nothing"]
pub struct Call<R, D> {
    named: Named,
    types: PhantomData<fn() -> (R, D)>,
}

/// The call without its types, so that the verbs are compiled once and not per function.
struct Named {
    cache: Cache,
    /// `None`: the function is not cached, because another function has its name.
    key: Result<Option<Key>>,
    values: &'static ValueType,
    aging: &'static Aging,
    decide: Decide,
}

/// What becomes of a value that is put.
enum Decide {
    /// It is stored.
    Store { ttl: Option<Duration> },
    /// A closure decides. It is boxed where the value's type is known, because a function's signature can't spell its type.
    Ask(Box<dyn FnOnce(&AnyValue) -> Decision + Send>),
}

impl Function {
    /// Names a call of this function.
    pub fn call<'i, R, K, I, A, D, const IDS: usize>(
        &'static self,
        carry: Carry<R, K>,
        cache: &Cache,
        ids: I,
        args: &A,
    ) -> Call<R, D>
    where
        I: Ids<'i, IDS>,
        K: Outcome<R>,
        K::Stored: Value,
        A: Serialize,
    {
        let texts = ids.texts();
        let ids = texts.each_ref().map(IdText::as_bytes);
        let named = Named {
            cache: cache.clone(),
            key: self.key::<K::Stored, A>(cache, carry.typed.values, &ids, args),
            values: carry.typed.values,
            aging: self.aging(),
            decide: Decide::Store { ttl: self.ttl() },
        };
        let types = PhantomData;
        Call { named, types }
    }
}

impl<R, D> Call<R, D> {
    /// Lets `decide` say what becomes of a value that is put.
    pub fn deciding<K>(
        mut self,
        _: Carry<R, K>,
        decide: impl FnOnce(&K::Stored) -> Decision + Send + 'static,
    ) -> Self
    where
        K: Outcome<R>,
        K::Stored: Value,
    {
        self.named.decide = Decide::Ask(Box::new(|value| {
            value.downcast_ref().map_or(Decision::Skip, decide)
        }));
        self
    }

    /// A probe for the function's return type.
    pub fn probe(&self) -> Probe<R> {
        Probe::new()
    }

    /// Marks the call as being evicted together with others, as long as the result lives. Loads of it that run meanwhile are not
    /// stored.
    pub fn under_way(&self) -> impl Sized + Send + use<R, D> {
        self.named.under_way()
    }

    /// Evicts the entry for `#[cache_evict]`. Failures are traced (and counted, by the tier that failed), and not returned.
    pub fn run_evict(self) {
        self.named.run_evict();
    }

    /// As [`run_evict`](Self::run_evict), without blocking.
    pub fn run_evict_async(self) -> impl Future<Output = ()> + Send {
        self.named.run_evict_async()
    }
}

impl Named {
    fn under_way(&self) -> Option<UnderWay> {
        let key = self.key.as_ref().ok().and_then(Option::as_ref);
        key.map(|key| self.cache.flights().evicting_key(key.clone()))
    }

    fn run_evict(self) {
        let cache = self.cache.clone();
        trace(&cache, self.evict_blocking());
    }

    async fn run_evict_async(self) {
        let cache = self.cache.clone();
        trace(&cache, self.evict(Way::Async).await);
    }

    fn evict_blocking(self) -> Result<bool> {
        blocking(|way| self.evict(way))
    }

    async fn evict(self, way: Way) -> Result<bool> {
        let portable = self.values.codec.is_some();
        match self.key? {
            Some(key) => evict_key(way, &self.cache, &key, portable).await,
            None => Ok(false),
        }
    }

    fn expire_blocking(self) -> Result<bool> {
        blocking(|way| self.expire(way))
    }

    async fn expire(self, way: Way) -> Result<bool> {
        match self.key? {
            Some(key) => expire_key(way, &self.cache, &key, self.values).await,
            None => Ok(false),
        }
    }

    fn peek_blocking(self, is_it: IsIt) -> Result<Option<Box<AnyValue>>> {
        blocking(|way| self.peek(way, is_it))
    }

    /// The stored value, if `is_it` accepts it.
    async fn peek(self, way: Way, is_it: IsIt) -> Result<Option<Box<AnyValue>>> {
        let Some(key) = self.key.clone()? else {
            return Ok(None);
        };
        let local = self.peek_local(&key);
        if let Some(value) = local.filter(|value| is_it(&**value)) {
            return Ok(Some(value));
        }
        let found = match self.cache.shared_for(&key, self.values.codec) {
            Some((tier, codec)) => good(tier.get(way, &key, codec, Wanted::Value).await),
            None => None,
        };
        Ok(found.filter(|value| is_it(&**value)))
    }

    fn peek_local(&self, key: &Key) -> Option<Box<AnyValue>> {
        let peek = |entry: Entry<'_>| self.values.clone_fresh(entry, self.cache.clock());
        let found = self.cache.store().peek_key(key, peek).flatten();
        found.filter(|_| !self.cache.doubts_key(key))
    }

    fn put_blocking(self, value: &AnyValue) -> Result<bool> {
        blocking(|way| self.put(way, value))
    }

    async fn put(self, way: Way, value: &AnyValue) -> Result<bool> {
        match self.plan(value)? {
            Some(put) => put.run(way, value).await,
            None => Ok(false),
        }
    }

    /// Where `value` goes; `None` if the function is not cached, or does not store values of this type.
    fn plan(self, value: &AnyValue) -> Result<Option<Put>> {
        let takes = self.cache.is_enabled() && self.values.is(value);
        let Some(key) = self.key?.filter(|_| takes) else {
            return Ok(None);
        };
        let decision = match self.decide {
            Decide::Store { ttl } => Decision::Store { ttl },
            Decide::Ask(decide) => decide(value),
        };
        let span = match decision {
            Decision::Store { ttl } => self.cache.aging_of(Some(self.aging)).span(ttl),
            // a value that must not be stored still replaces the existing one, like a value with a lifetime of zero
            Decision::Skip => Span::plain(Some(Duration::ZERO)),
        };
        Ok(Some(Put {
            cache: self.cache,
            key,
            values: self.values,
            span,
        }))
    }
}

/// Whether a value is of the requested type. It is not if the function stores its whole generic `R`, while for the caller `R` is a
/// `Result` whose `Ok` value is requested.
type IsIt = fn(&AnyValue) -> bool;

/// The shared tier's value, unless it is stale. A value that another function of the same name stored as another type is a miss, as it
/// is to a call.
fn good(found: Result<Option<Found>>) -> Option<Box<AnyValue>> {
    let found = found.ok().flatten();
    let found = found.filter(|found| !found.is_stale());
    found.map(|found| found.value)
}

fn unboxed<T: Value>(value: Box<AnyValue>) -> Option<T> {
    value.downcast().ok().map(|value| *value)
}

fn trace<T>(cache: &Cache, evicted: Result<T>) {
    if let Err(error) = evicted {
        let due = cache.repeats().due(error.to_string());
        warn_seldom!(due, %error, "an eviction failed");
    }
}

impl<R> Call<R, Blocking> {
    /// Removes the entry. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn evict(self) -> Result<bool> {
        self.named.evict_blocking()
    }

    /// Makes the entry count as past its lifetime: it only stands in for a value that can't be loaded. Returns whether it was good.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn expire(self) -> Result<bool> {
        self.named.expire_blocking()
    }

    /// The stored value, if there is one. Loads nothing, counts nothing, and does not count as a use of the entry.
    ///
    /// # Errors
    ///
    /// No key could be made.
    pub fn peek<K: Outcome<R>>(self, _: Kind<R, K>) -> Result<Option<K::Stored>>
    where
        K::Stored: Value,
    {
        let peeked = self.named.peek_blocking(<AnyValue>::is::<K::Stored>);
        peeked.map(|value| value.and_then(unboxed))
    }

    /// Stores `value` as if the call had returned it. Returns whether it was stored.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn put<K: Outcome<R>>(self, _: Kind<R, K>, value: K::Stored) -> Result<bool>
    where
        K::Stored: Value,
    {
        self.named.put_blocking(&value)
    }
}

impl<R> Call<R, Async> {
    /// Removes the entry. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn evict(self) -> impl Future<Output = Result<bool>> + Send {
        self.named.evict(Way::Async)
    }

    /// Makes the entry count as past its lifetime: it only stands in for a value that can't be loaded. Returns whether it was good.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn expire(self) -> impl Future<Output = Result<bool>> + Send {
        self.named.expire(Way::Async)
    }

    /// The stored value, if there is one. Loads nothing, counts nothing, and does not count as a use of the entry.
    ///
    /// # Errors
    ///
    /// No key could be made.
    pub fn peek<K: Outcome<R>>(
        self,
        _: Kind<R, K>,
    ) -> impl Future<Output = Result<Option<K::Stored>>> + Send
    where
        K::Stored: Value,
    {
        let peeked = self.named.peek(Way::Async, <AnyValue>::is::<K::Stored>);
        async { Ok(peeked.await?.and_then(unboxed)) }
    }

    /// Stores `value` as if the call had returned it. Returns whether it was stored.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn put<K: Outcome<R>>(
        self,
        _: Kind<R, K>,
        value: K::Stored,
    ) -> impl Future<Output = Result<bool>> + Send
    where
        K::Stored: Value,
    {
        let named = self.named;
        async move { named.put(Way::Async, &value).await }
    }
}

/// A scope that a `#[cache_evict]` names.
#[must_use = "naming a scope does nothing"]
pub struct ScopeEviction {
    cache: Cache,
    scope: Scope,
}

/// Names a scope.
pub fn scope_eviction(cache: &Cache, scope: Scope) -> ScopeEviction {
    ScopeEviction {
        cache: cache.clone(),
        scope,
    }
}

impl ScopeEviction {
    /// Marks the scope as being evicted together with others, as long as the result lives.
    pub fn under_way(&self) -> impl Sized + Send + use<> {
        self.cache.flights().evicting(self.scope.clone())
    }

    /// Evicts the scope. Failures are traced, and not returned.
    pub fn run_evict(self) {
        trace(&self.cache, self.cache.evict_by_scope(self.scope).run());
    }

    /// As [`run_evict`](Self::run_evict), without blocking.
    pub async fn run_evict_async(self) {
        trace(&self.cache, self.cache.evict_by_scope(self.scope).await);
    }
}

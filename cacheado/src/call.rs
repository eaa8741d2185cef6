//! One call of a cached function, named but not made: what `evict!`, `peek!` and `put!` act on.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use cacheado_backends::{Entry, Key, Result, Scope};
use serde::Serialize;

use crate::aging::{Aging, Span};
use crate::cache::Cache;
use crate::evict::{evict_key, expire_key};
use crate::flight::UnderWay;
use crate::function::Function;
use crate::outcome::{Carry, Decision, Kind, Outcome, Probe, Value};
use crate::put::Put;
use crate::repeats::warn_seldom;
use crate::shared::{Found, Wanted};
use crate::value::{AnyValue, ValueType};
use crate::way::{Way, blocking};

/// The function is sync: the verbs block.
#[derive(Clone, Copy, Debug)]
pub struct Blocking;

/// The function is async: the verbs are futures.
#[derive(Clone, Copy, Debug)]
pub struct Async;

/// A call of a function that returns `R`, named but not made.
#[must_use = "naming a call does nothing"]
pub struct Call<R, D> {
    named: Named,
    types: PhantomData<fn() -> (R, D)>,
}

/// The same without the types, so that what the verbs do is compiled once and not for each function.
struct Named {
    cache: Cache,
    /// `None`: the function is not cached, since its name is another's.
    key: Result<Option<Key>>,
    values: &'static ValueType,
    aging: &'static Aging,
    decide: Decide,
}

/// What becomes of a value that is put.
enum Decide {
    /// It is stored, as any is.
    Store { ttl: Option<Duration> },
    /// Asked here, where the value's type is known, which a function's signature can't spell.
    Ask(Box<dyn FnOnce(&AnyValue) -> Decision + Send>),
}

impl Function {
    /// Names a call of it.
    pub fn call<R, K, A, D>(
        &'static self,
        carry: Carry<R, K>,
        cache: &Cache,
        ids: &[&[u8]],
        args: &A,
    ) -> Call<R, D>
    where
        K: Outcome<R>,
        K::Stored: Value,
        A: Serialize,
    {
        let named = Named {
            cache: cache.clone(),
            key: self.key::<K::Stored, A>(cache, carry.typed.values, ids, args),
            values: carry.typed.values,
            aging: self.aging(),
            decide: Decide::Store { ttl: self.ttl() },
        };
        let types = PhantomData;
        Call { named, types }
    }
}

impl<R, D> Call<R, D> {
    /// The same, and `decide` says what becomes of a value that is put.
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

    /// The function's return type.
    pub fn probe(&self) -> Probe<R> {
        Probe::new()
    }

    /// While what this returns lives, it is being evicted with others: of what its body finds there, nothing is kept.
    pub fn under_way(&self) -> impl Sized + Send + use<R, D> {
        self.named.under_way()
    }

    /// Evicts it for `#[cache_evict]`: what goes wrong is traced (and counted, by the tier it went wrong in), and in nobody's way.
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

    /// What is stored, if it is what `is_it` says.
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

    /// Where `value` goes; `None` if the function is not cached, or `value` is not what it stores.
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
            // a value that is not to be stored replaces what is, all the same: as one of no lifetime does
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

/// Whether a value is of the type that is asked for. It is not where the function has the whole `R` of its own stored, and its caller, for whom
/// that is a `Result`, means what is in it.
type IsIt = fn(&AnyValue) -> bool;

/// What the shared tier has, unless it only stands in for another value, or another function of this one's name stored it as another type:
/// that is a miss, as it is to a call.
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
    /// Removes its entry. Answers whether there was one.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn evict(self) -> Result<bool> {
        self.named.evict_blocking()
    }

    /// Has its entry count as past its lifetime: it stands in only for a value that can't be had. Answers whether it was good.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn expire(self) -> Result<bool> {
        self.named.expire_blocking()
    }

    /// Its stored value, if there is one. Loads nothing, counts nothing, and is no use of the entry.
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

    /// Stores `value` as if the call had returned it. Answers whether it was stored.
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
    /// Removes its entry. Answers whether there was one.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn evict(self) -> impl Future<Output = Result<bool>> + Send {
        self.named.evict(Way::Async)
    }

    /// Has its entry count as past its lifetime: it stands in only for a value that can't be had. Answers whether it was good.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn expire(self) -> impl Future<Output = Result<bool>> + Send {
        self.named.expire(Way::Async)
    }

    /// Its stored value, if there is one. Loads nothing, counts nothing, and is no use of the entry.
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

    /// Stores `value` as if the call had returned it. Answers whether it was stored.
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

/// Names it.
pub fn scope_eviction(cache: &Cache, scope: Scope) -> ScopeEviction {
    ScopeEviction {
        cache: cache.clone(),
        scope,
    }
}

impl ScopeEviction {
    /// While what this returns lives, it is being evicted with others.
    pub fn under_way(&self) -> impl Sized + Send + use<> {
        self.cache.flights().evicting(self.scope.clone())
    }

    /// Evicts it. What goes wrong is traced, and in nobody's way.
    pub fn run_evict(self) {
        trace(&self.cache, self.cache.evict_by_scope(self.scope).run());
    }

    /// As [`run_evict`](Self::run_evict), without blocking.
    pub async fn run_evict_async(self) {
        trace(&self.cache, self.cache.evict_by_scope(self.scope).await);
    }
}

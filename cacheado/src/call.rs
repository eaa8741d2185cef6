//! One call of a cached function, named but not made: what `evict!`, `peek!` and `put!` act on.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use cacheado_backends::{Entry, Key, Result, Scope};
use serde::Serialize;

use crate::aging::{Aging, Span};
use crate::cache::Cache;
use crate::evict::{evict_key, expire_key};
use crate::function::Function;
use crate::outcome::{Carry, Decision, Kind, Outcome, Probe, Value};
use crate::put::Put;
use crate::repeats::warn_seldom;
use crate::shared::Found;
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
    cache: Cache,
    /// `None`: the function is not cached, since its name is another's.
    key: Result<Option<Key>>,
    values: &'static ValueType,
    aging: &'static Aging,
    decide: Decide,
    types: PhantomData<fn() -> (R, D)>,
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
        Call {
            cache: cache.clone(),
            key: self.key::<K::Stored, A>(cache, carry.typed.values, ids, args),
            values: carry.typed.values,
            aging: self.aging(),
            decide: Decide::Store { ttl: self.ttl() },
            types: PhantomData,
        }
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
        self.decide = Decide::Ask(Box::new(|value| {
            value.downcast_ref().map_or(Decision::Skip, decide)
        }));
        self
    }

    /// The function's return type.
    pub fn probe(&self) -> Probe<R> {
        Probe::new()
    }

    fn peek_local<T: Value>(&self, key: &Key) -> Option<T> {
        let peek = |entry: Entry<'_>| self.values.clone_fresh(entry, self.cache.clock());
        let found = self.cache.store().peek_key(key, peek).flatten();
        found
            .filter(|_| !self.cache.doubts_key(key))
            .and_then(of_type)
    }

    async fn evict_by(self, way: Way) -> Result<bool> {
        let portable = self.values.codec.is_some();
        match self.key? {
            Some(key) => evict_key(way, &self.cache, &key, portable).await,
            None => Ok(false),
        }
    }

    async fn expire_by(self, way: Way) -> Result<bool> {
        match self.key? {
            Some(key) => expire_key(way, &self.cache, &key, self.values).await,
            None => Ok(false),
        }
    }

    async fn peek_by<T: Value>(self, way: Way) -> Result<Option<T>> {
        let Some(key) = self.key.clone()? else {
            return Ok(None);
        };
        if let Some(value) = self.peek_local(&key) {
            return Ok(Some(value));
        }
        match self.cache.shared_for(&key, self.values.codec) {
            Some((tier, codec)) => Ok(good(tier.get(way, &key, codec).await)),
            None => Ok(None),
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

    async fn put_by<T: Value>(self, way: Way, value: T) -> Result<bool> {
        match self.plan(&value)? {
            Some(put) => put.run(way, &value).await,
            None => Ok(false),
        }
    }

    /// While what this returns lives, it is being evicted with others: of what its body finds there, nothing is kept.
    pub fn under_way(&self) -> impl Sized + Send + use<R, D> {
        let key = self.key.as_ref().ok().and_then(Option::as_ref);
        key.map(|key| self.cache.flights().evicting_key(key.clone()))
    }

    /// Evicts it for `#[cache_evict]`: what goes wrong is traced (and counted, by the tier it went wrong in), and in nobody's way.
    pub fn run_evict(self) {
        let cache = self.cache.clone();
        trace(&cache, blocking(|way| self.evict_by(way)));
    }

    /// As [`run_evict`](Self::run_evict), without blocking.
    pub async fn run_evict_async(self) {
        let cache = self.cache.clone();
        trace(&cache, self.evict_by(Way::Async).await);
    }
}

/// What the shared tier has, unless it only stands in for another value, or another function of this one's name stored it as another type:
/// that is a miss, as it is to a call.
fn good<T: Value>(found: Result<Option<Found>>) -> Option<T> {
    let found = found.ok().flatten();
    let found = found.filter(|found| !found.is_stale())?;
    of_type(found.value)
}

/// The value in the box, if it is a `T`. It is not where the function has the whole `R` of its own stored, and its caller, for whom that is
/// a `Result`, means what is in it.
fn of_type<T: Value>(value: Box<AnyValue>) -> Option<T> {
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
        blocking(|way| self.evict_by(way))
    }

    /// Has its entry count as past its lifetime: it stands in only for a value that can't be had. Answers whether it was good.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn expire(self) -> Result<bool> {
        blocking(|way| self.expire_by(way))
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
        blocking(|way| self.peek_by(way))
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
        blocking(|way| self.put_by(way, value))
    }
}

impl<R> Call<R, Async> {
    /// Removes its entry. Answers whether there was one.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn evict(self) -> impl Future<Output = Result<bool>> + Send {
        self.evict_by(Way::Async)
    }

    /// Has its entry count as past its lifetime: it stands in only for a value that can't be had. Answers whether it was good.
    ///
    /// # Errors
    ///
    /// No key could be made, or the shared tier failed.
    pub fn expire(self) -> impl Future<Output = Result<bool>> + Send {
        self.expire_by(Way::Async)
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
        self.peek_by(Way::Async)
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
        self.put_by(Way::Async, value)
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

//! Removing: one key, a scope, everything.
//!
//! The process goes first and last: what it has is not served while the shared tier is being asked, and what a look-up
//! took over from there meanwhile goes too.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use cacheado_backends::backend::Change;
use cacheado_backends::memory::{Dropped, Removed};
use cacheado_backends::{Entry, Key, Result, Scope};
use serde::Serialize;

use super::{Begun, Operation, awaitable, key};
use crate::cache::Cache;
use crate::flight::UnderWay;
use crate::shared::{Found, SharedTier};
use crate::value::ValueType;

/// [`Cache::evict`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct Evict<'a, K> {
    cache: &'a Cache,
    key: K,
    scope: Scope,
}

impl<'a, K: Serialize> Evict<'a, K> {
    pub(crate) fn new(cache: &'a Cache, key: K) -> Self {
        Self {
            cache,
            key,
            scope: Scope::global(),
        }
    }

    /// Of which tenant; the global scope if not given.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Removes it. Answers whether there was a live entry.
    ///
    /// # Errors
    ///
    /// [`Error::Key`](crate::Error::Key) if the key fails to serialize, and what the shared tier said if that failed; the
    /// process has forgotten the value all the same.
    pub fn run(self) -> Result<bool> {
        evict_key(self.cache, &key(&self.scope, &self.key)?, true)
    }
}

/// What the process does once the shared tier was asked without blocking. If the caller goes away meanwhile, it does so then: what a
/// look-up has taken over from there would stay, of which nothing tells this process any more.
pub(crate) struct Again<R, F: Fn() -> R> {
    last: F,
    done: bool,
}

impl<R, F: Fn() -> R> Again<R, F> {
    pub(crate) fn new(last: F) -> Self {
        Self { last, done: false }
    }

    pub(crate) fn now(mut self) -> R {
        self.done = true;
        (self.last)()
    }
}

impl<R, F: Fn() -> R> Drop for Again<R, F> {
    fn drop(&mut self) {
        if !self.done {
            in_drop(&self.last);
        }
    }
}

/// Runs `last`, over which a rule may panic, in a destructor. The panic goes on, unless one does already: two would end the process.
pub(crate) fn in_drop<R>(last: impl FnOnce() -> R) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(last))
        && !thread::panicking()
    {
        resume_unwind(panic);
    }
}

/// Removes what the process has under `key`. Answers whether there was a live entry.
pub(crate) fn evict_local(cache: &Cache, key: &Key) -> bool {
    // dropped where no lock is held
    let mut dropped = Dropped::new();
    let remove = || cache.store().remove(key, &mut dropped);
    cache.flights().invalidate(key, remove)
}

/// Runs `store`, which stores a value under `key` that is newer than what the `tier` has there, if there is one. If a rule panics over it,
/// that is evicted as soon as can be, and the panic goes on.
pub(crate) fn or_evict<R>(
    cache: &Cache,
    key: &Key,
    tier: Option<&SharedTier>,
    store: impl FnOnce() -> R,
) -> R {
    let Some(tier) = tier else {
        return store();
    };
    catch_unwind(AssertUnwindSafe(store)).unwrap_or_else(|panic| {
        tier.evict_later(key);
        // what a look-up took over from there meanwhile
        let _ = catch_unwind(AssertUnwindSafe(|| evict_local(cache, key)));
        resume_unwind(panic)
    })
}

/// The shared tier, if it can have something under `key`; `portable`: the function's values can go there.
fn tier_of<'a>(cache: &'a Cache, key: &Key, portable: bool) -> Option<&'a SharedTier> {
    cache.shared().filter(|_| portable && cache.can_share(key))
}

pub(crate) fn evict_key(cache: &Cache, key: &Key, portable: bool) -> Result<bool> {
    let Some(tier) = tier_of(cache, key, portable) else {
        return Ok(evict_local(cache, key));
    };
    let mut removed = tier.after(|| Change::Key(key.clone()), || evict_local(cache, key));
    let shared = tier.evict(key);
    removed |= evict_local(cache, key);
    removed |= shared?;
    Ok(removed)
}

pub(crate) async fn evict_key_async(cache: &Cache, key: &Key, portable: bool) -> Result<bool> {
    let Some(tier) = tier_of(cache, key, portable) else {
        return Ok(evict_local(cache, key));
    };
    let mut removed = tier.after(|| Change::Key(key.clone()), || evict_local(cache, key));
    let again = Again::new(|| evict_local(cache, key));
    let shared = tier.evict_async(key).await;
    removed |= again.now();
    removed |= shared?;
    Ok(removed)
}

/// What the process has under `key` is good no more, but may stand in for a value that can't be had; if it has no such part of its
/// lifetime, it goes. Answers whether it was good.
fn expire_local(cache: &Cache, key: &Key, values: &ValueType) -> bool {
    let now = cache.clock().now();
    let expire = |entry: Entry<'_>| {
        let age = values.age(entry)?;
        let outlives = entry.deadline() > age.end();
        outlives.then(|| age.expire(now))
    };
    // dropped where no lock is held
    let mut dropped = Dropped::new();
    cache.flights().invalidate(key, || {
        let expired = cache.store().peek_key(key, expire).flatten();
        expired.unwrap_or_else(|| cache.store().remove(key, &mut dropped))
    })
}

/// Whether what the process has under `key` is good.
fn is_good(cache: &Cache, key: &Key, values: &ValueType) -> bool {
    let good = |entry: Entry<'_>| values.is_good(entry, cache.clock());
    cache.store().peek_key(key, good).unwrap_or(false)
}

/// Whether what was found in the shared tier is good: its eviction says no more than that there was something, which may only stand in.
fn was_good(found: Result<Option<Found>>) -> bool {
    found.is_ok_and(|found| found.is_some_and(|found| !found.is_stale()))
}

/// The shared tier keeps nothing of what is expired: other processes would go on to serve it.
pub(crate) fn expire_key(cache: &Cache, key: &Key, values: &ValueType) -> Result<bool> {
    let expire = || expire_local(cache, key, values);
    let Some((tier, codec)) = cache.shared_for(key, values.codec) else {
        return Ok(expire());
    };
    let mut expired = is_good(cache, key, values) || was_good(tier.get(key, codec));
    expired |= tier.after(|| Change::Key(key.clone()), expire);
    let shared = tier.evict(key);
    expired |= expire();
    shared.map(|_| expired)
}

/// As [`expire_key`], without blocking.
pub(crate) async fn expire_key_async(cache: &Cache, key: &Key, values: &ValueType) -> Result<bool> {
    let expire = || expire_local(cache, key, values);
    let Some((tier, codec)) = cache.shared_for(key, values.codec) else {
        return Ok(expire());
    };
    // asked first: of a caller who goes away from there, nothing is expired by half
    let mut expired = is_good(cache, key, values) || was_good(tier.get_async(key, codec).await);
    expired |= tier.after(|| Change::Key(key.clone()), expire);
    let again = Again::new(expire);
    let shared = tier.evict_async(key).await;
    expired |= again.now();
    shared.map(|_| expired)
}

impl<'a, K: Serialize> Operation<'a> for Evict<'a, K> {
    type Output = Result<bool>;

    fn begin(self) -> Begun<'a, Result<bool>> {
        let cache = self.cache;
        match key(&self.scope, &self.key) {
            Err(error) => Begun::Done(Err(error)),
            Ok(key) if cache.shared().is_none() => Begun::Done(evict_key(cache, &key, true)),
            Ok(key) => Begun::Waits(Box::pin(
                async move { evict_key_async(cache, &key, true).await },
            )),
        }
    }
}

awaitable!(Evict<'a, K: Serialize> -> bool);

/// [`Cache::evict_by_scope`], to be carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct EvictByScope<'a> {
    cache: &'a Cache,
    scope: Scope,
}

impl<'a> EvictByScope<'a> {
    pub(crate) fn new(cache: &'a Cache, scope: Scope) -> Self {
        Self { cache, scope }
    }

    /// Removes them. Answers how many live entries there were.
    ///
    /// # Errors
    ///
    /// What the shared tier said if it failed; the process has forgotten the values all the same.
    pub fn run(self) -> Result<u64> {
        let Some(tier) = self.tier() else {
            return Ok(self.local().entries);
        };
        let _under_way = self.under_way();
        let removed = tier.after(|| self.change(), || self.local());
        let shared = tier.evict_by_scope(&self.scope);
        self.local();
        Ok(removed.local + shared?)
    }

    /// The shared tier, if it can have something in the scope.
    fn tier(&self) -> Option<&'a SharedTier> {
        self.cache
            .shared()
            .filter(|tier| tier.can_hide(self.scope.level()))
    }

    fn change(&self) -> Change {
        Change::Scope(self.scope.clone())
    }

    /// Until it is over, what a look-up finds in either tier may be about to go.
    fn under_way(&self) -> UnderWay {
        self.cache.flights().evicting(self.scope.clone())
    }

    fn local(&self) -> Removed {
        let _under_way = self.under_way();
        self.cache.store().remove_scope(&self.scope)
    }
}

impl<'a> Operation<'a> for EvictByScope<'a> {
    type Output = Result<u64>;

    fn begin(self) -> Begun<'a, Result<u64>> {
        let Some(tier) = self.tier() else {
            return Begun::Done(self.run());
        };
        Begun::Waits(Box::pin(async move {
            let _under_way = self.under_way();
            let removed = tier.after(|| self.change(), || self.local());
            let again = Again::new(|| self.local());
            let shared = tier.evict_by_scope_async(&self.scope).await;
            again.now();
            Ok(removed.local + shared?)
        }))
    }
}

awaitable!(EvictByScope<'a> -> u64);

/// [`Cache::clear`], to be carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct Clear<'a> {
    cache: &'a Cache,
}

impl<'a> Clear<'a> {
    pub(crate) fn new(cache: &'a Cache) -> Self {
        Self { cache }
    }

    /// Removes everything.
    ///
    /// # Errors
    ///
    /// What the shared tier said if it failed; the process has forgotten everything all the same.
    pub fn run(self) -> Result<()> {
        let Some(tier) = self.cache.shared() else {
            self.local();
            return Ok(());
        };
        let _under_way = self.under_way();
        self.first(tier);
        let shared = tier.clear();
        self.last();
        shared
    }

    fn under_way(&self) -> UnderWay {
        self.cache.flights().evicting(Scope::global())
    }

    fn local(&self) {
        let _under_way = self.under_way();
        self.cache.store().clear();
    }

    /// What is done ahead of asking the `tier`.
    fn first(&self, tier: &SharedTier) {
        // forgotten once more if a rule panics
        let are_told = Cell::new(false);
        let forget = || {
            if are_told.replace(true) {
                self.last();
            } else {
                self.local();
            }
        };
        tier.after(|| Change::All, forget);
    }

    /// What look-ups took over from the tier meanwhile goes by itself: that everything has gone the rules are told once.
    fn last(&self) {
        EvictByScope::new(self.cache, Scope::global()).local();
    }
}

impl<'a> Operation<'a> for Clear<'a> {
    type Output = Result<()>;

    fn begin(self) -> Begun<'a, Result<()>> {
        let Some(tier) = self.cache.shared() else {
            return Begun::Done(self.run());
        };
        Begun::Waits(Box::pin(async move {
            let _under_way = self.under_way();
            self.first(tier);
            let again = Again::new(|| self.last());
            let shared = tier.clear_async().await;
            again.now();
            shared
        }))
    }
}

awaitable!(Clear<'a> -> ());

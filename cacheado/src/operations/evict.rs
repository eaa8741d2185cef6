//! Removing: one key, a scope, everything.

use std::cell::Cell;

use cacheado_backends::memory::Removed;
use cacheado_backends::{Result, Scope};
use serde::Serialize;

use super::{Begun, Operation, awaitable, key};
use crate::cache::Cache;
use crate::evict::{Again, evict_key, evict_local};
use crate::flight::UnderWay;
use crate::shared::{Eviction, SharedTier};
use crate::way::{Way, blocking};

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

    /// The scope of the key; global by default.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Removes the entry. Returns whether there was a live one.
    ///
    /// # Errors
    ///
    /// [`Error::Key`](crate::Error::Key) if the key fails to serialize. [`Error::Backend`](crate::Error::Backend) if the shared tier
    /// failed: the value is removed from the process all the same, and the eviction is sent to the shared tier later.
    pub fn run(self) -> Result<bool> {
        let key = key(&self.scope, &self.key)?;
        blocking(|way| evict_key(way, self.cache, &key, true))
    }
}

impl<'a, K: Serialize> Operation<'a> for Evict<'a, K> {
    type Output = Result<bool>;

    fn begin(self) -> Begun<'a, Result<bool>> {
        let cache = self.cache;
        match key(&self.scope, &self.key) {
            Err(error) => Begun::Done(Err(error)),
            Ok(key) if cache.shared().is_none() => Begun::Done(Ok(evict_local(cache, &key))),
            Ok(key) => Begun::Waits(Box::pin(async move {
                evict_key(Way::Async, cache, &key, true).await
            })),
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

    /// Removes the entries. Returns the number of live ones removed; with a shared tier, as [`Cache::evict_by_scope`] says.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`](crate::Error::Backend) if the shared tier failed: the values are removed from the process all the same, and
    /// the eviction is sent to the shared tier later.
    pub fn run(self) -> Result<u64> {
        match self.tier() {
            None => Ok(self.local().entries),
            Some(tier) => blocking(|way| self.everywhere(way, tier)),
        }
    }

    async fn everywhere(self, way: Way, tier: &SharedTier) -> Result<u64> {
        let _under_way = self.under_way();
        let removed = tier.after(|| self.eviction(), || self.local());
        let again = Again::new(|| self.local());
        let shared = tier.evict_by_scope(way, &self.scope).await;
        again.now();
        Ok(removed.local + shared?)
    }

    /// The shared tier, if it can have entries in the scope.
    fn tier(&self) -> Option<&'a SharedTier> {
        self.cache
            .shared()
            .filter(|tier| tier.can_hide(self.scope.level()))
    }

    fn eviction(&self) -> Eviction {
        Eviction::Scope(self.scope.clone())
    }

    /// Marks the scope as being evicted: until the guard is dropped, a lookup in either tier may find an entry that is about to be
    /// removed.
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
        match self.tier() {
            None => Begun::Done(self.run()),
            Some(tier) => Begun::Waits(Box::pin(self.everywhere(Way::Async, tier))),
        }
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
    /// [`Error::Backend`](crate::Error::Backend) if the shared tier failed: everything is removed from the process all the same, and
    /// the eviction is sent to the shared tier later.
    pub fn run(self) -> Result<()> {
        match self.cache.shared() {
            None => {
                self.local();
                Ok(())
            }
            Some(tier) => blocking(|way| self.everywhere(way, tier)),
        }
    }

    async fn everywhere(self, way: Way, tier: &SharedTier) -> Result<()> {
        let _under_way = self.under_way();
        self.first(tier);
        let again = Again::new(|| self.last());
        let shared = tier.clear(way).await;
        again.now();
        shared
    }

    fn under_way(&self) -> UnderWay {
        self.cache.flights().evicting(Scope::global())
    }

    fn local(&self) {
        let _under_way = self.under_way();
        self.cache.store().clear();
    }

    /// Clears the process, before the `tier` is asked.
    fn first(&self, tier: &SharedTier) {
        // if a rule panics, the process is cleared once more
        let are_told = Cell::new(false);
        let forget = || {
            if are_told.replace(true) {
                self.last();
            } else {
                self.local();
            }
        };
        tier.after(|| Eviction::All, forget);
    }

    /// Removes what lookups have copied from the tier meanwhile, as an eviction: the rules are told of a `clear` only once.
    fn last(&self) {
        EvictByScope::new(self.cache, Scope::global()).local();
    }
}

impl<'a> Operation<'a> for Clear<'a> {
    type Output = Result<()>;

    fn begin(self) -> Begun<'a, Result<()>> {
        match self.cache.shared() {
            None => Begun::Done(self.run()),
            Some(tier) => Begun::Waits(Box::pin(self.everywhere(Way::Async, tier))),
        }
    }
}

awaitable!(Clear<'a> -> ());

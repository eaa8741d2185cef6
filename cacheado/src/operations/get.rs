//! Reading a value.

use std::marker::PhantomData;

use cacheado_backends::memory::Store;
use cacheado_backends::{Entry, Error, Key, Result, Scope, Space};
use serde::Serialize;

use super::{Begun, Operation, awaitable, key, probe};
use crate::aging::Aging;
use crate::cache::Cache;
use crate::counters::Event;
use crate::flight::{FlightKind, Ticket};
use crate::outcome::Storable;
use crate::shared::{Found, SharedTier};
use crate::value::{Codec, Typed, unboxed};
use crate::way::{Way, blocking};

/// [`Cache::get`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct Get<'a, T, K> {
    cache: &'a Cache,
    key: K,
    scope: Scope,
    value: PhantomData<fn() -> T>,
}

impl<'a, T: Storable, K: Serialize> Get<'a, T, K> {
    pub(crate) fn new(cache: &'a Cache, key: K) -> Self {
        Self {
            cache,
            key,
            scope: Scope::global(),
            value: PhantomData,
        }
    }

    /// The scope of the key; global by default.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Returns the value, if there is one. A failing shared tier is counted, and is a miss.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`] if it was stored as another type, [`Error::Key`] if the key fails to serialize.
    pub fn run(self) -> Result<Option<T>> {
        match self.in_process()? {
            Some(value) => Ok(Some(value)),
            None => {
                let Some(tier) = self.cache.shared() else {
                    return Ok(None);
                };
                let key = key(&self.scope, &self.key)?;
                if !self.cache.can_share(&key) {
                    self.cache.count(&key, Event::Miss);
                    return Ok(None);
                }
                blocking(|way| LookUp::new(self.cache, &key, way).of(way, tier))
            }
        }
    }

    /// Looks in the process. Counts the lookup, if that decides it.
    fn in_process(&self) -> Result<Option<T>> {
        let space = Space::programmatic(self.scope.level());
        if !self.cache.is_enabled() {
            self.cache.count_space(space, Event::Miss);
            return Ok(None);
        }
        let probe = probe(&self.scope, &self.key)?;
        let found = self.cache.store().get::<T, _, _>(&probe, |entry| {
            entry.value::<T>().cloned().ok_or_else(|| entry.type_name())
        });
        let is_copy = |store: &Store| store.peek(&probe, |entry| entry.is_copy());
        let serves = |_: &_| self.cache.is_in_process() && !self.cache.doubts(is_copy);
        match found.filter(serves) {
            Some(Ok(value)) => {
                self.cache.count_space(space, Event::Hit);
                Ok(Some(value))
            }
            Some(Err(stored)) => {
                self.cache.count_space(space, Event::Miss);
                Err(Error::TypeMismatch {
                    key: key(&self.scope, &self.key)?.to_string(),
                    stored: stored.to_owned(),
                    requested: std::any::type_name::<T>(),
                })
            }
            None => {
                if self.cache.shared().is_none() {
                    self.cache.count_space(space, Event::Miss);
                }
                Ok(None)
            }
        }
    }
}

/// A lookup in the shared tier. It is counted by its result when it is over, or as a miss if its caller goes away before.
struct LookUp<'a> {
    cache: &'a Cache,
    key: &'a Key,
    /// Notices invalidations meanwhile.
    ticket: Ticket,
    event: Event,
}

impl<'a> LookUp<'a> {
    fn new(cache: &'a Cache, key: &'a Key, way: Way) -> Self {
        let flights = cache.flights();
        Self {
            cache,
            key,
            ticket: flights.beside(key, FlightKind::Load, way),
            event: Event::Miss,
        }
    }

    /// Asks the `tier`.
    async fn of<T: Storable>(self, way: Way, tier: &SharedTier) -> Result<Option<T>> {
        let (cache, key) = (self.cache, self.key);
        // an entry that a rule has just dropped must not be found
        cache.evict_chosen(way).await;
        let codec = Codec::of::<T>();
        let found = tier
            .get(way, key, codec, cache.wanted(key, &Aging::NONE))
            .await;
        let kept = self.keep(found);
        cache.evict_chosen(way).await;
        kept
    }

    /// Copies the shared entry into the process, unless it was invalidated meanwhile.
    fn keep<T: Storable>(mut self, found: Result<Option<Found>>) -> Result<Option<T>> {
        let found = match found {
            Ok(Some(found)) if !found.is_stale() => found,
            Err(error @ Error::TypeMismatch { .. }) => return Err(error),
            // a failure counts as nothing
            Err(_) => {
                let doubted = self.doubted();
                if doubted.is_some() {
                    self.event = Event::Hit;
                }
                return Ok(doubted);
            }
            Ok(_) => return Ok(None),
        };
        self.event = Event::Hit;
        let values = Typed::<T>::PORTABLE.values;
        self.cache
            .take_over(&self.ticket, values, &found, &Aging::NONE);
        Ok(Some(unboxed(found.value)))
    }
}

impl LookUp<'_> {
    /// The value in the process, if it was skipped only because it is [doubted](Cache::doubts): if the shared tier fails, it is better
    /// than nothing.
    fn doubted<T: Storable>(&self) -> Option<T> {
        let value = |entry: Entry<'_>| entry.value::<T>().cloned();
        let doubted = self.cache.doubts_key(self.key);
        let found = doubted.then(|| self.cache.store().peek_key(self.key, value))??;
        self.cache.serves_for_want_of_better(self.key);
        found
    }
}

impl Drop for LookUp<'_> {
    fn drop(&mut self) {
        self.cache.count(self.key, self.event);
    }
}

impl<'a, T: Storable, K: Serialize> Operation<'a> for Get<'a, T, K> {
    type Output = Result<Option<T>>;

    fn begin(self) -> Begun<'a, Result<Option<T>>> {
        match self.in_process() {
            Ok(None) => {}
            done => return Begun::Done(done),
        }
        let cache = self.cache;
        let Some(tier) = cache.shared() else {
            return Begun::Done(Ok(None));
        };
        match key(&self.scope, &self.key) {
            Err(error) => Begun::Done(Err(error)),
            Ok(key) if !cache.can_share(&key) => {
                cache.count(&key, Event::Miss);
                Begun::Done(Ok(None))
            }
            Ok(key) => Begun::Waits(Box::pin(async move {
                let way = Way::Async;
                LookUp::new(cache, &key, way).of(way, tier).await
            })),
        }
    }
}

awaitable!(Get<'a, T: Storable, K: Serialize> -> Option<T>);

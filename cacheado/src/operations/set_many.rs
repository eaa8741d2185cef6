//! Storing many values at once.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use cacheado_backends::backend::Payload;
use cacheado_backends::{Error, Key, Result, Scope};
use serde::Serialize;

use super::{Begun, Operation, awaitable, key};
use crate::cache::Cache;
use crate::evict::{Evictions, in_drop};
use crate::flight::Ticket;
use crate::outcome::Storable;
use crate::put::{Put, ToTell, forget_older, is_to_go};
use crate::shared::{Answers, SharedTier};
use crate::value::{AnyValue, Typed, ValueType};
use crate::way::{Way, blocking};

/// [`Cache::set_many`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct SetMany<'a, K> {
    cache: &'a Cache,
    entries: Vec<(K, &'a AnyValue)>,
    values: &'static ValueType,
    scope: Scope,
    ttl: Option<Duration>,
}

impl<'a, K: Serialize> SetMany<'a, K> {
    pub(crate) fn new<T: Storable>(
        cache: &'a Cache,
        entries: impl IntoIterator<Item = (K, &'a T)>,
    ) -> Self {
        let entries = entries.into_iter();
        Self {
            cache,
            entries: entries
                .map(|(key, value)| (key, value as &AnyValue))
                .collect(),
            values: Typed::<T>::PORTABLE.values,
            scope: Scope::global(),
            ttl: None,
        }
    }

    /// The scope of the keys; global by default.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// How long the values live; without it, or with [`Duration::MAX`], until evicted. With zero none is stored, and what was stored
    /// under the keys is removed.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Stores the values. Returns for each, in their order, whether it was stored.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] if one of the keys fails to serialize; then none is stored. With a shared tier, [`Error::Codec`] if a value
    /// can't be encoded for it, and [`Error::Backend`] if it failed; the process has the values all the same, except those that a
    /// concurrent operation has overtaken.
    pub fn run(self) -> Result<Vec<bool>> {
        let puts = self.store(Way::Blocking)?;
        match self.cache.shared() {
            None => puts.finish(),
            Some(tier) => blocking(|way| puts.tell(way, tier)),
        }
    }

    /// Stores the values in the process. Of a repeated key the last value counts.
    fn store(&self, way: Way) -> Result<Puts<'a>> {
        let mut puts = Puts::new(self.cache, self.entries.len());
        if !self.cache.is_enabled() {
            return Ok(puts);
        }
        let keys = self.entries.iter().map(|(it, _)| key(&self.scope, it));
        let keys = keys.collect::<Result<Vec<Key>>>()?;
        let last: HashMap<&Key, usize> = keys.iter().zip(0..).collect();
        for (nth, (key, (_, value))) in keys.iter().zip(&self.entries).enumerate() {
            if last[key] != nth {
                continue;
            }
            let put = Put {
                cache: self.cache.clone(),
                key: key.clone(),
                values: self.values,
                span: self.cache.aging_of(None).span(self.ttl),
            };
            let store = AssertUnwindSafe(|| put.store(way, *value));
            let (ticket, stored) = catch_unwind(store).unwrap_or_else(|panic| {
                // for the keys before it the shared tier has older values, for those after it the process as well
                let all = Evictions::everywhere(self.cache, keys.clone());
                let _ = catch_unwind(AssertUnwindSafe(|| drop(all)));
                resume_unwind(panic)
            });
            puts.stored[nth] = stored.stored;
            puts.add(put.key, ticket, stored.to_tell);
        }
        puts.stored = keys.iter().map(|key| puts.stored[last[key]]).collect();
        Ok(puts)
    }
}

/// Values that are stored in the process, and what the shared tier must be told of them.
struct Puts<'a> {
    stored: Vec<bool>,
    payloads: Vec<(Key, Payload)>,
    /// Keys whose new value was not stored. Their old values must go from all tiers.
    rejected: Vec<Key>,
    newer: Newer<'a>,
    failed: Option<Error>,
}

/// Values that are newer than those of the shared tier, until it has been told. When this is dropped, then or because its caller goes
/// away, the older values that lookups have copied from the tier meanwhile are removed.
struct Newer<'a> {
    cache: &'a Cache,
    /// One for each payload.
    sealed: Vec<Ticket>,
    /// One for each value that the shared tier can't have.
    unsealed: Vec<Ticket>,
}

impl Drop for Newer<'_> {
    fn drop(&mut self) {
        for ticket in self.sealed.iter().chain(&self.unsealed) {
            in_drop(|| forget_older(self.cache, ticket));
        }
    }
}

impl<'a> Puts<'a> {
    /// For `len` values, none of which is stored yet.
    fn new(cache: &'a Cache, len: usize) -> Self {
        Self {
            stored: vec![false; len],
            payloads: Vec::new(),
            rejected: Vec::new(),
            newer: Newer {
                cache,
                sealed: Vec::new(),
                unsealed: Vec::new(),
            },
            failed: None,
        }
    }

    fn add(&mut self, key: Key, ticket: Ticket, to_tell: Option<ToTell>) {
        match to_tell {
            None => {}
            Some(ToTell::Put(payload)) => {
                self.payloads.push((key, payload));
                self.newer.sealed.push(ticket);
            }
            Some(ToTell::Rejected) => self.rejected.push(key),
            Some(ToTell::Unsealed(error)) => {
                self.newer.unsealed.push(ticket);
                self.failed.get_or_insert(error);
            }
        }
    }

    /// Keeps the first failure, which is the result.
    fn note(&mut self, told: Result<()>) {
        if let Err(error) = told {
            self.failed.get_or_insert(error);
        }
    }

    fn note_all(&mut self, told: Answers<()>) {
        for (_, told) in told {
            self.note(told);
        }
    }

    /// Evicts the keys that something else has changed while the tier was `told`. The failure of one part of the store says nothing
    /// about the others.
    fn crossed(&self, told: &Answers<()>) -> Evictions<'a> {
        let tickets = told.iter().flat_map(|(places, told)| {
            let tickets = places.iter().map(|&place| &self.newer.sealed[place]);
            tickets.filter(move |ticket| is_to_go(ticket, told))
        });
        let keys = tickets.map(|ticket| ticket.key().clone()).collect();
        Evictions::everywhere(self.newer.cache, keys)
    }

    fn rejected(&mut self) -> Evictions<'a> {
        Evictions::everywhere(self.newer.cache, std::mem::take(&mut self.rejected))
    }

    /// Evicts the old values of those that the tier can't have.
    fn unsealed(&self) -> Evictions<'a> {
        let unsealed = self.newer.unsealed.iter();
        let keys = unsealed.map(|ticket| ticket.key().clone()).collect();
        Evictions::from_shared(self.newer.cache, keys)
    }

    /// Tells the `tier` of the values.
    async fn tell(mut self, way: Way, tier: &SharedTier) -> Result<Vec<bool>> {
        // before the first await, because the caller may go away
        let (rejected, unsealed) = (self.rejected(), self.unsealed());
        let told = tier.put_many(way, &self.payloads).await;
        let crossed = self.crossed(&told);
        self.note_all(told);
        for evictions in [crossed, rejected, unsealed] {
            self.note(evictions.run(way).await);
        }
        self.newer.cache.evict_chosen(way).await;
        self.finish()
    }

    fn finish(self) -> Result<Vec<bool>> {
        self.failed.map_or(Ok(self.stored), Err)
    }
}

impl<'a, K: Serialize> Operation<'a> for SetMany<'a, K> {
    type Output = Result<Vec<bool>>;

    fn begin(self) -> Begun<'a, Self::Output> {
        let puts = match self.store(Way::Async) {
            Ok(puts) => puts,
            Err(error) => return Begun::Done(Err(error)),
        };
        match self.cache.shared() {
            None => Begun::Done(puts.finish()),
            Some(tier) => Begun::Waits(Box::pin(puts.tell(Way::Async, tier))),
        }
    }
}

awaitable!(SetMany<'a, K: Serialize> -> Vec<bool>);

//! Storing a value that nobody loaded: `set`, `put!`.

use cacheado_backends::backend::Payload;
use cacheado_backends::memory::{Dropped, Inserted};
use cacheado_backends::{Key, Result};

use crate::aging::Span;
use crate::cache::Cache;
use crate::evict::{Again, evict_key, evict_key_async, evict_local, or_evict};
use crate::flight::{Crossing, FlightKind, Keeping, Ticket};
use crate::value::{AnyValue, ValueType};

/// Where a value goes, and how long it lives there.
pub(crate) struct Put {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
    pub(crate) values: &'static ValueType,
    pub(crate) span: Span,
}

impl Put {
    /// Stores `value` by blocking. Answers whether it was stored.
    pub(crate) fn run(&self, value: &AnyValue) -> Result<bool> {
        let (ticket, Stored { stored, write }) = self.store(value, true);
        if let Some((tier, write)) = self.cache.shared().zip(write) {
            let forget = Again::new(|| self.forget_older(&ticket, stored));
            let told = match &write {
                Ok(Some(payload)) => tier.put(&self.key, payload, None),
                // the older value goes in any case, also where a look-up brings it to meanwhile
                Ok(None) => evict_key(&self.cache, &self.key, true),
                Err(_) => tier.evict(&self.key),
            };
            if stored && is_to_go(&ticket, &told) {
                evict_key(&self.cache, &self.key, true)?;
            }
            forget.now();
            told?;
            self.cache.evict_chosen();
            write?;
        }
        Ok(stored)
    }

    /// Stores `value` without blocking. Answers whether it was stored.
    pub(crate) async fn run_async(&self, value: &AnyValue) -> Result<bool> {
        let (ticket, Stored { stored, write }) = self.store(value, false);
        if let Some((tier, write)) = self.cache.shared().zip(write) {
            // its caller may go away
            let forget = Again::new(|| self.forget_older(&ticket, stored));
            let told = match &write {
                Ok(Some(payload)) => tier.put_async(&self.key, payload, None).await,
                Ok(None) => evict_key_async(&self.cache, &self.key, true).await,
                Err(_) => tier.evict_async(&self.key).await,
            };
            if stored && is_to_go(&ticket, &told) {
                evict_key_async(&self.cache, &self.key, true).await?;
            }
            forget.now();
            told?;
            self.cache.evict_chosen_async().await;
            write?;
        }
        Ok(stored)
    }

    /// Stores `value` in the process, over any load that is under way. Returns what tells whether another put or an eviction comes
    /// while the shared tier is told.
    pub(crate) fn store(&self, value: &AnyValue, blocking: bool) -> (Ticket, Stored) {
        let flights = self.cache.flights();
        let ticket = flights.beside(&self.key, FlightKind::Put, blocking);
        let stored = self.local(&ticket, value);
        (ticket, stored)
    }

    fn forget_older(&self, ticket: &Ticket, stored: bool) {
        if stored {
            forget_older(&self.cache, ticket);
        }
    }

    fn local(&self, ticket: &Ticket, value: &AnyValue) -> Stored {
        let cache = &self.cache;
        let tier = cache.shared_for(&self.key, self.values.codec);
        let entry = cache.entry(&self.key, self.values, value, &self.span, tier.is_some());
        let told = tier.map(|(tier, _)| tier);
        // dropped where no lock is held
        let mut dropped = Dropped::new();
        let inserted = or_evict(cache, &self.key, told, || {
            ticket.put(true, Keeping::Here, |_| {
                cache.store_local(entry, &self.span, &mut dropped)
            })
        });
        cache.rests().end(&self.key, cache.clock());
        drop(dropped);
        match inserted {
            Some(Inserted::Stored(lifetime)) => Stored {
                // if there is anywhere to store it
                stored: cache.is_in_process() || tier.is_some(),
                write: tier.map(|(tier, codec)| {
                    let sealed = tier.seal(&self.key, codec, value, lifetime, &self.span);
                    sealed.map(Some)
                }),
            },
            Some(Inserted::Rejected(_) | Inserted::Ephemeral) | None => Stored {
                stored: false,
                write: tier.map(|_| Ok(None)),
            },
        }
    }
}

/// Whether a value that was put is to go from everywhere again, now that the shared tier was told: another put or an eviction came
/// meanwhile, and which of the two the tier saw last is not known; or the tier could not be told, and what is there was looked up.
pub(crate) fn is_to_go<T>(ticket: &Ticket, told: &Result<T>) -> bool {
    match ticket.crossing() {
        Crossing::Outdated => true,
        Crossing::LookedUp => told.is_err(),
        Crossing::Nothing => false,
    }
}

/// Removes from the process what a look-up may have brought there while the shared tier was told of something newer, of which that
/// doesn't tell this process.
pub(crate) fn forget_older(cache: &Cache, ticket: &Ticket) {
    if ticket.crossing() != Crossing::Nothing {
        evict_local(cache, ticket.key());
    }
}

/// What has come of a put in the process.
pub(crate) struct Stored {
    pub(crate) stored: bool,
    /// What the shared tier is to have, if anything; `Err` if the value can't go there.
    pub(crate) write: Option<Result<Option<Payload>>>,
}

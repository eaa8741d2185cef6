//! Storing a value that was not loaded: `set`, `put!`.

use cacheado_backends::backend::Payload;
use cacheado_backends::memory::{Dropped, Inserted};
use cacheado_backends::{Error, Key, Result};

use crate::aging::Span;
use crate::cache::Cache;
use crate::evict::{Again, evict_key, evict_local, or_evict};
use crate::flight::{Crossing, FlightKind, Keeping, Ticket};
use crate::value::{AnyValue, ValueType};
use crate::way::Way;

/// Where a value goes, and how long it lives there.
pub(crate) struct Put {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
    pub(crate) values: &'static ValueType,
    pub(crate) span: Span,
}

impl Put {
    /// Stores `value`. Returns whether it was stored.
    pub(crate) async fn run(&self, way: Way, value: &AnyValue) -> Result<bool> {
        let (ticket, Stored { stored, to_tell }) = self.store(way, value);
        let Some((tier, to_tell)) = self.cache.shared().zip(to_tell) else {
            return Ok(stored);
        };
        // its caller may go away
        let forget = Again::new(|| self.forget_older(&ticket, stored));
        let told = match &to_tell {
            ToTell::Put(payload) => tier.put(way, &self.key, payload, None).await,
            // the older value goes in any case, also from where a lookup copies it meanwhile
            ToTell::Rejected => evict_key(way, &self.cache, &self.key, true).await,
            ToTell::Unsealed(_) => tier.evict(way, &self.key).await,
        };
        if stored && is_to_go(&ticket, &told) {
            evict_key(way, &self.cache, &self.key, true).await?;
        }
        forget.now();
        told?;
        self.cache.evict_chosen(way).await;
        to_tell.unsealed().map_or(Ok(stored), Err)
    }

    /// Stores `value` in the process, over any load that is under way. The returned ticket tells whether another put or an eviction
    /// comes while the shared tier is told.
    pub(crate) fn store(&self, way: Way, value: &AnyValue) -> (Ticket, Stored) {
        let flights = self.cache.flights();
        let ticket = flights.beside(&self.key, FlightKind::Put, way);
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
        let told = tier.map(|(tier, _)| tier);
        let (key, span) = (&self.key, &self.span);
        let inserted = cache.with_entry(key, self.values, value, span, tier.is_some(), |entry| {
            or_evict(cache, key, told, || {
                // dropped outside the locks
                let mut dropped = Dropped::new();
                ticket.put(true, Keeping::Here, |_| {
                    cache.store_local(entry, span, &mut dropped)
                })
            })
        });
        cache.rests().end(&self.key, cache.clock());
        match inserted {
            Some(Inserted::Stored(lifetime)) => Stored {
                // if there is a tier to store it in
                stored: cache.is_in_process() || tier.is_some(),
                to_tell: tier.map(|(tier, codec)| {
                    let sealed = tier.seal(&self.key, codec, value, lifetime, &self.span);
                    sealed.map_or_else(ToTell::Unsealed, ToTell::Put)
                }),
            },
            Some(Inserted::Rejected(_) | Inserted::Ephemeral) | None => Stored {
                stored: false,
                to_tell: tier.map(|_| ToTell::Rejected),
            },
        }
    }
}

/// Whether a value that was put must be evicted everywhere, now that the shared tier was told. Either another put or an eviction came
/// meanwhile, and it is unknown which of the two the tier saw last. Or the tier could not be told, and its entry was looked up.
pub(crate) fn is_to_go<T>(ticket: &Ticket, told: &Result<T>) -> bool {
    match ticket.crossing() {
        Crossing::Outdated => true,
        Crossing::LookedUp => told.is_err(),
        Crossing::Nothing => false,
    }
}

/// Removes an older value that a lookup may have brought into the process while the shared tier was told of a newer one. The tier does
/// not report that one to this process.
pub(crate) fn forget_older(cache: &Cache, ticket: &Ticket) {
    if ticket.crossing() != Crossing::Nothing {
        evict_local(cache, ticket.key());
    }
}

/// The result of a put in the process.
pub(crate) struct Stored {
    pub(crate) stored: bool,
    /// What the shared tier must be told, if there is one that such values go to.
    pub(crate) to_tell: Option<ToTell>,
}

/// What the shared tier must be told of a value that was put.
pub(crate) enum ToTell {
    /// To store this value.
    Put(Payload),
    /// To store nothing: the value was not stored, and the tier's entry is older.
    Rejected,
    /// To store nothing: the value can't be encoded.
    Unsealed(Error),
}

impl ToTell {
    /// Why the value can't go to the tier, if it can't.
    fn unsealed(self) -> Option<Error> {
        match self {
            Self::Unsealed(error) => Some(error),
            Self::Put(_) | Self::Rejected => None,
        }
    }
}

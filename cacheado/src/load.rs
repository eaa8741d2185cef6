//! The one path of a miss: wait for the load that is under way, or run the body and store what it returns.
//!
//! Two drivers walk it, one that blocks and one that awaits; each decision is made in a function that both call.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::Key;
use cacheado_backends::memory::Inserted;

use crate::active::Active;
use crate::cache::Cache;
use crate::counters::Event;
use crate::flight::{Boarding, FlightKind, Seat, Shared, Ticket, Wait};
use crate::outcome::{Codec, Decision, Outcome, Value};
use crate::shared::{SharedTier, Write};

/// A key that was not found, and how it is to be loaded.
pub(crate) struct Load<T> {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
    pub(crate) codec: Option<Codec<T>>,
    pub(crate) flight: Flight,
    /// Whether the look-up that led here has been counted as a miss. One that may still be a hit of the shared tier has not.
    pub(crate) counted: bool,
}

/// Whether a load is shared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flight {
    /// One load at a time, and the rest wait for it.
    Single,
    /// Each caller for itself.
    Beside,
    /// As `Beside`, and what is stored already is not asked for: the body runs in any case.
    Refresh,
}

impl<T: Value> Load<T> {
    /// Loads by blocking.
    pub(crate) fn run<R, K>(
        self,
        decide: impl FnOnce(&T) -> Decision,
        body: impl FnOnce() -> R,
    ) -> R
    where
        K: Outcome<R, Stored = T>,
    {
        let ticket = loop {
            match self.board(true) {
                Boarding::Lead(ticket) => break ticket,
                Boarding::Wait(seat) => match self.waited(seat.wait(), true) {
                    Waited::Value(value) => return K::restore(value),
                    Waited::Beside(ticket) => break ticket,
                    Waited::Again => {}
                },
            }
        };
        if let Some(value) = self.found_meanwhile(&ticket) {
            return K::restore(value);
        }
        if let Some((tier, codec)) = self.readable()
            && let Ok(Some((value, left))) = tier.get(&self.key, codec)
        {
            return K::restore(self.landed_from_shared(&ticket, value, left));
        }
        self.missed();
        self.cache.count(&self.key, Event::Load);
        let ret = {
            let _active = Active::enter(self.cache.id(), &self.key);
            body()
        };
        let settled = self.settle(&ticket, K::stored(&ret), decide);
        if let Some((tier, write)) = self.cache.shared().zip(settled.write) {
            let written = tier.write(&self.key, &write);
            if written.is_ok() && !ticket.is_valid() {
                // an invalidation came while it was being written, went first and found nothing
                let _ = tier.evict(&self.key);
            }
        }
        if let Some(shared) = settled.shared {
            ticket.land(|| shared);
        }
        ret
    }

    /// Loads by awaiting.
    pub(crate) async fn run_async<R, K>(
        self,
        decide: impl FnOnce(&T) -> Decision,
        body: impl Future<Output = R>,
    ) -> R
    where
        K: Outcome<R, Stored = T>,
    {
        let ticket = loop {
            match self.board(false) {
                Boarding::Lead(ticket) => break ticket,
                Boarding::Wait(seat) => match self.waited(landing(seat).await, false) {
                    Waited::Value(value) => return K::restore(value),
                    Waited::Beside(ticket) => break ticket,
                    Waited::Again => {}
                },
            }
        };
        if let Some(value) = self.found_meanwhile(&ticket) {
            return K::restore(value);
        }
        if let Some((tier, codec)) = self.readable()
            && let Ok(Some((value, left))) = tier.get_async(&self.key, codec).await
        {
            return K::restore(self.landed_from_shared(&ticket, value, left));
        }
        self.missed();
        self.cache.count(&self.key, Event::Load);
        let ret = {
            let mut body = pin!(body);
            poll_fn(|cx| {
                ticket.polled();
                let _active = Active::enter(self.cache.id(), &self.key);
                let _panic = LandOnPanic(&ticket);
                body.as_mut().poll(cx)
            })
            .await
        };
        let settled = self.settle(&ticket, K::stored(&ret), decide);
        if let Some((tier, write)) = self.cache.shared().zip(settled.write) {
            let written = tier.write_async(&self.key, &write).await;
            if written.is_ok() && !ticket.is_valid() {
                let _ = tier.evict_async(&self.key).await;
            }
        }
        if let Some(shared) = settled.shared {
            ticket.land(|| shared);
        }
        ret
    }

    /// Counts the look-up that led here as a miss, unless that is done.
    fn missed(&self) {
        if !self.counted {
            self.cache.count(&self.key, Event::Miss);
        }
    }

    /// Counts the look-up that led here as a hit, unless it was counted as a miss.
    fn hit(&self) {
        if !self.counted {
            self.cache.count(&self.key, Event::Hit);
        }
    }

    fn board(&self, blocking: bool) -> Boarding {
        match self.flight {
            Flight::Single => self.cache.flights().board(&self.key, blocking),
            Flight::Beside | Flight::Refresh => Boarding::Lead(self.beside(blocking)),
        }
    }

    fn beside(&self, blocking: bool) -> Ticket {
        let kind = match self.flight {
            Flight::Refresh => FlightKind::Put,
            Flight::Single | Flight::Beside => FlightKind::Load,
        };
        self.cache.flights().beside(&self.key, kind, blocking)
    }

    /// What a caller who has waited does next.
    fn waited(&self, wait: Wait, blocking: bool) -> Waited<T> {
        match wait {
            // the leader's type is this one's, unless two programmatic calls use one key for two types
            Wait::Value(shared) => match shared.downcast_ref::<T>() {
                Some(value) => {
                    self.missed();
                    Waited::Value(value.clone())
                }
                None => Waited::Beside(self.beside(blocking)),
            },
            Wait::Alone => Waited::Beside(self.beside(blocking)),
            Wait::Again => match self.stored() {
                Some(value) => {
                    self.hit();
                    Waited::Value(value)
                }
                None => Waited::Again,
            },
        }
    }

    fn stored(&self) -> Option<T> {
        self.cache
            .store()
            .get_key(&self.key, |entry| entry.value::<T>().cloned())
            .flatten()
    }

    /// Another load may have landed after this caller's look-up and before it began its own.
    fn found_meanwhile(&self, ticket: &Ticket) -> Option<T> {
        if self.flight != Flight::Single {
            return None;
        }
        let value = self.stored()?;
        self.hit();
        ticket.land(|| share(&value));
        Some(value)
    }

    /// The shared tier, if it may have the value: a refresh asks for none.
    fn readable(&self) -> Option<(&SharedTier, Codec<T>)> {
        self.shared().filter(|_| self.flight != Flight::Refresh)
    }

    fn shared(&self) -> Option<(&SharedTier, Codec<T>)> {
        self.cache.shared_for(&self.key, self.codec)
    }

    /// Keeps what the shared tier had, for as long as it lives there.
    fn landed_from_shared(&self, ticket: &Ticket, value: T, left: Option<Duration>) -> T {
        self.hit();
        let copy = value.clone();
        ticket.store(|| self.cache.store_local(&self.key, copy, left, true));
        ticket.land(|| share(&value));
        value
    }

    /// Stores what the body returned, if it is to be stored. Those who wait go on at once, if what they look for next is in the
    /// process; else once the shared tier has it.
    fn settle(
        &self,
        ticket: &Ticket,
        value: Option<&T>,
        decide: impl FnOnce(&T) -> Decision,
    ) -> Settled {
        let Some(value) = value else {
            ticket.land_empty();
            return Settled::default();
        };
        let ttl = match decide(value) {
            Decision::Store { ttl } if ttl != Some(Duration::ZERO) => ttl,
            _ => {
                ticket.land_empty();
                return self.unstored();
            }
        };
        let copy = value.clone();
        let tier = self.shared();
        let store = || {
            let portable = tier.is_some();
            self.cache.store_local(&self.key, copy, ttl, portable)
        };
        let stored = if self.flight == Flight::Refresh {
            ticket.put(false, store)
        } else {
            ticket.store(store)
        };
        // what went is dropped here, where no lock is held
        let write = match stored.map(|(inserted, _dropped)| inserted) {
            Some(Inserted::Stored(lifetime)) => tier.map(|(tier, codec)| {
                let sealed = tier.seal(&self.key, codec, value, lifetime);
                sealed.unwrap_or(Write::Evict)
            }),
            Some(Inserted::Rejected(_) | Inserted::Ephemeral) | None => self.unstored().write,
        };
        if self.cache.is_in_process() || write.is_none() {
            ticket.land(|| share(value));
            return Settled {
                write,
                shared: None,
            };
        }
        Settled {
            write,
            shared: Some(share(value)),
        }
    }

    /// A value was loaded and is not kept. If it was a refresh's, what was kept before goes: it is older than what was loaded,
    /// or than what another put stored meanwhile, and which of the two the source holds is not known.
    fn unstored(&self) -> Settled {
        if self.flight != Flight::Refresh {
            return Settled::default();
        }
        let remove = || self.cache.store().remove(&self.key);
        drop(self.cache.flights().invalidate(&self.key, remove));
        Settled {
            write: self.shared().map(|_| Write::Evict),
            shared: None,
        }
    }
}

/// What is left to be done for a loaded value.
#[derive(Default)]
struct Settled {
    /// What the shared tier is to be told.
    write: Option<Write>,
    /// What those who wait get once it is.
    shared: Option<Shared>,
}

/// What a caller who has waited does next.
enum Waited<T> {
    /// It returns this.
    Value(T),
    /// It loads by itself.
    Beside(Ticket),
    /// It looks for a load to join again.
    Again,
}

fn share<T: Value>(value: &T) -> Shared {
    Arc::new(value.clone())
}

async fn landing(seat: Seat) -> Wait {
    poll_fn(|cx| seat.poll_wait(cx)).await
}

/// A panic in a poll need not drop the future at once; those who wait are let go here.
struct LandOnPanic<'a>(&'a Ticket);

impl Drop for LandOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.land_empty();
        }
    }
}

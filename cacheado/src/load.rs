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
use crate::flight::{Boarding, Seat, Shared, Ticket, Wait};
use crate::outcome::{Codec, Decision, Outcome, Value};
use crate::shared::{SharedTier, Write};

/// A key that was not found, and how it is to be loaded.
pub(crate) struct Load<T> {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
    pub(crate) codec: Option<Codec<T>>,
    pub(crate) flight: Flight,
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
            && let Some((value, left)) = tier.get(&self.key, codec)
        {
            return K::restore(self.landed_from_shared(&ticket, value, left));
        }
        self.cache.count(&self.key, Event::Load);
        let ret = {
            let _active = Active::enter(self.cache.id(), &self.key);
            body()
        };
        let write = self.settle::<R, K>(&ticket, &ret, decide);
        if let Some((tier, write)) = self.cache.shared().zip(write) {
            let written = tier.write(&self.key, &write);
            if written.is_ok() && !ticket.is_valid() {
                // an invalidation came while it was being written, went first and found nothing
                let _ = tier.evict(&self.key);
            }
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
            && let Some((value, left)) = tier.get_async(&self.key, codec).await
        {
            return K::restore(self.landed_from_shared(&ticket, value, left));
        }
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
        let write = self.settle::<R, K>(&ticket, &ret, decide);
        if let Some((tier, write)) = self.cache.shared().zip(write) {
            let written = tier.write_async(&self.key, &write).await;
            if written.is_ok() && !ticket.is_valid() {
                let _ = tier.evict_async(&self.key).await;
            }
        }
        ret
    }

    fn board(&self, blocking: bool) -> Boarding {
        match self.flight {
            Flight::Single => self.cache.flights().board(&self.key, blocking),
            Flight::Beside | Flight::Refresh => {
                Boarding::Lead(self.cache.flights().beside(&self.key, blocking))
            }
        }
    }

    /// What a caller who has waited does next.
    fn waited(&self, wait: Wait, blocking: bool) -> Waited<T> {
        match wait {
            // the leader's type is this one's, unless two programmatic calls use one key for two types
            Wait::Value(shared) => match shared.downcast_ref::<T>() {
                Some(value) => Waited::Value(value.clone()),
                None => Waited::Beside(self.cache.flights().beside(&self.key, blocking)),
            },
            Wait::Alone => Waited::Beside(self.cache.flights().beside(&self.key, blocking)),
            Wait::Again => self.stored().map_or(Waited::Again, Waited::Value),
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
        let copy = value.clone();
        ticket.store(|| self.cache.store_local(&self.key, copy, left, true));
        ticket.land(|| share(&value));
        value
    }

    /// Stores what the body returned, if it is to be stored, and lets those who wait go on. Returns what the shared tier is to
    /// be told.
    fn settle<R, K>(
        &self,
        ticket: &Ticket,
        ret: &R,
        decide: impl FnOnce(&T) -> Decision,
    ) -> Option<Write>
    where
        K: Outcome<R, Stored = T>,
    {
        let Some(value) = K::stored(ret) else {
            ticket.land_empty();
            return None;
        };
        // what was refreshed replaces what was kept, even if it is not kept itself
        let evict = (self.flight == Flight::Refresh).then_some(Write::Evict);
        let ttl = match decide(value) {
            Decision::Store { ttl } if ttl != Some(Duration::ZERO) => ttl,
            _ => {
                if evict.is_some() {
                    self.cache
                        .flights()
                        .invalidate(&self.key, || self.cache.store().remove(&self.key));
                }
                ticket.land_empty();
                return evict;
            }
        };
        let copy = value.clone();
        let portable = self.codec.is_some();
        let store = || self.cache.store_local(&self.key, copy, ttl, portable);
        let stored = if evict.is_some() {
            ticket.put(store)
        } else {
            ticket.store(store)
        };
        ticket.land(|| share(value));
        // what went is dropped here, where no lock is held
        let (inserted, _dropped) = stored?;
        match inserted {
            Inserted::Stored(lifetime) => self
                .shared()
                .map(|(tier, codec)| tier.seal(&self.key, codec, value, lifetime)),
            Inserted::Rejected(_) | Inserted::Ephemeral => evict,
        }
    }
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

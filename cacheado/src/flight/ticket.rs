//! The leader's side of a load.

use std::sync::Arc;

use cacheado_backends::Key;
use cacheado_backends::backend::Mark;

use super::{Flight, Flights, Leader, Phase, Shared, Standing};
use crate::sync::{Instant, lock, thread};

/// What happened to a key while the shared tier was told of a value put under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crossing {
    Nothing,
    /// A lookup may have brought the older value back into the process, after the newer one had left it: evicted for lack of room, or
    /// dropped with all copies.
    LookedUp,
    /// An eviction, or another put.
    Outdated,
}

/// Where a value is stored, and who detects that it is outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// In the process, or in a shared tier that stores whatever it is given: a change that was not reported goes undetected.
    Here,
    /// In a shared tier that can tell from the load's mark which changes came after it.
    Known,
    /// In this process alone, where no other process can outdate the value.
    Alone,
}

impl Keeping {
    /// The worst standing of a load whose value may still be stored.
    fn worst(self) -> Standing {
        match self {
            Self::Here => Standing::Current,
            Self::Known => Standing::Unheard,
            Self::Alone => Standing::Unsure,
        }
    }

    /// The keeping of a value that goes to the shared tier if `is_shared`, with this mark.
    pub(crate) fn by(is_shared: bool, mark: Option<&Mark>) -> Self {
        let is_marked = mark.is_some_and(|mark| !mark.bytes().is_empty());
        match (is_shared, is_marked) {
            (false, _) => Self::Alone,
            (true, true) => Self::Known,
            (true, false) => Self::Here,
        }
    }
}

/// The right and the duty to load a key. If it is dropped without landing, the waiters go on.
pub(crate) struct Ticket {
    flights: Arc<Flights>,
    key: Key,
    flight: Arc<Flight>,
    /// The flight was removed from its lane.
    left: bool,
    /// The flight may have waiters.
    awaited: bool,
}

impl Ticket {
    pub(super) fn new(flights: Arc<Flights>, key: Key, flight: Arc<Flight>) -> Self {
        Self {
            flights,
            key,
            flight,
            left: false,
            awaited: true,
        }
    }

    /// Whether the value may still be stored where `how` says: no invalidation came since the load began, and none can have gone
    /// unnoticed. With [`Keeping::Known`] the shared tier itself decided whether to accept the value, so a later load that was stored
    /// as well, or a lookup that found a value there, does not make it invalid.
    pub(crate) fn is_valid_in(&self, how: Keeping) -> bool {
        let state = lock(&self.flight.state);
        state.standing <= how.worst() && (how != Keeping::Here || !state.superseded)
    }

    /// Whether no known change came since the load began. Changes from before reports began to arrive may be unknown here. That is
    /// good enough for what is not stored, or lives only briefly.
    pub(crate) fn is_undisturbed(&self) -> bool {
        let state = lock(&self.flight.state);
        state.standing <= Standing::Unheard && !state.superseded
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// What has happened so far to a value that was put.
    pub(crate) fn crossing(&self) -> Crossing {
        let state = lock(&self.flight.state);
        match state.standing {
            Standing::Outdated => Crossing::Outdated,
            Standing::Unheard | Standing::Unsure => Crossing::LookedUp,
            Standing::Current if state.accompanied => Crossing::LookedUp,
            Standing::Current => Crossing::Nothing,
        }
    }

    /// Records that the current thread is polling the leading future now.
    pub(crate) fn polled(&self) {
        let mut state = lock(&self.flight.state);
        state.leader = Leader::polled_here();
        state.seen = (state.waiters > 0).then(Instant::now);
    }

    /// Runs `store` and returns its result, unless an invalidation came since the load began, or may have gone unnoticed.
    pub(crate) fn store<R>(&self, store: impl FnOnce() -> R) -> Option<R> {
        self.store_as(Keeping::Here, |_| store())
    }

    /// As [`store`](Self::store), for a value stored as `how` says. The argument of `store` says whether an invalidation may have gone
    /// unnoticed. In that case the process must keep no copy.
    pub(crate) fn store_as<R>(&self, how: Keeping, store: impl FnOnce(bool) -> R) -> Option<R> {
        // an invalidation takes this lock before it removes the entry, so none can slip in between
        let mut state = lock(&self.flight.state);
        if state.accompanied {
            drop(state);
            self.flights.supersede(&self.key, &self.flight);
            state = lock(&self.flight.state);
        }
        // not `then`: that would drop what `store` captures, a value of the user's, under the locks
        if state.standing <= how.worst() && !state.superseded {
            Some(store(state.standing == Standing::Unheard))
        } else {
            None
        }
    }

    /// As [`store`](Self::store), for a value that is newer than that of any load under way: those loads discard theirs, and no new
    /// caller joins them.
    ///
    /// A put that took time to produce its value is discarded if another put came meanwhile, because it is unknown which of the two
    /// values the source holds. An `immediate` put is always the latest.
    pub(crate) fn put<R>(
        &self,
        immediate: bool,
        how: Keeping,
        put: impl FnOnce(bool) -> R,
    ) -> Option<R> {
        // taken only if it runs: what it captures, a value of the user's, must not be dropped under the locks
        let mut put = Some(put);
        self.flights.supplant(&self.key, &self.flight, || {
            let mut state = lock(&self.flight.state);
            if immediate {
                state.standing = Standing::Current;
            }
            if state.standing <= how.worst() {
                // all other loads were marked as outdated just now
                state.accompanied = false;
                put.take()
                    .map(|put| put(state.standing == Standing::Unheard))
            } else {
                None
            }
        })
    }

    /// Ends the load with a value and releases the waiters. `share` makes the value for them, and is called only if there are any.
    /// Invalidations still reach the ticket until it is dropped, but no new caller joins it.
    pub(crate) fn land(&self, share: impl FnOnce() -> Shared) {
        self.flights.overtake(&self.key, &self.flight);
        self.flight.land(share);
    }

    /// As [`land`](Self::land), for a load with nothing left to do.
    pub(crate) fn finish(mut self, share: impl FnOnce() -> Shared) {
        self.awaited = self.flights.deregister(&self.key, &self.flight);
        self.left = true;
        if self.awaited {
            self.flight.land(share);
        }
    }

    /// Ends the load with nothing to share: the waiters run the body side by side.
    pub(crate) fn land_empty(&self) {
        self.flights.overtake(&self.key, &self.flight);
        self.flight.end(Phase::Unshared);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.left {
            self.awaited = self.flights.deregister(&self.key, &self.flight);
        }
        if !self.awaited {
            return;
        }
        self.flight.end(if thread::panicking() {
            Phase::Unshared
        } else {
            Phase::Abandoned
        });
    }
}

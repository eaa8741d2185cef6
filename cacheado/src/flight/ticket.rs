//! The leader's side of a load.

use std::sync::Arc;

use cacheado_backends::Key;
use cacheado_backends::backend::Mark;

use super::{Flight, Flights, Leader, Phase, Shared, Standing};
use crate::sync::{Instant, lock, thread};

/// What has come to a value that was put, while others are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crossing {
    Nothing,
    /// A look-up may have brought the older value into the process, if the newer one had gone from there: for want of room, or since
    /// copies were given up.
    LookedUp,
    /// An eviction, or another put.
    Outdated,
}

/// Where a value is kept, and who knows of what would outdate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// In the process, or in a shared tier that takes whatever it is given: what was not heard is not known.
    Here,
    /// In the shared tier, which knows by the load's mark what the value is too old for.
    Known,
    /// In the process alone, where nobody else outdates it.
    Alone,
}

impl Keeping {
    /// What a load may have met at worst whose value is kept.
    fn worst(self) -> Standing {
        match self {
            Self::Here => Standing::Current,
            Self::Known => Standing::Unheard,
            Self::Alone => Standing::Unsure,
        }
    }

    /// Of a value that goes to a shared tier, if it does, by this mark.
    pub(crate) fn by(is_shared: bool, mark: Option<&Mark>) -> Self {
        let is_marked = mark.is_some_and(|mark| !mark.bytes().is_empty());
        match (is_shared, is_marked) {
            (false, _) => Self::Alone,
            (true, true) => Self::Known,
            (true, false) => Self::Here,
        }
    }
}

/// The right and the duty to load a key. Dropped without landing, it lets others go on.
pub(crate) struct Ticket {
    flights: Arc<Flights>,
    key: Key,
    flight: Arc<Flight>,
    /// It has left its lane.
    left: bool,
    /// Somebody may wait for it.
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

    /// Whether no invalidation has come since the load began, and none can have come unheard, of what is stored where `how` says. A store
    /// that knows what the value is too old for has what it took: a later load that was stored beside it, or a look-up that found it there,
    /// takes nothing from it.
    pub(crate) fn is_valid_in(&self, how: Keeping) -> bool {
        let state = lock(&self.flight.state);
        state.standing <= how.worst() && (how != Keeping::Here || !state.superseded)
    }

    /// Whether nothing that was heard has come since the load began. What came before changes were heard may be known to nobody here:
    /// that is enough for what is not stored, and ends soon.
    pub(crate) fn is_undisturbed(&self) -> bool {
        let state = lock(&self.flight.state);
        state.standing <= Standing::Unheard && !state.superseded
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// What has come to what was put, by now.
    pub(crate) fn crossing(&self) -> Crossing {
        let state = lock(&self.flight.state);
        match state.standing {
            Standing::Outdated => Crossing::Outdated,
            Standing::Unheard | Standing::Unsure => Crossing::LookedUp,
            Standing::Current if state.accompanied => Crossing::LookedUp,
            Standing::Current => Crossing::Nothing,
        }
    }

    /// Notes that the leading future is being polled, here and now.
    pub(crate) fn polled(&self) {
        let mut state = lock(&self.flight.state);
        state.leader = Leader::polled_here();
        state.seen = (state.waiters > 0).then(Instant::now);
    }

    /// Runs `store`, unless an invalidation has come since the load began, or can have come unheard. Returns what it returned.
    pub(crate) fn store<R>(&self, store: impl FnOnce() -> R) -> Option<R> {
        self.store_as(Keeping::Here, |_| store())
    }

    /// As [`store`](Self::store), where `how` says. `store` is told whether an invalidation can have come that was not heard: then the
    /// process is to keep no copy.
    pub(crate) fn store_as<R>(&self, how: Keeping, store: impl FnOnce(bool) -> R) -> Option<R> {
        // an invalidation waits for this lock before it removes what is stored, so none can slip in between
        let mut state = lock(&self.flight.state);
        if state.accompanied {
            drop(state);
            self.flights.supersede(&self.key, &self.flight);
            state = lock(&self.flight.state);
        }
        // not `then`: that would drop what `store` holds, a value of the user's, while the locks are held
        if state.standing <= how.worst() && !state.superseded {
            Some(store(state.standing == Standing::Unheard))
        } else {
            None
        }
    }

    /// As [`store`](Self::store), for a value that is newer than what any load under way can have: those forget theirs, and
    /// nobody joins them any more.
    ///
    /// A put that took its time is undone by another that came meanwhile, since which of the two the source holds is not known;
    /// one that is `immediate` is the last there is.
    pub(crate) fn put<R>(
        &self,
        immediate: bool,
        how: Keeping,
        put: impl FnOnce(bool) -> R,
    ) -> Option<R> {
        // taken only if it runs: what it holds, a value of the user's, is not to be dropped while the locks are held
        let mut put = Some(put);
        self.flights.supplant(&self.key, &self.flight, || {
            let mut state = lock(&self.flight.state);
            if immediate {
                state.standing = Standing::Current;
            }
            if state.standing <= how.worst() {
                // all others have been outdated just now
                state.accompanied = false;
                put.take()
                    .map(|put| put(state.standing == Standing::Unheard))
            } else {
                None
            }
        })
    }

    /// Ends the load with a value, and lets those who wait go on with it. `share` makes it for them, if there are any.
    /// Invalidations still reach the ticket until it is dropped, but nobody joins it any more.
    pub(crate) fn land(&self, share: impl FnOnce() -> Shared) {
        self.flights.overtake(&self.key, &self.flight);
        self.flight.land(share);
    }

    /// As [`land`](Self::land), for a load of which nothing is left to be done.
    pub(crate) fn finish(mut self, share: impl FnOnce() -> Shared) {
        self.awaited = self.flights.deregister(&self.key, &self.flight);
        self.left = true;
        if self.awaited {
            self.flight.land(share);
        }
    }

    /// Ends the load with nothing to share: those who wait run the body side by side.
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

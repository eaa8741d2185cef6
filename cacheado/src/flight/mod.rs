//! Loads under way: per key, the one that other callers join, and all that an invalidation must reach.
//!
//! [`Flights`] registers every load of a cache by its key, from before its body starts until its value is in the store. The leader,
//! which runs the body, holds the load's [`Ticket`]. Each waiter holds a [`Seat`].
//!
//! Lock order: a shard of the lanes, the [changes under way](UnderWay), a flight, the store's locks.

mod lanes;
mod seat;
mod ticket;
mod under_way;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::Duration;

use cacheado_backends::Listener;

pub(crate) use lanes::Flights;
pub(crate) use seat::Seat;
pub(crate) use ticket::{Crossing, Keeping, Ticket};
pub(crate) use under_way::UnderWay;

use crate::sync::thread::{self, ThreadId};
use crate::sync::{Condvar, Instant, Mutex, lock};
use crate::waiting::watchdog::Prod;
use crate::way::Way;

/// A value on its way from the leader to the waiters.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// One load.
#[derive(Default)]
pub(crate) struct Flight {
    /// Increases with each load of a key.
    number: u64,
    kind: FlightKind,
    state: Mutex<State>,
    landed: Condvar,
}

#[derive(Default)]
struct State {
    phase: Phase,
    standing: Standing,
    /// A later load has stored its value, so this load must not store an older one.
    superseded: bool,
    /// Another load of the key ran at the same time. For a put: since the put value was stored.
    accompanied: bool,
    waiters: usize,
    /// The number of seats taken so far.
    seats: u64,
    /// The wakers of waiting futures, by seat number.
    wakers: BTreeMap<u64, Waker>,
    leader: Leader,
    /// When the waiters last saw the leader make progress, or when the first waiter came. Not set while there is no waiter, to avoid
    /// reading the time.
    seen: Option<Instant>,
    watched: bool,
}

/// What kind of operation is under way.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum FlightKind {
    /// A load. Its value is older than that of any later load.
    #[default]
    Load,
    /// A put. Its value is newer than that of any load under way. Only an eviction or another put outdates it.
    Put,
}

/// What happened to the key since the load began, in order of severity. The worst is kept.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Nothing.
    #[default]
    Current,
    /// Reports of changes by other processes began to arrive during the load. Earlier changes are unknown in this process, but known
    /// to the shared tier.
    Unheard,
    /// All copies were dropped, because other processes may have made changes that were not reported here.
    Unsure,
    /// The key was invalidated, or a newer value was put.
    Outdated,
}

/// How the leader runs the body.
#[derive(Clone, Copy, Default)]
enum Leader {
    /// On one thread, from beginning to end.
    #[default]
    Blocking,
    /// In a future, last polled by this thread.
    Polled { by: ThreadId },
}

/// The progress of a load.
#[derive(Default)]
enum Phase {
    #[default]
    Loading,
    /// The load has a value; `None` if there were no waiters when it landed.
    Landed(Option<Shared>),
    /// The load produced nothing to share: an `Err`, a value that is not stored, or a panic.
    Unshared,
    /// The caller that led the load went away.
    Abandoned,
}

/// What a caller does whose key is not stored.
pub(crate) enum Boarding {
    /// Run the body, for all callers.
    Lead(Ticket),
    /// Wait for the caller that runs the body.
    Wait(Seat),
}

/// How waiting for a load ended.
pub(crate) enum Wait {
    /// The leader's value.
    Value(Shared),
    /// There is nothing to share: run the body, side by side with the other waiters.
    Alone,
    /// There is no leader any more: look the key up again.
    Again,
}

impl Leader {
    fn polled_here() -> Self {
        Self::Polled {
            by: thread::current().id(),
        }
    }
}

impl Flight {
    /// Begins a load in this flight, which is either new or over without ever having had a waiter. The fields that only waiters change
    /// are therefore in their initial state.
    fn begin(&mut self, number: u64, kind: FlightKind, way: Way) {
        (self.number, self.kind) = (number, kind);
        let state = self.state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.phase = Phase::Loading;
        state.standing = Standing::Current;
        (state.superseded, state.accompanied) = (false, false);
        state.leader = match way {
            Way::Blocking => Leader::Blocking,
            Way::Async => Leader::polled_here(),
        };
    }

    /// Ends the load with a value, unless it has ended. `share` makes the value for the waiters, and is called only if there are any.
    fn land(&self, share: impl FnOnce() -> Shared) {
        {
            let mut state = lock(&self.state);
            if state.waiters == 0 {
                state.end(Phase::Landed(None));
                return;
            }
        }
        // no lock is held here, because `share` clones the user's value; the flight accepts no new waiters by now
        self.end(Phase::Landed(Some(share())));
    }

    /// Ends the load, unless it has ended.
    fn end(&self, phase: Phase) {
        let (wakers, _late) = {
            let mut state = lock(&self.state);
            // a phase that comes too late may hold a value, which must be dropped outside the lock
            let late = state.end(phase);
            if state.waiters == 0 {
                drop(state);
                return;
            }
            (std::mem::take(&mut state.wakers), late)
        };
        self.landed.notify_all();
        wakers.into_values().for_each(Waker::wake);
    }
}

impl Prod for Flight {
    /// Wakes the waiting futures so that they check the time.
    fn prod(&self) {
        let wakers = {
            let mut state = lock(&self.state);
            state.watched = false;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_values().for_each(Waker::wake);
    }
}

impl Listener for Flight {
    /// Wakes all waiters so that they check the time.
    fn advanced(&self) {
        self.prod();
        self.landed.notify_all();
    }
}

impl State {
    fn worsen(&mut self, standing: Standing) {
        self.standing = self.standing.max(standing);
    }

    /// Ends the load, unless it has ended: then `phase` is returned.
    fn end(&mut self, phase: Phase) -> Option<Phase> {
        if !matches!(self.phase, Phase::Loading) {
            return Some(phase);
        }
        self.phase = phase;
        None
    }

    fn outcome(&self) -> Option<Wait> {
        match &self.phase {
            Phase::Loading => None,
            Phase::Landed(Some(value)) => Some(Wait::Value(Arc::clone(value))),
            Phase::Landed(None) | Phase::Abandoned => Some(Wait::Again),
            Phase::Unshared => Some(Wait::Alone),
        }
    }

    /// When the leader counts as gone; `None` if that is beyond what the clock can represent.
    ///
    /// A blocking leader may just be slow, or may itself wait for one of its waiters (a pool's worker that took up another task). The
    /// two can't be told apart, so a blocking leader is not waited for forever either.
    fn patience(&mut self, timeout: Duration) -> Option<Instant> {
        self.seen
            .get_or_insert_with(Instant::now)
            .checked_add(timeout)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use crate::cache::Cache;

    #[test]
    fn nothing_is_left_of_a_load_that_is_over() {
        let cache = Cache::builder().build().expect("a plain cache");
        let loading = || cache.flights().len();
        for key in 0..100_u32 {
            let loaded = cache.get_or_load(key, || {
                assert_eq!(loading(), 1);
                if key % 2 == 0 {
                    let evicted = cache.evict(key).run().expect("nothing can fail");
                    assert!(!evicted);
                }
                key
            });
            assert_eq!(loaded.run().expect("nothing can fail"), key);
        }
        let panicking = || {
            cache
                .get_or_load("panics", || -> u32 { panic!("as asked") })
                .run()
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
        assert_eq!(loading(), 0);
    }
}

//! Loads under way: one per key that others wait for, and what an invalidation must reach.
//!
//! [`Flights`] knows every load of a cache by its key, from before its body starts until its value is in the store. Who runs a
//! body holds the load's [`Ticket`]; who waits for it, a [`Seat`].
//!
//! Locks are taken in this order: a shard of the lanes, what is done to many keys, a flight, then the store's.

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

/// A value on its way from the leader to those who wait for it.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// One load.
#[derive(Default)]
pub(crate) struct Flight {
    /// Of two loads of a key, the later has the larger number.
    number: u64,
    kind: FlightKind,
    state: Mutex<State>,
    landed: Condvar,
}

#[derive(Default)]
struct State {
    phase: Phase,
    standing: Standing,
    /// A load that began later has stored its value: its own is not to be stored any more.
    superseded: bool,
    /// There has been another load of the key beside it; beside a put, since what it puts was stored.
    accompanied: bool,
    waiters: usize,
    /// How many have come to wait, in all.
    seats: u64,
    /// How the futures that wait are woken, by the numbers of their seats.
    wakers: BTreeMap<u64, Waker>,
    leader: Leader,
    /// When the leader was last seen at work by those who wait, or the first of them came. Without any the time is not asked for.
    seen: Option<Instant>,
    watched: bool,
}

/// What is under way.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum FlightKind {
    /// A load: what it stores is older than what a later load stores.
    #[default]
    Load,
    /// A put: what it stores is newer than what any load under way stores. Only an eviction or another put outdates it.
    Put,
}

/// What has come since the load began, in rising order: what is worse stays.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Nothing.
    #[default]
    Current,
    /// Changes of others are heard from now on, and those that came before are not known here. The shared tier knows them.
    Unheard,
    /// All copies were given up, since others may have done what was not heard here.
    Unsure,
    /// An invalidation of its key, or what is newer.
    Outdated,
}

/// Who runs the body.
#[derive(Clone, Copy, Default)]
enum Leader {
    /// A thread, from beginning to end.
    #[default]
    Blocking,
    /// A future, which was polled last there.
    Polled { by: ThreadId },
}

/// How far a load is.
#[derive(Default)]
enum Phase {
    #[default]
    Loading,
    /// It has a value. `None`: nobody waited when it landed.
    Landed(Option<Shared>),
    /// It came to nothing that could be shared: an `Err`, a value not to be stored, a panic.
    Unshared,
    /// Its caller went away.
    Abandoned,
}

/// What a caller whose key is not stored is to do.
pub(crate) enum Boarding {
    /// Run the body for all.
    Lead(Ticket),
    /// Wait for the one who does.
    Wait(Seat),
}

/// How waiting ended.
pub(crate) enum Wait {
    /// With the leader's value.
    Value(Shared),
    /// With nothing to share: run the body, beside all others who waited.
    Alone,
    /// With nobody leading any more: look again.
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
    /// Begins it, be it new or one that is over and that nobody has waited for: what those who wait change is as it was made.
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

    /// Ends it, unless it has ended. `share` makes the value for those who wait, if there are any.
    fn land(&self, share: impl FnOnce() -> Shared) {
        {
            let mut state = lock(&self.state);
            if state.waiters == 0 {
                state.end(Phase::Landed(None));
                return;
            }
        }
        // it clones a value of the user's, so no lock is held; nobody joins those who wait any more
        self.end(Phase::Landed(Some(share())));
    }

    /// Ends it, unless it has ended.
    fn end(&self, phase: Phase) {
        let (wakers, _late) = {
            let mut state = lock(&self.state);
            // a phase that comes too late may hold a value, which is dropped when no lock is held
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
    /// Wakes those futures that wait, so that they look at the time.
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
    /// Wakes those who wait, so that they look at the time.
    fn advanced(&self) {
        self.prod();
        self.landed.notify_all();
    }
}

impl State {
    fn worsen(&mut self, standing: Standing) {
        self.standing = self.standing.max(standing);
    }

    /// Ends it, unless it has ended: then `phase` is given back.
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

    /// When the leader counts as gone; `None`: never, as far as the clock can count.
    ///
    /// A thread that runs the body may be slow, or may itself wait for one of those who wait for it (a pool's worker that
    /// took up another task): neither can be told from the other, so it is not waited for without end either.
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

//! Loads under way: one per key that others wait for, and what an invalidation must reach.
//!
//! Every load of a cache is registered here by its key, from before its body starts until its value is in the store. The
//! one that others may join is the lane's `current`; loads that nobody joins (a refresh, a put, a waiter that went on alone,
//! a leader that was overtaken) stand beside it, since an invalidation must reach them too.
//!
//! Locks are taken in this order: a shard of the lanes, a flight, then the store's.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cacheado_backends::{Key, Scope};

use crate::runtime;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread::{self, ThreadId};
use crate::sync::{Condvar, Instant, Mutex, lock};

const SHARDS: usize = 16;

/// A value on its way from the leader to those who wait for it.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// The loads of one cache.
pub(crate) struct Flights {
    shards: [Mutex<HashMap<Key, Lane>>; SHARDS],
    next: AtomicU64,
    /// How long a leader that is not polled is waited for.
    timeout: Duration,
}

/// The loads of one key.
#[derive(Default)]
struct Lane {
    current: Option<Arc<Flight>>,
    beside: Vec<Arc<Flight>>,
}

/// One load.
pub(crate) struct Flight {
    /// Later loads have larger numbers.
    number: u64,
    kind: FlightKind,
    state: Mutex<State>,
    landed: Condvar,
}

struct State {
    phase: Phase,
    /// No invalidation has come since the load began.
    valid: bool,
    waiters: usize,
    wakers: Vec<Waker>,
    leader: Leader,
    watched: bool,
}

/// What is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlightKind {
    /// A load: what it stores is older than what a later load stores.
    Load,
    /// A put: what it stores is newer than what any load under way stores. Only an eviction or another put undoes it.
    Put,
}

/// Who runs the body.
#[derive(Clone, Copy)]
enum Leader {
    /// A thread, from beginning to end.
    Blocking { since: Instant },
    /// A future, which was polled last then and there.
    Polled { at: Instant, by: ThreadId },
}

/// How far a load is.
enum Phase {
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

impl Flights {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            next: AtomicU64::new(0),
            timeout,
        }
    }

    fn shard(&self, key: &Key) -> &Mutex<HashMap<Key, Lane>> {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "taken modulo the number of shards"
        )]
        &self.shards[(key.hash() >> 40) as usize % SHARDS]
    }

    fn flight(&self, kind: FlightKind, blocking: bool) -> Arc<Flight> {
        let leader = if blocking {
            Leader::Blocking {
                since: Instant::now(),
            }
        } else {
            Leader::polled_now()
        };
        Arc::new(Flight {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            kind,
            state: Mutex::new(State {
                phase: Phase::Loading,
                valid: true,
                waiters: 0,
                wakers: Vec::new(),
                leader,
                watched: false,
            }),
            landed: Condvar::new(),
        })
    }

    /// Joins the load of `key` that is under way, or begins one. `blocking`: the caller is a thread, not a future.
    pub(crate) fn board(self: &Arc<Self>, key: &Key, blocking: bool) -> Boarding {
        let mut lanes = lock(self.shard(key));
        let lane = lanes.entry(key.clone()).or_default();
        if let Some(current) = &lane.current {
            return Boarding::Wait(Seat::take(self, key, current));
        }
        let flight = self.flight(FlightKind::Load, blocking);
        lane.current = Some(Arc::clone(&flight));
        Boarding::Lead(Ticket {
            flights: Arc::clone(self),
            key: key.clone(),
            flight,
        })
    }

    /// Begins what nobody joins.
    pub(crate) fn beside(self: &Arc<Self>, key: &Key, kind: FlightKind, blocking: bool) -> Ticket {
        let flight = self.flight(kind, blocking);
        lock(self.shard(key))
            .entry(key.clone())
            .or_default()
            .beside
            .push(Arc::clone(&flight));
        Ticket {
            flights: Arc::clone(self),
            key: key.clone(),
            flight,
        }
    }

    /// Makes every load of `key` that began before forget its value, and then runs `change`, before any other can begin.
    pub(crate) fn invalidate<R>(&self, key: &Key, change: impl FnOnce() -> R) -> R {
        let mut lanes = lock(self.shard(key));
        if let Some(lane) = lanes.remove(key) {
            lane.invalidate();
        }
        change()
    }

    /// The same for all keys in `scope` and below it.
    pub(crate) fn invalidate_scope(&self, scope: &Scope) {
        for shard in &self.shards {
            lock(shard).retain(|key, lane| {
                let hit = scope.contains(&key.scope());
                if hit {
                    lane.invalidate();
                }
                !hit
            });
        }
    }

    /// Takes `flight` out of its lane, whose others stay.
    fn deregister(&self, key: &Key, flight: &Arc<Flight>) {
        let mut lanes = lock(self.shard(key));
        // after an invalidation the lane may be gone, or another's
        let Some(lane) = lanes.get_mut(key) else {
            return;
        };
        if lane
            .current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, flight))
        {
            lane.current = None;
        }
        lane.beside.retain(|other| !Arc::ptr_eq(other, flight));
        if lane.current.is_none() && lane.beside.is_empty() {
            lanes.remove(key);
        }
    }

    /// Puts `flight` beside the lane, so that another can lead, if it still leads.
    fn overtake(&self, key: &Key, flight: &Arc<Flight>) {
        let mut lanes = lock(self.shard(key));
        let Some(lane) = lanes.get_mut(key) else {
            return;
        };
        if lane
            .current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, flight))
        {
            lane.beside.extend(lane.current.take());
        }
    }

    /// Makes the loads of `key` that began before `flight` forget their values: its own is newer. What is being put stays.
    fn supersede(&self, key: &Key, flight: &Flight) {
        let lanes = lock(self.shard(key));
        let Some(lane) = lanes.get(key) else { return };
        let is_older =
            |other: &&Arc<Flight>| other.kind == FlightKind::Load && other.number < flight.number;
        for older in lane.all().filter(is_older) {
            lock(&older.state).valid = false;
        }
    }
}

impl Lane {
    fn all(&self) -> impl Iterator<Item = &Arc<Flight>> {
        self.current.iter().chain(&self.beside)
    }

    fn invalidate(&self) {
        for flight in self.all() {
            lock(&flight.state).valid = false;
        }
    }
}

impl Leader {
    fn polled_now() -> Self {
        Self::Polled {
            at: Instant::now(),
            by: thread::current().id(),
        }
    }
}

impl Flight {
    /// Ends it, unless it has ended.
    fn end(&self, phase: Phase) {
        let wakers = {
            let mut state = lock(&self.state);
            if !matches!(state.phase, Phase::Loading) {
                return;
            }
            state.phase = phase;
            std::mem::take(&mut state.wakers)
        };
        self.landed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes those futures that wait, so that they look at the time.
    pub(crate) fn prod(&self) {
        let wakers = {
            let mut state = lock(&self.state);
            state.watched = false;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
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
    fn patience(&self, timeout: Duration) -> Option<Instant> {
        match self.leader {
            Leader::Blocking { since } => since.checked_add(timeout),
            Leader::Polled { at, .. } => at.checked_add(timeout),
        }
    }
}

/// The right and the duty to load a key. Dropped without landing, it lets others go on.
pub(crate) struct Ticket {
    flights: Arc<Flights>,
    key: Key,
    flight: Arc<Flight>,
}

impl Ticket {
    /// Whether no invalidation has come since the load began.
    pub(crate) fn is_valid(&self) -> bool {
        lock(&self.flight.state).valid
    }

    /// Notes that the leading future is being polled, here and now.
    pub(crate) fn polled(&self) {
        lock(&self.flight.state).leader = Leader::polled_now();
    }

    /// Runs `store`, unless an invalidation has come since the load began. Returns what it returned.
    pub(crate) fn store<R>(&self, store: impl FnOnce() -> R) -> Option<R> {
        self.flights.supersede(&self.key, &self.flight);
        // an invalidation waits for this lock before it removes what is stored, so none can slip in between
        let state = lock(&self.flight.state);
        // not `then`: that would drop what `store` holds, a value of the user's, while the locks are held
        if state.valid { Some(store()) } else { None }
    }

    /// As [`store`](Self::store), for a value that is newer than what any load under way can have: those forget theirs, and
    /// nobody joins them any more.
    ///
    /// A put that took its time is undone by another that came meanwhile, since which of the two the source holds is not known;
    /// one that is `immediate` is the last there is.
    pub(crate) fn put<R>(&self, immediate: bool, put: impl FnOnce() -> R) -> Option<R> {
        let mut lanes = lock(self.flights.shard(&self.key));
        let lane = lanes.entry(self.key.clone()).or_default();
        for other in lane.all().filter(|other| !Arc::ptr_eq(other, &self.flight)) {
            lock(&other.state).valid = false;
        }
        // after an eviction it has no lane: it is to be reached again, while the shared tier is told
        *lane = Lane {
            current: None,
            beside: vec![Arc::clone(&self.flight)],
        };
        let mut state = lock(&self.flight.state);
        state.valid |= immediate;
        // not `then`: that would drop what `put` holds, a value of the user's, while the locks are held
        if state.valid { Some(put()) } else { None }
    }

    /// Ends the load with a value, and lets those who wait go on with it. `share` makes it for them, if there are any.
    /// Invalidations still reach the ticket until it is dropped, but nobody joins it any more.
    pub(crate) fn land(&self, share: impl FnOnce() -> Shared) {
        self.flights.overtake(&self.key, &self.flight);
        let waiting = lock(&self.flight.state).waiters > 0;
        self.flight.end(Phase::Landed(waiting.then(share)));
    }

    /// Ends the load with nothing to share: those who wait run the body side by side.
    pub(crate) fn land_empty(&self) {
        self.flights.overtake(&self.key, &self.flight);
        self.flight.end(Phase::Unshared);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.flights.deregister(&self.key, &self.flight);
        self.flight.end(if thread::panicking() {
            Phase::Unshared
        } else {
            Phase::Abandoned
        });
    }
}

/// A place among those who wait.
pub(crate) struct Seat {
    flights: Arc<Flights>,
    key: Key,
    flight: Arc<Flight>,
}

impl Seat {
    fn take(flights: &Arc<Flights>, key: &Key, flight: &Arc<Flight>) -> Self {
        lock(&flight.state).waiters += 1;
        Self {
            flights: Arc::clone(flights),
            key: key.clone(),
            flight: Arc::clone(flight),
        }
    }

    /// Waits by blocking the thread.
    pub(crate) fn wait(self) -> Wait {
        let polled_here = match lock(&self.flight.state).leader {
            Leader::Blocking { .. } => false,
            Leader::Polled { by, .. } => by == thread::current().id(),
        };
        runtime::block(polled_here, || self.block()).unwrap_or(Wait::Alone)
    }

    fn block(&self) -> Wait {
        let mut state = lock(&self.flight.state);
        loop {
            if let Some(outcome) = state.outcome() {
                return outcome;
            }
            let patience = state.patience(self.flights.timeout);
            state = match patience {
                None => self
                    .flight
                    .landed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let now = Instant::now();
                    if until <= now {
                        break;
                    }
                    let waited = self.flight.landed.wait_timeout(state, until - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        drop(state);
        self.flights.overtake(&self.key, &self.flight);
        Wait::Again
    }

    /// Waits as a future: ready once the load has ended, or its leader counts as gone.
    pub(crate) fn poll_wait(&self, cx: &Context<'_>) -> Poll<Wait> {
        let mut state = lock(&self.flight.state);
        if let Some(outcome) = state.outcome() {
            return Poll::Ready(outcome);
        }
        if let Some(until) = state.patience(self.flights.timeout) {
            if until <= Instant::now() {
                drop(state);
                self.flights.overtake(&self.key, &self.flight);
                return Poll::Ready(Wait::Again);
            }
            if !std::mem::replace(&mut state.watched, true) {
                crate::watchdog::watch(&self.flight, until);
            }
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.flight.state).waiters -= 1;
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::cache::Cache;

    /// How many keys are being loaded.
    fn loading(cache: &Cache) -> usize {
        cache
            .flights()
            .shards
            .iter()
            .map(|shard| lock(shard).len())
            .sum()
    }

    #[test]
    fn nothing_is_left_of_a_load_that_is_over() {
        let cache = Cache::builder().build().expect("a plain cache");
        for key in 0..100_u32 {
            let loaded = cache.get_or_load(key, || {
                assert_eq!(loading(&cache), 1);
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
        assert_eq!(loading(&cache), 0);
    }
}

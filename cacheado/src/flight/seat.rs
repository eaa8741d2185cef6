//! The waiters' side of a load.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use cacheado_backends::{Clock, Key, Tick};

use super::{Flight, Flights, Leader, Wait};
use crate::runtime;
use crate::sync::{Instant, lock, thread, wait_until};
use crate::waiting::timer::instant;

/// A waiter's place in a flight.
pub(crate) struct Seat {
    flights: Arc<Flights>,
    key: Key,
    flight: Arc<Flight>,
    /// Unique within the flight.
    number: u64,
}

impl Seat {
    pub(super) fn take(flights: &Arc<Flights>, key: &Key, flight: &Arc<Flight>) -> Self {
        let mut state = lock(&flight.state);
        state.waiters += 1;
        state.seats += 1;
        state.seen.get_or_insert_with(Instant::now);
        Self {
            flights: Arc::clone(flights),
            key: key.clone(),
            flight: Arc::clone(flight),
            number: state.seats,
        }
    }

    /// Waits by blocking the thread.
    pub(crate) fn wait(self) -> Wait {
        self.blocked(|| self.block()).unwrap_or(Wait::Alone)
    }

    /// As [`wait`](Self::wait), but only until `until`. Returns `None` if the time is over.
    pub(crate) fn wait_until(&self, clock: &Clock, until: Option<Tick>) -> Option<Wait> {
        let Some(until) = until else {
            return Some(self.blocked(|| self.block()).unwrap_or(Wait::Alone));
        };
        if !clock.runs() {
            let flight: Weak<Flight> = Arc::downgrade(&self.flight);
            clock.listen(flight);
        }
        let end = instant(clock, until);
        let block = || self.block_while(end, || !clock.has_reached(until));
        self.blocked(block).unwrap_or(Some(Wait::Alone))
    }

    /// Runs `block`, unless that would stall the runtime that must poll the leader.
    fn blocked<R>(&self, block: impl FnOnce() -> R) -> Option<R> {
        let polled_here = match lock(&self.flight.state).leader {
            Leader::Blocking => false,
            Leader::Polled { by } => by == thread::current().id(),
        };
        runtime::block(polled_here, block)
    }

    fn block(&self) -> Wait {
        self.block_while(None, || true).unwrap_or(Wait::Again)
    }

    /// Returns `None` once `goes_on` returns false. `goes_on` is called again at `end` at the latest.
    fn block_while(&self, end: Option<Instant>, goes_on: impl Fn() -> bool) -> Option<Wait> {
        let mut state = lock(&self.flight.state);
        loop {
            if let Some(outcome) = state.outcome() {
                return Some(outcome);
            }
            if !goes_on() {
                return None;
            }
            let patience = state.patience(self.flights.timeout());
            if patience.is_some_and(|patience| patience <= Instant::now()) {
                break;
            }
            let wake = [patience, end].into_iter().flatten().min();
            state = wait_until(&self.flight.landed, state, wake);
        }
        drop(state);
        self.flights.overtake(&self.key, &self.flight);
        Some(Wait::Again)
    }

    /// Waits as a future: ready once the load has ended, or its leader counts as gone.
    pub(crate) fn poll_wait(&self, cx: &Context<'_>) -> Poll<Wait> {
        // cloning or dropping a waker runs the executor's code, so no lock may be held
        let waker = cx.waker().clone();
        let mut state = lock(&self.flight.state);
        if let Some(outcome) = state.outcome() {
            return Poll::Ready(outcome);
        }
        if let Some(until) = state.patience(self.flights.timeout()) {
            if until <= Instant::now() {
                drop(state);
                self.flights.overtake(&self.key, &self.flight);
                return Poll::Ready(Wait::Again);
            }
            if !std::mem::replace(&mut state.watched, true) {
                crate::waiting::watchdog::watch(&self.flight, until);
            }
        }
        let before = state.wakers.insert(self.number, waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = lock(&self.flight.state);
        state.waiters -= 1;
        let waker = state.wakers.remove(&self.number);
        // dropping the waker runs the executor's code
        drop(state);
        drop(waker);
    }
}

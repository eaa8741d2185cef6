//! The side of those who wait for a load.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use cacheado_backends::Key;

use super::{Flight, Flights, Leader, Wait};
use crate::runtime;
use crate::sync::{Instant, lock, thread};

/// A place among those who wait.
pub(crate) struct Seat {
    flights: Arc<Flights>,
    key: Key,
    flight: Arc<Flight>,
}

impl Seat {
    pub(super) fn take(flights: &Arc<Flights>, key: &Key, flight: &Arc<Flight>) -> Self {
        {
            let mut state = lock(&flight.state);
            state.waiters += 1;
            state.seen.get_or_insert_with(Instant::now);
        }
        Self {
            flights: Arc::clone(flights),
            key: key.clone(),
            flight: Arc::clone(flight),
        }
    }

    /// Waits by blocking the thread.
    pub(crate) fn wait(self) -> Wait {
        let polled_here = match lock(&self.flight.state).leader {
            Leader::Blocking => false,
            Leader::Polled { by } => by == thread::current().id(),
        };
        runtime::block(polled_here, || self.block()).unwrap_or(Wait::Alone)
    }

    fn block(&self) -> Wait {
        let mut state = lock(&self.flight.state);
        loop {
            if let Some(outcome) = state.outcome() {
                return outcome;
            }
            let patience = state.patience(self.flights.timeout());
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
        if let Some(until) = state.patience(self.flights.timeout()) {
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

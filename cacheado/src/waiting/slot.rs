//! A slot for one value that another thread or task delivers.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use cacheado_backends::{Clock, Listener, Tick};

use crate::sync::{Condvar, Mutex, MutexGuard, lock, wait_until};
use crate::waiting::timer::instant;

pub(crate) struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

impl<T: Send + 'static> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                value: None,
                waker: None,
            }),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn put(&self, value: T) {
        let mut state = lock(&self.state);
        state.value = Some(value);
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State<T>>) {
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for the value by blocking the thread; `None` if it has not come by `until`.
    pub(crate) fn wait(self: &Arc<Self>, clock: &Clock, until: Option<Tick>) -> Option<T> {
        if until.is_some() && !clock.runs() {
            let this: Weak<Self> = Arc::downgrade(self);
            clock.listen(this);
        }
        let end = until.and_then(|until| instant(clock, until));
        let mut state = lock(&self.state);
        loop {
            if let Some(value) = state.value.take() {
                return Some(value);
            }
            if until.is_some_and(|until| clock.has_reached(until)) {
                return None;
            }
            state = wait_until(&self.changed, state, end);
        }
    }
}

impl<T> Slot<T> {
    /// The value, once it is there.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<T> {
        // cloning or dropping a waker runs the executor's code, so no lock may be held
        let waker = cx.waker().clone();
        let (polled, _waker) = {
            let mut state = lock(&self.state);
            match state.value.take() {
                Some(value) => (Poll::Ready(value), Some(waker)),
                None => (Poll::Pending, state.waker.replace(waker)),
            }
        };
        polled
    }
}

impl<T: Send + 'static> Listener for Slot<T> {
    fn advanced(&self) {
        // under the lock, otherwise a waiter that has just read the time would miss this advance
        self.wake(lock(&self.state));
    }
}

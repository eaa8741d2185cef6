//! Wakes a future that waits for a point in time.

use std::task::Waker;

use cacheado_backends::Listener;

use crate::sync::{Mutex, lock};
use crate::waiting::watchdog::Prod;

/// Wakes a waiting future.
#[derive(Default)]
pub(crate) struct Alarm(Mutex<Ringing>);

#[derive(Default)]
struct Ringing {
    waker: Option<Waker>,
    /// The watchdog has reported that the time has come.
    rung: bool,
}

impl Alarm {
    /// Returns whether it has rung. Otherwise it will wake `waker`.
    pub(crate) fn keep(&self, waker: &Waker) -> bool {
        // cloning or dropping a waker runs the executor's code, so no lock may be held
        let waker = waker.clone();
        let (rung, _before) = {
            let mut ringing = lock(&self.0);
            (ringing.rung, ringing.waker.replace(waker))
        };
        rung
    }

    fn ring(&self, time: bool) {
        let waker = {
            let mut ringing = lock(&self.0);
            ringing.rung |= time;
            ringing.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Listener for Alarm {
    fn advanced(&self) {
        self.ring(false);
    }
}

impl Prod for Alarm {
    fn prod(&self) {
        self.ring(true);
    }
}

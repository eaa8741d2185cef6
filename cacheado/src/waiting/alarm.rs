//! What wakes a future that waits for a moment.

use std::task::Waker;

use cacheado_backends::Listener;

use crate::sync::{Mutex, lock};
use crate::waiting::watchdog::Prod;

/// Wakes who waits.
#[derive(Default)]
pub(crate) struct Alarm(Mutex<Ringing>);

#[derive(Default)]
struct Ringing {
    waker: Option<Waker>,
    /// The watchdog has said that it is time.
    rung: bool,
}

impl Alarm {
    /// Whether it has rung; else it will wake `waker`.
    pub(crate) fn keep(&self, waker: &Waker) -> bool {
        // a waker's clone and drop are the executor's code, which runs where no lock is held
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

//! Waiting for a moment of a cache's clock.
//!
//! A manual clock reports its own advances. For the real clock, a future on a tokio runtime uses that runtime's timers, so that tests
//! which pause its time control this too. The watchdog reminds it as well: the runtime may be merely entered, or its only thread
//! blocked, so that nothing drives its timers. Elsewhere only the watchdog is used.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use cacheado_backends::{Clock, Tick};

use crate::sync::Instant;
use crate::waiting::alarm::Alarm;
use crate::waiting::watchdog::watch;

/// The time until `moment`, if `clock` is the real one.
fn left(clock: &Clock, moment: Tick) -> Option<Duration> {
    let left = || Duration::from_nanos(moment.saturating_sub(clock.now()));
    clock.runs().then(left)
}

/// The instant of `moment`, if `clock` is the real one and the system clock can represent it.
pub(crate) fn instant(clock: &Clock, moment: Tick) -> Option<Instant> {
    Instant::now().checked_add(left(clock, moment)?)
}

/// Ready when the moment has come.
pub(crate) struct Timer {
    clock: Clock,
    moment: Tick,
    state: State,
}

enum State {
    New,
    #[cfg(feature = "tokio")]
    Runtime {
        sleep: Pin<Box<tokio::time::Sleep>>,
        alarm: Arc<Alarm>,
    },
    Alarm(Arc<Alarm>),
}

impl Timer {
    pub(crate) fn new(clock: &Clock, moment: Tick) -> Self {
        Self {
            clock: clock.clone(),
            moment,
            state: State::New,
        }
    }

    fn begin(&self) -> State {
        #[cfg(feature = "tokio")]
        if let Some(left) = left(&self.clock, self.moment)
            && tokio::runtime::Handle::try_current().is_ok()
            && let Some(sleep) = of_runtime(|| Box::pin(tokio::time::sleep(left)))
        {
            let alarm = Arc::new(Alarm::default());
            watch(&alarm, sleep.deadline().into_std());
            return State::Runtime { sleep, alarm };
        }
        State::Alarm(self.alarm())
    }

    fn alarm(&self) -> Arc<Alarm> {
        let alarm = Arc::new(Alarm::default());
        if !self.clock.runs() {
            let listener: Weak<Alarm> = Arc::downgrade(&alarm);
            self.clock.listen(listener);
        } else if let Some(end) = instant(&self.clock, self.moment) {
            watch(&alarm, end);
        }
        alarm
    }
}

/// The answer of a runtime's timers; `None` if it has none, or is shutting down. Only a panic tells that.
#[cfg(feature = "tokio")]
fn of_runtime<R>(ask: impl FnOnce() -> R) -> Option<R> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)).ok()
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.state, State::New) {
            self.state = self.begin();
        }
        #[cfg(feature = "tokio")]
        if let State::Runtime { sleep, alarm } = &mut self.state {
            // first, so that an event in between wakes the future
            alarm.keep(cx.waker());
            match of_runtime(|| sleep.as_mut().poll(cx)) {
                // the time is the runtime's, which may be paused
                Some(Poll::Pending) if sleep.deadline() <= tokio::time::Instant::now() => {
                    return Poll::Ready(());
                }
                Some(polled) => return polled,
                None => self.state = State::Alarm(self.alarm()),
            }
        }
        let State::Alarm(alarm) = &self.state else {
            return Poll::Pending;
        };
        // first, so that an event in between wakes the future
        let rung = alarm.keep(cx.waker());
        if rung || self.clock.has_reached(self.moment) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

//! Waiting for another process's load: looked at again and again, less and less often.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use crate::runtime;
use crate::sync::Instant;
use crate::waiting::alarm::Alarm;
use crate::waiting::watchdog::watch;
use crate::way::Way;

/// How long the first wait is, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// For how long a claim is anybody's after its load has failed: each of those who wait looks at it within that.
pub(crate) const FOR_ALL: Duration = WAITS.1.saturating_mul(4);

/// How long other processes are waited for, and how often they are looked at.
pub(crate) struct Patience {
    span: Duration,
    /// When it ends; `None`: never, as far as the clock can count.
    until: Option<Instant>,
    wait: Duration,
}

impl Patience {
    /// For claims that last for `span`. A process that is gone holds others up until its claim is over. Then one of them claims, and
    /// the rest wait for that one as long again; otherwise all would load at once. Each is late by as long as it does not look.
    pub(crate) fn new(span: Duration) -> Self {
        let most = span.saturating_add(WAITS.1).saturating_mul(2);
        Self {
            span,
            until: Instant::now().checked_add(most),
            wait: WAITS.0,
        }
    }

    /// How long a claim lasts.
    pub(crate) fn span(&self) -> Duration {
        self.span
    }

    pub(crate) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Waits, and longer the next time.
    pub(crate) async fn wait(&mut self, way: Way) {
        let wait = self.next();
        match way {
            Way::Blocking => {
                // a worker of a runtime hands its other tasks on first, where that can be done
                let slept = runtime::block(false, || thread::sleep(wait));
                slept.unwrap_or_else(|| thread::sleep(wait));
            }
            Way::Async => until(Instant::now().checked_add(wait)).await,
        }
    }

    fn next(&mut self) -> Duration {
        let wait = self.wait;
        self.wait = (2 * wait).min(WAITS.1);
        wait
    }
}

/// Waits until then without blocking, under any executor; not at all for a moment that the clock can't count to.
async fn until(moment: Option<Instant>) {
    let Some(until) = moment else {
        return;
    };
    let alarm = Arc::new(Alarm::default());
    poll_fn(|cx| {
        if until <= Instant::now() {
            return Poll::Ready(());
        }
        alarm.keep(cx.waker());
        watch(&alarm, until);
        Poll::Pending
    })
    .await;
}

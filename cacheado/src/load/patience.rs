//! Waiting for the load of another process: the store is polled at growing intervals.

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

/// The first wait, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// How long a claim is open to all after its load has failed. Each waiting process polls it within that time.
pub(crate) const FOR_ALL: Duration = WAITS.1.saturating_mul(4);

/// How long to wait for other processes, and how often to poll.
pub(crate) struct Patience {
    span: Duration,
    /// When the wait ends; `None` if that is beyond what the clock can represent.
    until: Option<Instant>,
    wait: Duration,
}

impl Patience {
    /// For claims that last for `span`. A process that is gone holds up the others until its claim is over. Then one of them claims,
    /// and the rest wait as long again for that one; otherwise all would load at once. The longest poll interval is added to each of
    /// the two waits.
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

    /// Waits, longer each time.
    pub(crate) async fn wait(&mut self, way: Way) {
        let wait = self.next();
        match way {
            Way::Blocking => {
                // a runtime's worker hands over its other tasks first, if it can
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

/// Waits until `moment` without blocking, under any executor. Returns at once if the moment is `None`, beyond what the clock can
/// represent.
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

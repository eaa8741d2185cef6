//! The circuit breaker: a store that has failed several times in a row is not asked for a while, so that not every call pays for
//! finding out that it is still down.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use cacheado_backends::{Clock, Error, Result};

/// When a store is not asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakerOptions {
    /// So many failures in a row open the circuit.
    pub(crate) failures: u32,
    /// So long nobody asks; then one does, and what comes of it decides for all.
    pub(crate) pause: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: Duration::from_secs(1),
        }
    }
}

impl BreakerOptions {
    /// # Errors
    ///
    /// [`Error::Config`] for numbers without sense.
    pub(crate) fn check(self) -> Result<()> {
        if self.failures == 0 {
            return Err(Error::config(
                "circuit_breaker(0, …)",
                "it would never ask the shared tier; give how many failures in a row are enough to stop asking",
            ));
        }
        if self.pause.is_zero() {
            return Err(Error::config(
                "circuit_breaker(…, 0)",
                "give how long the shared tier is not asked; `u32::MAX` failures are as good as no breaker",
            ));
        }
        Ok(())
    }
}

/// After M. Nygard, "Release It!" (2007): closed while the store answers, open after several failures in a row, half open after a
/// pause, when one operation is let through.
pub(crate) struct Breaker {
    options: BreakerOptions,
    clock: Clock,
    failures: AtomicU32,
    /// When somebody asks again, in nanoseconds of the clock; 0 while the circuit is closed.
    asks_at: AtomicU64,
}

impl Breaker {
    pub(crate) fn new(options: BreakerOptions, clock: Clock) -> Self {
        Self {
            options,
            clock,
            failures: AtomicU32::new(0),
            asks_at: AtomicU64::new(0),
        }
    }

    /// Whether the store is to be asked.
    pub(crate) fn lets_through(&self) -> bool {
        let asks_at = self.asks_at.load(Ordering::Acquire);
        if asks_at == 0 {
            return true;
        }
        let now = self.clock.elapsed();
        // of those who come after the pause one asks, and the rest wait for another
        nanos(now) >= asks_at
            && self
                .asks_at
                .compare_exchange(asks_at, self.next(now), Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// The store has answered.
    pub(crate) fn answered(&self) {
        // read first: while all is well nothing is written
        let failures = self.failures.load(Ordering::Relaxed);
        // the second: a failure that was counted before an answer may open the circuit after it
        if failures != 0 || self.asks_at.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            if self.asks_at.swap(0, Ordering::AcqRel) != 0 {
                tracing::info!("the shared tier answers again");
            }
        }
    }

    /// Whether operations are let through.
    pub(crate) fn is_closed(&self) -> bool {
        self.asks_at.load(Ordering::Relaxed) == 0
    }

    /// The store has not.
    pub(crate) fn failed(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        if failures.saturating_add(1) >= self.options.failures {
            let opened = self.next(self.clock.elapsed());
            if self.asks_at.swap(opened, Ordering::AcqRel) == 0 {
                tracing::warn!(pause = ?self.options.pause, "the shared tier is not asked for a while");
            }
        }
    }

    fn next(&self, now: Duration) -> u64 {
        nanos(now.saturating_add(self.options.pause)).max(1)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use cacheado_backends::ManualClock;

    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_through_after_the_pause() {
        let clock = ManualClock::new();
        let options = BreakerOptions {
            failures: 3,
            pause: Duration::from_secs(1),
        };
        let breaker = Breaker::new(options, clock.clone().into());
        breaker.failed();
        breaker.failed();
        breaker.answered();
        breaker.failed();
        breaker.failed();
        assert!(breaker.lets_through(), "two in a row");
        breaker.failed();
        assert!(!breaker.lets_through());
        clock.advance(Duration::from_secs(1));
        assert!(breaker.lets_through(), "one asks");
        assert!(!breaker.lets_through(), "and no other");
        breaker.failed();
        clock.advance(Duration::from_millis(999));
        assert!(!breaker.lets_through(), "a failure begins another pause");
        clock.advance(Duration::from_millis(1));
        assert!(breaker.lets_through());
        breaker.answered();
        assert!(breaker.lets_through() && breaker.lets_through());
    }

    #[test]
    fn an_answer_closes_it_also_where_no_failure_is_counted_any_more() {
        let clock = ManualClock::new();
        let breaker = Breaker::new(BreakerOptions::default(), clock.clone().into());
        // what is left when an answer comes between the two steps of a failure
        breaker.asks_at.store(1, Ordering::Relaxed);
        clock.advance(Duration::from_secs(1));
        assert!(breaker.lets_through(), "one asks");
        assert!(!breaker.lets_through());
        breaker.answered();
        assert!(breaker.lets_through() && breaker.lets_through());
    }
}

//! The circuit breaker: a store that failed several times in a row is not asked for a while, so that not every call pays for finding
//! out that it is still down. Parts of a store that may fail separately have a breaker each, per way of asking.

use std::collections::HashMap;
use std::time::Duration;

use cacheado_backends::{Clock, Error, Result};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};
use crate::way::Way;

/// When the store is not asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakerOptions {
    /// The number of failures in a row that opens the circuit.
    pub(crate) failures: u32,
    /// How long no operation is let through. Then one is, and its outcome decides for all.
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
    /// [`Error::Config`] for values that make no sense.
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

/// The breakers of both ways of asking the store. Each way has its own connections, so one may fail and the other not: a server that
/// accepts no more clients still answers those that it has.
pub(super) struct Ways {
    blocking: Breakers,
    nonblocking: Breakers,
}

impl Ways {
    pub(super) fn new(options: BreakerOptions, clock: &Clock) -> Self {
        Self {
            blocking: Breakers::new(Way::Blocking, options, clock.clone()),
            nonblocking: Breakers::new(Way::Async, options, clock.clone()),
        }
    }

    pub(super) fn of(&self, way: Way) -> &Breakers {
        match way {
            Way::Blocking => &self.blocking,
            Way::Async => &self.nonblocking,
        }
    }
}

/// How long the failure of a part is remembered that is no longer asked. Its data may have moved to a part with another number.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The breakers of the parts of a store that failed recently, by the backend's part numbers.
pub(super) struct Breakers {
    way: Way,
    options: BreakerOptions,
    clock: Clock,
    parts: Mutex<HashMap<u32, Breaker>>,
    /// Avoids taking the lock and computing the part while nothing has failed.
    any: AtomicBool,
}

/// After M. Nygard, "Release It!" (2007): closed while the store answers, open after several failures in a row, half open after a
/// pause, when one operation is let through.
#[derive(Default)]
struct Breaker {
    failures: u32,
    /// When the next operation is let through, by the clock. `None`: the breaker is closed.
    asks_at: Option<Duration>,
    /// When it last failed, by the clock.
    failed: Duration,
}

impl Breakers {
    fn new(way: Way, options: BreakerOptions, clock: Clock) -> Self {
        Self {
            way,
            options,
            clock,
            parts: Mutex::default(),
            any: AtomicBool::new(false),
        }
    }

    /// Whether a part has failed recently.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether an operation on this part of the store is let through.
    pub(super) fn lets_through(&self, part: impl FnOnce() -> u32) -> bool {
        if !self.any() {
            return true;
        }
        let part = part();
        let mut parts = lock(&self.parts);
        let Some(breaker) = parts.get_mut(&part) else {
            return true;
        };
        let Some(asks_at) = breaker.asks_at else {
            return true;
        };
        let now = self.clock.elapsed();
        if now < asks_at {
            return false;
        }
        // of the callers after the pause one asks, and the rest wait for the next pause
        breaker.asks_at = Some(now.saturating_add(self.options.pause));
        true
    }

    /// Records an answer of the part.
    pub(super) fn answered(&self, part: impl FnOnce() -> u32) {
        if !self.any() {
            return;
        }
        let part = part();
        let mut parts = lock(&self.parts);
        let breaker = parts.remove(&part);
        let now = self.clock.elapsed();
        parts.retain(|_, it| now < it.failed.saturating_add(REMEMBERED));
        self.any.store(!parts.is_empty(), Ordering::Release);
        drop(parts);
        if breaker.is_some_and(|breaker| breaker.asks_at.is_some()) {
            tracing::info!(calls = ?self.way, "the shared tier answers again");
        }
    }

    /// Records a failure of the part.
    pub(super) fn failed(&self, part: u32) {
        let now = self.clock.elapsed();
        let mut parts = lock(&self.parts);
        let breaker = parts.entry(part).or_default();
        breaker.failed = now;
        breaker.failures = breaker.failures.saturating_add(1);
        let mut opened = false;
        if breaker.failures >= self.options.failures {
            let asks_at = now.saturating_add(self.options.pause);
            opened = breaker.asks_at.replace(asks_at).is_none();
        }
        self.any.store(true, Ordering::Release);
        drop(parts);
        if opened {
            tracing::warn!(calls = ?self.way, pause = ?self.options.pause, "the shared tier, or a part of it, is not asked for a while");
        }
    }

    /// Records that one of several parts failed, and it is unknown which. From here on each is asked separately.
    pub(super) fn suspect(&self, suspects: impl IntoIterator<Item = u32>) {
        let failed = self.clock.elapsed();
        let mut parts = lock(&self.parts);
        for part in suspects {
            parts.entry(part).or_default().failed = failed;
        }
        self.any.store(!parts.is_empty(), Ordering::Release);
    }

    /// Whether all operations are let through.
    pub(super) fn are_closed(&self) -> bool {
        !self.any() || lock(&self.parts).values().all(|it| it.asks_at.is_none())
    }
}

#[cfg(test)]
mod tests {
    use cacheado_backends::ManualClock;

    use super::*;

    fn breakers(clock: &ManualClock) -> Breakers {
        let options = BreakerOptions {
            failures: 3,
            pause: Duration::from_secs(1),
        };
        Breakers::new(Way::Blocking, options, clock.clone().into())
    }

    #[test]
    fn one_opens_after_failures_in_a_row_and_lets_one_through_after_the_pause() {
        let clock = ManualClock::new();
        let breakers = breakers(&clock);
        let lets_through = || breakers.lets_through(|| 7);
        breakers.failed(7);
        breakers.failed(7);
        breakers.answered(|| 7);
        breakers.failed(7);
        breakers.failed(7);
        assert!(lets_through(), "two in a row");
        breakers.failed(7);
        assert!(!lets_through() && !breakers.are_closed());
        clock.advance(Duration::from_secs(1));
        assert!(lets_through(), "one asks");
        assert!(!lets_through(), "and no other");
        breakers.failed(7);
        clock.advance(Duration::from_millis(999));
        assert!(!lets_through(), "a failure begins another pause");
        clock.advance(Duration::from_millis(1));
        assert!(lets_through());
        breakers.answered(|| 7);
        assert!(lets_through() && lets_through() && breakers.are_closed());
    }

    #[test]
    fn each_part_has_its_own() {
        let breakers = breakers(&ManualClock::new());
        for _ in 0..3 {
            breakers.failed(1);
            breakers.answered(|| 2);
        }
        assert!(!breakers.lets_through(|| 1));
        assert!(breakers.lets_through(|| 2));
        breakers.answered(|| 1);
        assert!(!breakers.any());
    }

    #[test]
    fn a_part_that_nobody_asks_any_more_is_forgotten() {
        let clock = ManualClock::new();
        let breakers = breakers(&clock);
        breakers.failed(1);
        clock.advance(REMEMBERED);
        breakers.failed(2);
        breakers.answered(|| 3);
        assert!(breakers.any());
        breakers.answered(|| 2);
        assert!(!breakers.any());
    }

    #[test]
    fn while_all_is_well_nobody_asks_which_part_it_is() {
        let breakers = breakers(&ManualClock::new());
        let unasked = || -> u32 { panic!("it is asked") };
        assert!(breakers.lets_through(unasked));
        breakers.answered(unasked);
        breakers.suspect([1, 2]);
        assert!(breakers.any() && breakers.lets_through(|| 1));
        breakers.answered(|| 1);
        breakers.answered(|| 2);
        assert!(breakers.lets_through(unasked));
    }
}

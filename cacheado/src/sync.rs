//! The locks, atomics, threads and time of the single flight. `cfg(shuttle)` replaces them with those of a model checker, so that the
//! checked code is the released code.

#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread, thread_local,
    time::Instant,
};

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread, thread_local,
};

#[cfg(shuttle)]
pub(crate) use model::Instant;

use std::sync::PoisonError;

/// Locks `mutex` even if it is poisoned: no user code runs under these locks that could leave a partial change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `condvar` is notified, or `until` at the latest. May also wake up spuriously.
pub(crate) fn wait_until<'g, T>(
    condvar: &Condvar,
    guard: MutexGuard<'g, T>,
    until: Option<Instant>,
) -> MutexGuard<'g, T> {
    let Some(until) = until else {
        return condvar.wait(guard).unwrap_or_else(PoisonError::into_inner);
    };
    let left = until.saturating_duration_since(Instant::now());
    let waited = condvar.wait_timeout(guard, left);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

/// Time in a model: it advances only when the model says so.
#[cfg(shuttle)]
pub mod model {
    use std::cell::Cell;
    use std::ops::Sub;
    use std::time::Duration;

    // all threads of a model run on one OS thread, and each model on its own
    std::thread_local! {
        static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    /// Advances the time of this model by `span`. Wakes nobody.
    pub fn advance(span: Duration) {
        NOW.set(NOW.get() + span);
    }

    /// Replaces [`std::time::Instant`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Instant(Duration);

    impl Instant {
        pub(crate) fn now() -> Self {
            Self(NOW.get())
        }

        pub(crate) fn checked_add(self, span: Duration) -> Option<Self> {
            self.0.checked_add(span).map(Self)
        }

        pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
            self.0.saturating_sub(earlier.0)
        }
    }

    impl Sub for Instant {
        type Output = Duration;

        fn sub(self, earlier: Self) -> Duration {
            self.saturating_duration_since(earlier)
        }
    }
}

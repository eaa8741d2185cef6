//! The locks, atomics, threads and time of the single flight, which `cfg(shuttle)` swaps for those of a model checker, so that what is
//! checked is what ships.

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

/// Locks, whatever happened to an earlier holder: no code of the user's runs under these locks that could leave half a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `condvar` is notified, or until then at the longest; it may be over for no reason, too.
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

/// Time in a model: it stands still until the model moves it.
#[cfg(shuttle)]
pub mod model {
    use std::cell::Cell;
    use std::ops::Sub;
    use std::time::Duration;

    // all threads of a model run on one thread of the system, and each model on its own
    std::thread_local! {
        static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    /// Moves the time of this model by `span`. Wakes nobody.
    pub fn advance(span: Duration) {
        NOW.set(NOW.get() + span);
    }

    /// What stands for [`std::time::Instant`].
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

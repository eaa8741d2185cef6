//! The thread that frees expired entries: one for all caches of the process. It sleeps while nothing can expire.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// The delay before a store is swept again after a sweep that panicked.
const RETRY: Duration = Duration::from_secs(1);

/// A store that the thread sweeps.
pub(super) trait Swept: Send + Sync {
    /// Frees expired entries. Returns how long until the next sweep; `None` if nothing can expire.
    fn sweep(&self) -> Option<Duration>;
}

#[derive(Default)]
struct Sweeper {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    swept: Vec<Weak<dyn Swept>>,
    /// An entry with a deadline was stored since the thread last looked.
    noted: bool,
    running: bool,
}

static SWEEPER: LazyLock<Sweeper> = LazyLock::new(Sweeper::default);

/// Registers `swept`, to be swept until it is dropped.
pub(super) fn register(swept: Weak<dyn Swept>) {
    let mut state = SWEEPER.state.lock().unwrap_or_else(PoisonError::into_inner);
    state.swept.retain(|swept| swept.strong_count() > 0);
    state.swept.push(swept);
}

/// Wakes the thread, and starts it if it is not running. To be called when a store that had nothing to expire has got an entry with a
/// deadline.
pub(super) fn wake() {
    if cfg!(shuttle) {
        // the model checker runs its own threads only
        return;
    }
    let mut state = SWEEPER.state.lock().unwrap_or_else(PoisonError::into_inner);
    state.noted = true;
    if !state.running {
        let spawned = thread::Builder::new()
            .name("cacheado-sweeper".to_owned())
            .spawn(run);
        match spawned {
            Ok(_) => state.running = true,
            // expired entries are still never served; they are removed when their keys are looked up or a full cache makes room
            Err(error) => tracing::warn!(%error, "no thread to free expired entries with"),
        }
    }
    SWEEPER.wake.notify_one();
}

fn run() {
    loop {
        let swept: Vec<_> = {
            let mut state = SWEEPER.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.noted = false;
            state.swept.retain(|swept| swept.strong_count() > 0);
            state.swept.iter().filter_map(Weak::upgrade).collect()
        };
        // a rule or the drop of a value may panic, which must not end the sweeping of all caches
        let sweep = |swept: &Arc<dyn Swept>| {
            panic::catch_unwind(AssertUnwindSafe(|| swept.sweep())).unwrap_or(Some(RETRY))
        };
        let next = swept.iter().filter_map(sweep).min();
        // dropped before the wait, so that a cache that is not used elsewhere is freed now
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(swept)));
        let state = SWEEPER.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.noted {
            continue;
        }
        match next {
            Some(span) => drop(
                SWEEPER
                    .wake
                    .wait_timeout_while(state, span, |state| !state.noted),
            ),
            None => drop(SWEEPER.wake.wait_while(state, |state| !state.noted)),
        }
    }
}

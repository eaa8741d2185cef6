//! The thread that frees what has expired: one for all caches of the process, asleep while nothing can expire.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// When to come again to a store whose sweep panicked.
const RETRY: Duration = Duration::from_secs(1);

/// What the thread looks after.
pub(super) trait Swept: Send + Sync {
    /// Frees what has expired. Returns in how long to come again; `None` if nothing can expire.
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
    /// Something was noted since the thread last looked.
    noted: bool,
    running: bool,
}

static SWEEPER: LazyLock<Sweeper> = LazyLock::new(Sweeper::default);

/// Has `swept` looked after until it is dropped.
pub(super) fn register(swept: Weak<dyn Swept>) {
    let mut state = SWEEPER.state.lock().unwrap_or_else(PoisonError::into_inner);
    state.swept.retain(|swept| swept.strong_count() > 0);
    state.swept.push(swept);
}

/// Tells that something can expire in a store in which nothing could.
pub(super) fn wake() {
    if cfg!(shuttle) {
        // a model has no threads but its own
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
            // expired entries are still never served, and go when their keys are asked for or a full cache makes room
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
        // a rule's hook or a value's drop may panic: that must not end the sweeping of all caches
        let sweep = |swept: &Arc<dyn Swept>| {
            panic::catch_unwind(AssertUnwindSafe(|| swept.sweep())).unwrap_or(Some(RETRY))
        };
        let next = swept.iter().filter_map(sweep).min();
        // dropped before the wait: a cache that nobody else holds ends now
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

//! The thread that reminds waiting futures of the time: one per process, started when a future first waits for another.
//!
//! It needs no runtime's timers, so waiting is bounded under any executor.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError, Weak};
use std::thread;

use crate::sync::Instant;

/// Something that can be reminded of the time.
pub(crate) trait Prod: Send + Sync {
    /// Called when its time has come.
    fn prod(&self);
}

#[derive(Default)]
struct Watchdog {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    watched: BinaryHeap<Reverse<Watched>>,
    /// At this length, entries that no longer exist are dropped.
    limit: usize,
    running: bool,
}

/// The heap is not searched for dropped entries before it has this length.
const SLACK: usize = 256;

struct Watched {
    until: Instant,
    whom: Weak<dyn Prod>,
}

static WATCHDOG: LazyLock<Watchdog> = LazyLock::new(Watchdog::default);

/// Calls `prod` on `whom` at `until`, if it still exists then.
pub(crate) fn watch<P: Prod + 'static>(whom: &Arc<P>, until: Instant) {
    if cfg!(shuttle) {
        // a model advances its time by itself
        return;
    }
    let mut state = WATCHDOG
        .state
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let first = state
        .watched
        .peek()
        .is_none_or(|Reverse(next)| until < next.until);
    if state.watched.len() >= state.limit {
        // most are gone long before their time
        state
            .watched
            .retain(|Reverse(watched)| watched.whom.strong_count() > 0);
        state.limit = 2 * state.watched.len() + SLACK;
    }
    state.watched.push(Reverse(Watched {
        until,
        whom: Arc::downgrade(whom) as Weak<dyn Prod>,
    }));
    if !state.running {
        match thread::Builder::new()
            .name("cacheado-watchdog".to_owned())
            .spawn(run)
        {
            Ok(_) => state.running = true,
            Err(error) => {
                tracing::warn!(%error, "no thread to watch over loads with: a leader that is never polled again is waited for");
            }
        }
    }
    if first {
        WATCHDOG.changed.notify_one();
    }
}

fn run() {
    let mut state = WATCHDOG
        .state
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    loop {
        let now = Instant::now();
        let mut due = Vec::new();
        while state
            .watched
            .peek()
            .is_some_and(|Reverse(next)| next.until <= now)
        {
            due.extend(
                state
                    .watched
                    .pop()
                    .and_then(|Reverse(next)| next.whom.upgrade()),
            );
        }
        if !due.is_empty() {
            drop(state);
            // a waker is the executor's code, and a flight may hold a value of the user's: a panic of either must not end this thread
            for whom in due {
                let prod = move || {
                    whom.prod();
                    drop(whom);
                };
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(prod));
            }
            state = WATCHDOG
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        state = match state.watched.peek() {
            None => WATCHDOG
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(Reverse(next)) => {
                let span = next.until.saturating_duration_since(now);
                WATCHDOG
                    .changed
                    .wait_timeout(state, span)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
    }
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.until == other.until
    }
}

impl Eq for Watched {}

impl PartialOrd for Watched {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Watched {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.until.cmp(&other.until)
    }
}

//! What the crate needs from an async runtime: blocking a thread without stalling the futures that the runtime must poll.

/// Runs `wait`, which blocks until a load has landed. `polled_here`: the load's leader is a future that this thread polled last.
/// Returns `None` if blocking here could keep that future from being polled.
#[cfg(feature = "tokio")]
pub(crate) fn block<R>(polled_here: bool, wait: impl FnOnce() -> R) -> Option<R> {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tokio::runtime::{Handle, RuntimeFlavor};

    if polled_here {
        // it may be part of the very task that would block
        return None;
    }
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        // outside any runtime, or on a current-thread runtime, whose futures are all polled by its one thread
        Err(_) | Ok(RuntimeFlavor::CurrentThread) => Some(wait()),
        // a worker hands over its other tasks before it blocks. Inside a `LocalSet` that panics, which is caught here; where panics
        // can't be caught it is not tried
        Ok(_) if cfg!(panic = "unwind") => {
            catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(wait))).ok()
        }
        Ok(_) => None,
    }
}

/// Runs `wait`, unless this thread polled the leading future last. Without the feature `tokio` no runtime is known; the flight's
/// timeout bounds the wait.
#[cfg(not(feature = "tokio"))]
pub(crate) fn block<R>(polled_here: bool, wait: impl FnOnce() -> R) -> Option<R> {
    (!polled_here).then(wait)
}

/// The task of a runtime; `None` outside any task.
#[cfg(feature = "tokio")]
pub(crate) type TaskId = Option<tokio::task::Id>;

/// The task that this thread is polling.
#[cfg(feature = "tokio")]
pub(crate) fn task() -> TaskId {
    tokio::task::try_id()
}

/// Without a known runtime, tasks can't be told apart.
#[cfg(not(feature = "tokio"))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskId;

/// The task that this thread is polling.
#[cfg(not(feature = "tokio"))]
pub(crate) fn task() -> TaskId {
    TaskId
}

/// Traces the remedy if `panic` comes from a body that needs a tokio runtime and ran in the background without one.
#[cfg(not(feature = "tokio"))]
pub(crate) fn explain(panic: &(dyn std::any::Any + Send)) {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    if message.is_some_and(|message| message.contains("Tokio 1.x runtime")) {
        tracing::error!(
            "an async body that needs a tokio runtime was run in the background without one: enable cacheado's feature `tokio`"
        );
    }
}

/// With the feature `tokio`, bodies run on the runtime of the call.
#[cfg(feature = "tokio")]
pub(crate) fn explain(_: &(dyn std::any::Any + Send)) {}

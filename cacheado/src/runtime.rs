//! What is asked of an async runtime: how to block a thread without stalling what the runtime must poll.

/// Runs `wait`, which blocks until a load has landed. `polled_here`: it is a future's, which was polled last by this thread. `None`:
/// blocking here could keep it from being polled.
#[cfg(feature = "tokio")]
pub(crate) fn block<R>(polled_here: bool, wait: impl FnOnce() -> R) -> Option<R> {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tokio::runtime::{Handle, RuntimeFlavor};

    if polled_here {
        // it may be a part of the very task that would block
        return None;
    }
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        // outside of any runtime, or on one of a single thread, by which all its futures are polled
        Err(_) | Ok(RuntimeFlavor::CurrentThread) => Some(wait()),
        // a worker hands its other tasks on before it blocks. Inside a `LocalSet` that is a panic, which is caught here; where
        // panics can't be caught it is not tried
        Ok(_) if cfg!(panic = "unwind") => {
            catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(wait))).ok()
        }
        Ok(_) => None,
    }
}

/// Runs `wait`, unless the future was polled last by this thread. No runtime is known without the feature `tokio`; the flight's
/// timeout bounds the wait.
#[cfg(not(feature = "tokio"))]
pub(crate) fn block<R>(polled_here: bool, wait: impl FnOnce() -> R) -> Option<R> {
    (!polled_here).then(wait)
}

/// Which task of a runtime is polled; `None`: none is.
#[cfg(feature = "tokio")]
pub(crate) type TaskId = Option<tokio::task::Id>;

/// The task that this thread polls.
#[cfg(feature = "tokio")]
pub(crate) fn task() -> TaskId {
    tokio::task::try_id()
}

/// No runtime is known whose tasks could be told apart.
#[cfg(not(feature = "tokio"))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskId;

/// The task that this thread polls.
#[cfg(not(feature = "tokio"))]
pub(crate) fn task() -> TaskId {
    TaskId
}

/// Traces the remedy if `panic` is that of a body that needs a tokio runtime and has been run in the background without one.
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

/// With the feature they run on the runtime of the call.
#[cfg(feature = "tokio")]
pub(crate) fn explain(_: &(dyn std::any::Any + Send)) {}

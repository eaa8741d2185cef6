//! Helpers that the behaviour tests share. The tests themselves are in `tests/`.

pub mod random;
pub mod servers;
pub mod store;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Runs `test` on a thread of its own, and fails if it hangs.
///
/// # Panics
///
/// If `test` panics, or has not ended after `limit`.
pub fn within<R: Send + 'static>(limit: Duration, test: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _ = done.send(test());
    });
    match result.recv_timeout(limit) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the test ends with a result or a panic"),
        },
    }
}

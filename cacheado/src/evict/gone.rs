//! What is done for a caller who goes away.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// What the process does once the shared tier was asked. If the caller goes away meanwhile, it does so then: what a
/// look-up has taken over from there would stay, of which nothing tells this process any more.
pub(crate) struct Again<R, F: Fn() -> R> {
    last: F,
    done: bool,
}

impl<R, F: Fn() -> R> Again<R, F> {
    pub(crate) fn new(last: F) -> Self {
        Self { last, done: false }
    }

    pub(crate) fn now(mut self) -> R {
        self.done = true;
        (self.last)()
    }
}

impl<R, F: Fn() -> R> Drop for Again<R, F> {
    fn drop(&mut self) {
        if !self.done {
            in_drop(&self.last);
        }
    }
}

/// Runs `last`, over which a rule may panic, in a destructor. The panic goes on, unless one does already: two would end the process.
pub(crate) fn in_drop<R>(last: impl FnOnce() -> R) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(last))
        && !thread::panicking()
    {
        resume_unwind(panic);
    }
}

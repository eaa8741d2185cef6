//! What happens when a caller goes away.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// The action in this process that follows a request to the shared tier. It also runs if the caller goes away meanwhile. Otherwise a
/// copy that a lookup made from the tier would stay, and nothing would report it to this process any more.
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

/// Runs `last`, in which a rule may panic, in a destructor. The panic is resumed, unless the thread is panicking already: a second one
/// would abort the process.
pub(crate) fn in_drop<R>(last: impl FnOnce() -> R) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(last))
        && !thread::panicking()
    {
        resume_unwind(panic);
    }
}

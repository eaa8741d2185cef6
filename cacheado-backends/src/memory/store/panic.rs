//! Panics of rules, and of values as they are dropped, which go on once the store is whole.

use std::any::Any;
use std::panic::resume_unwind;

use super::Policy;
use crate::sync::MutexGuard;

/// What a rule or a value has panicked with.
pub(super) type Panic = Box<dyn Any + Send>;

/// Notes what one has panicked with, if another has not done so before.
pub(super) fn note(first: &mut Option<Panic>, panicked: Option<Panic>) {
    if first.is_none() {
        *first = panicked;
    } else if let Some(later) = panicked {
        // what it is, is the user's, and may panic when it is dropped
        std::mem::forget(later);
    }
}

/// Goes on with it. No lock is to be held that what comes next takes.
pub(super) fn resume(panicked: Option<Panic>) {
    if let Some(panicked) = panicked {
        resume_unwind(panicked);
    }
}

impl Policy {
    /// Lets go of the lock. Returns what a rule has panicked with under it.
    pub(super) fn release(mut this: MutexGuard<'_, Self>) -> Option<Panic> {
        this.panicked.take()
    }
}

//! Panics of rules, and of values while they are dropped. They are resumed once the store is consistent.

use std::any::Any;
use std::panic::resume_unwind;

use super::Policy;
use crate::sync::MutexGuard;

/// The payload of a panic of a rule or a value.
pub(super) type Panic = Box<dyn Any + Send>;

/// Keeps `panicked` in `first`, unless there is an earlier panic.
pub(super) fn note(first: &mut Option<Panic>, panicked: Option<Panic>) {
    if first.is_none() {
        *first = panicked;
    } else if let Some(later) = panicked {
        // the payload is a user's value, whose drop may panic as well
        std::mem::forget(later);
    }
}

/// Resumes the panic. The caller must not hold a lock that the unwinding code may take.
pub(super) fn resume(panicked: Option<Panic>) {
    if let Some(panicked) = panicked {
        resume_unwind(panicked);
    }
}

impl Policy {
    /// Releases the lock. Returns the panic of a rule under it, if there was one.
    pub(super) fn release(mut this: MutexGuard<'_, Self>) -> Option<Panic> {
        this.panicked.take()
    }
}

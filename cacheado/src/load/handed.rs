//! What a load hands to its waiters, if it is more than a value that was loaded for them.

use crate::counters::Event;
use crate::value::AnyValue;

/// What the waiters get from a leader that ran no body, or of a value that may be outdated.
pub(super) struct Handed {
    pub(super) value: Box<AnyValue>,
    /// How the waiters' lookups count: as hits if the lookup that found the value was theirs too, as misses if the load failed.
    pub(super) event: Event,
    /// It only stands in for another value.
    pub(super) stands_in: bool,
    /// What a body makes of it must not go to the shared tier either.
    pub(super) doubted: bool,
}

impl Handed {
    /// The value shared with the waiters, and the `Handed` around it, if there is one.
    pub(super) fn unwrapped(shared: &AnyValue) -> (&AnyValue, Option<&Self>) {
        match shared.downcast_ref::<Self>() {
            Some(handed) => (&*handed.value, Some(handed)),
            None => (shared, None),
        }
    }
}

//! What a load hands to those who wait, if it is more than a value that was loaded for them.

use crate::counters::Event;
use crate::value::AnyValue;

/// What those who wait get of a leader who has loaded nothing, or of what may be old.
pub(super) struct Handed {
    pub(super) value: Box<AnyValue>,
    /// What their look-ups were: hits if it was found by one that was theirs as well, misses if the load has failed.
    pub(super) event: Event,
    /// It only stands in for another value.
    pub(super) stands_in: bool,
    /// What a body makes of it is not to go to the shared tier either.
    pub(super) doubted: bool,
}

impl Handed {
    /// The value that is shared with those who wait, and what it is if it was not merely loaded for them.
    pub(super) fn unwrapped(shared: &AnyValue) -> (&AnyValue, Option<&Self>) {
        match shared.downcast_ref::<Self>() {
            Some(handed) => (&*handed.value, Some(handed)),
            None => (shared, None),
        }
    }
}

//! The two meanings of a path in `ttl`: a lifetime, or a function that computes it from a value.

use std::time::Duration;

/// Gives the lifetime of a `V`.
#[diagnostic::on_unimplemented(
    message = "`ttl` takes a `Duration`, or a function of the stored value that returns one",
    label = "neither a `Duration` nor a function from `&{V}` to one",
    note = "write `Duration::from_secs(…)` for a number of seconds that is no literal, and `|value| …` for what takes the value otherwise"
)]
pub trait Lifetime<V: ?Sized> {
    /// The lifetime of `value`.
    fn of(&self, value: &V) -> Duration;
}

impl<V: ?Sized> Lifetime<V> for Duration {
    fn of(&self, _: &V) -> Duration {
        *self
    }
}

#[diagnostic::do_not_recommend]
impl<V: ?Sized, F: Fn(&V) -> Duration> Lifetime<V> for F {
    fn of(&self, value: &V) -> Duration {
        self(value)
    }
}

/// The lifetime of `value`, from the path in `ttl`. The value comes first so that its type determines what the path must be.
#[inline]
pub fn lifetime<V: ?Sized>(value: &V, path: &impl Lifetime<V>) -> Duration {
    path.of(value)
}

//! What `ttl` names by a path: a lifetime, or a function that says it of a value.

use std::time::Duration;

/// What gives the lifetime of a `V`.
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

/// The lifetime of `value`, as the path says. The value comes first: what it is the path is judged by.
#[inline]
pub fn lifetime<V: ?Sized>(value: &V, path: &impl Lifetime<V>) -> Duration {
    path.of(value)
}

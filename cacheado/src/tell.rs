//! How a failure is told in traces: by what its error prints, if that prints at all.
//!
//! Nothing is asked of a function's error, so it is the type that decides, as for [`Probe`](crate::outcome::Probe): generated code asks
//! `Tell::<Ret>::new().how()`, and finds the method for errors that are `Display`, else that for those that are `Debug`, else none.

use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::ops::Deref;

/// What the error in a return value prints, if it is one.
pub struct How<R>(pub(crate) fn(&R) -> Option<String>);

impl<R> Clone for How<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for How<R> {}

/// A return type that is asked how its errors print.
pub struct Tell<R>(Shown<R>);

/// The answer for errors that are not `Display`.
pub struct Shown<R>(Silent<R>);

/// The answer for errors that are not `Debug` either, and for what is no `Result`.
pub struct Silent<R>(PhantomData<fn() -> R>);

impl<R> Tell<R> {
    /// Asks.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "for generated code")]
    pub const fn new() -> Self {
        Self(Shown(Silent(PhantomData)))
    }
}

impl<T, E: Display> Tell<Result<T, E>> {
    /// By `Display`.
    #[must_use]
    pub const fn how(&self) -> How<Result<T, E>> {
        How(|ret| ret.as_ref().err().map(ToString::to_string))
    }
}

impl<T, E: Debug> Shown<Result<T, E>> {
    /// By `Debug`.
    #[must_use]
    #[allow(clippy::unused_self, reason = "a method is what is found")]
    pub const fn how(&self) -> How<Result<T, E>> {
        How(|ret| ret.as_ref().err().map(|error| format!("{error:?}")))
    }
}

impl<R> Silent<R> {
    /// Not at all.
    #[must_use]
    #[allow(clippy::unused_self, reason = "a method is what is found")]
    pub const fn how(&self) -> How<R> {
        How(|_| None)
    }
}

impl<R> Deref for Tell<R> {
    type Target = Shown<R>;

    fn deref(&self) -> &Shown<R> {
        &self.0
    }
}

impl<R> Deref for Shown<R> {
    type Target = Silent<R>;

    fn deref(&self) -> &Silent<R> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Shows;

    struct Hides;

    fn generic<E>(error: E) -> Option<String> {
        Tell::<Result<(), E>>::new().how().0(&Err(error))
    }

    #[test]
    fn by_what_there_is() {
        let text = |text: &str| Some(text.to_owned());
        let by_display = Tell::<Result<(), &str>>::new().how().0;
        assert_eq!(by_display(&Err("down")), text("down"));
        assert_eq!(by_display(&Ok(())), None);
        let by_debug = Tell::<Result<(), Shows>>::new().how().0;
        assert_eq!(by_debug(&Err(Shows)), text("Shows"));
        assert_eq!(Tell::<Result<(), Hides>>::new().how().0(&Err(Hides)), None);
        assert_eq!(Tell::<u8>::new().how().0(&1), None);
        // nothing is known of it there
        assert_eq!(generic("down"), None);
    }
}

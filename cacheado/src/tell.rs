//! How a failure appears in traces: as its error prints, if it prints at all.
//!
//! There is no bound on a function's error, so its type decides, as for [`Probe`](crate::outcome::Probe). Generated code calls
//! `Tell::<Ret>::new().how()`. That resolves to the method for `Display` errors, else to that for `Debug` errors, else to the one that
//! prints nothing.

use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::ops::Deref;

/// Prints the error in a return value, if there is one.
pub struct How<R>(pub(crate) fn(&R) -> Option<String>);

impl<R> Clone for How<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for How<R> {}

/// Selects how errors of a return type are printed.
pub struct Tell<R>(Shown<R>);

/// The fallback for errors that are not `Display`.
pub struct Shown<R>(Silent<R>);

/// The fallback for errors that are not `Debug` either, and for types that are not a `Result`.
pub struct Silent<R>(PhantomData<fn() -> R>);

impl<R> Tell<R> {
    /// A selector for `R`.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "for generated code")]
    pub const fn new() -> Self {
        Self(Shown(Silent(PhantomData)))
    }
}

impl<T, E: Display> Tell<Result<T, E>> {
    /// Prints by `Display`.
    #[must_use]
    pub const fn how(&self) -> How<Result<T, E>> {
        How(|ret| ret.as_ref().err().map(ToString::to_string))
    }
}

impl<T, E: Debug> Shown<Result<T, E>> {
    /// Prints by `Debug`.
    #[must_use]
    #[allow(clippy::unused_self, reason = "a method is what is found")]
    pub const fn how(&self) -> How<Result<T, E>> {
        How(|ret| ret.as_ref().err().map(|error| format!("{error:?}")))
    }
}

impl<R> Silent<R> {
    /// Prints nothing.
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
        // in generic code nothing is known of the error
        assert_eq!(generic("down"), None);
    }
}

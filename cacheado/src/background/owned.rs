//! What a body that may run in the background keeps of arguments that are only lent to the call, and what it returns.

use std::borrow::Borrow;

/// What can be kept: the owned form of what a reference refers to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be kept for a body that runs in the background",
    label = "only lent to the call, and not `Clone`",
    note = "with `stale`, `refresh_after` or a timeout the body may outlive the call: take the argument as an `Arc`, or derive `Clone` for it"
)]
pub trait Owned {
    /// Its owned form.
    fn kept(&self) -> Kept<Self>;
}

#[diagnostic::do_not_recommend]
impl<T> Owned for T
where
    T: ToOwned + ?Sized,
    T::Owned: Send + 'static,
{
    fn kept(&self) -> Kept<T> {
        Kept(Box::new(self.to_owned()))
    }
}

/// What such a body can return: it may run on another thread, and end when the call is over.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be returned by a body that runs in the background",
    label = "not `Send + 'static`",
    note = "with `stale`, `refresh_after`, `detached` or a timeout the body may run on another thread: return what is `Send + 'static`, and as an error for example `Box<dyn Error + Send + Sync>`"
)]
pub trait Sendable: Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> Sendable for T {}

/// The owned form of an argument. It asks nothing of the argument's type, so what can't be kept is one error, not several.
pub struct Kept<T: ?Sized>(Box<dyn Lends<T> + Send>);

trait Lends<T: ?Sized> {
    fn lend(&self) -> &T;
}

impl<T: ?Sized, O: Borrow<T>> Lends<T> for O {
    fn lend(&self) -> &T {
        self.borrow()
    }
}

impl<T: ?Sized> Kept<T> {
    /// The argument, as the body expects it.
    #[must_use]
    pub fn lend(&self) -> &T {
        (*self.0).lend()
    }
}

/// Keeps an argument.
pub fn keep<T: Owned + ?Sized>(lent: &T) -> Kept<T> {
    lent.kept()
}

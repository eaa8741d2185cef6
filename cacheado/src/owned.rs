//! What a body that may run in the background keeps of arguments that are only lent to the call.

use std::borrow::Borrow;

/// What can be kept: the owned form of what a reference refers to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be kept for a body that runs in the background",
    label = "only lent to the call, and not `Clone`",
    note = "with `stale`, `refresh_after` or a timeout the body may outlive the call: take the argument as an `Arc`, or derive `Clone` for it"
)]
pub trait Owned {
    /// [`Kept`] in every case. That it is looked up here makes one error of what can't be kept, not several.
    type Kept;

    /// That.
    fn kept(&self) -> Self::Kept;
}

#[diagnostic::do_not_recommend]
impl<T> Owned for T
where
    T: ToOwned + ?Sized,
    T::Owned: Send + 'static,
{
    type Kept = Kept<T>;

    fn kept(&self) -> Kept<T> {
        Kept(self.to_owned())
    }
}

/// The owned form of an argument.
pub struct Kept<T: ToOwned + ?Sized>(T::Owned);

impl<T: ToOwned + ?Sized> Kept<T> {
    /// The argument, as the body expects it.
    pub fn lend(&self) -> &T {
        self.0.borrow()
    }
}

/// Keeps an argument.
pub fn keep<T: Owned + ?Sized>(lent: &T) -> T::Kept {
    lent.kept()
}

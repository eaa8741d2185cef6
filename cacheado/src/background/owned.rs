//! What a body that may run in the background is handed of arguments, keeps of those that are only lent to the call, and returns.

use std::borrow::Borrow;
use std::marker::PhantomData;

/// What can be kept: `O` is the owned form of what a reference refers to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be kept for a body that runs in the background",
    label = "only lent to the call, and not `Clone`",
    note = "with `stale`, `refresh_after` or a timeout the body may outlive the call: take the argument as an `Arc`, or derive `Clone` for it"
)]
pub trait Owned<O> {
    /// Makes that.
    fn own(&self) -> O;
}

#[diagnostic::do_not_recommend]
impl<T: ToOwned<Owned = O> + ?Sized, O> Owned<O> for T {
    fn own(&self) -> O {
        self.to_owned()
    }
}

/// What can be handed to such a body: it may run on another thread.
///
/// `K` tells what the compiler makes of a type that can't be: [`Known`], or [`Parameter`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be handed to a body that runs in the background",
    label = "not `Send + 'static`",
    note = "with `stale`, `refresh_after`, `detached` or a timeout the body may run on another thread: take what is `Send + 'static`, for example an `Arc` in the place of an `Rc`, or a `Mutex` in that of a `Cell`"
)]
pub trait Ownable<K>: Send + 'static {
    /// `P`. Of what can't be handed over it is not known, and so no more is said of what is done with it.
    type Given<P>;

    /// Gives it.
    fn given<P>(it: P) -> Self::Given<P>;
}

/// A type that is spelled out: what is said of it is this trait's.
pub struct Known;

/// A type parameter: it lacks a bound, which the compiler suggests.
pub struct Parameter;

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> Ownable<Known> for T {
    type Given<P> = P;

    fn given<P>(it: P) -> P {
        it
    }
}

impl<T: Send + 'static> Ownable<Parameter> for T {
    type Given<P> = P;

    fn given<P>(it: P) -> P {
        it
    }
}

/// An argument.
pub struct Argument<'a, T: ?Sized, K>(&'a T, PhantomData<K>);

/// An argument whose type is spelled out.
pub fn argument<T: ?Sized>(argument: &T) -> Argument<'_, T, Known> {
    Argument(argument, PhantomData)
}

/// An argument whose type is a type parameter.
pub fn argument_of_any<T: ?Sized>(argument: &T) -> Argument<'_, T, Parameter> {
    Argument(argument, PhantomData)
}

/// Asks of an argument that it can be handed to the body that `pending` runs.
pub fn handing<T: Ownable<K>, K, P>(_: Argument<'_, T, K>, pending: P) -> T::Given<P> {
    T::given(pending)
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
pub fn keep<T, K, O>(Argument(lent, _): Argument<'_, T, K>) -> O::Given<Kept<T>>
where
    T: Owned<O> + ?Sized,
    O: Ownable<K> + Borrow<T>,
{
    O::given(Kept(Box::new(lent.own())))
}

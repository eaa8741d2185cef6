//! The requirements on arguments and results of bodies that may run in the background, and the owned forms of borrowed arguments.

use std::borrow::Borrow;
use std::marker::PhantomData;

/// A type that can be kept: `O` is its owned form.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be kept for a body that runs in the background",
    label = "only lent to the call, and not `Clone`",
    note = "with `stale`, `refresh_after` or a timeout the body may outlive the call: take the argument as an `Arc`, or derive `Clone` for it"
)]
pub trait Owned<O> {
    /// Makes the owned form.
    fn own(&self) -> O;
}

#[diagnostic::do_not_recommend]
impl<T: ToOwned<Owned = O> + ?Sized, O> Owned<O> for T {
    fn own(&self) -> O {
        self.to_owned()
    }
}

/// A type that can be handed to a body in the background, which may run on another thread.
///
/// `K` selects the compiler's message for a type that can't be: [`Known`], or [`Parameter`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be handed to a body that runs in the background",
    label = "not `Send + 'static`",
    note = "with `stale`, `refresh_after`, `detached` or a timeout the body may run on another thread: take what is `Send + 'static`, for example an `Arc` in the place of an `Rc`, or a `Mutex` in that of a `Cell`"
)]
pub trait Ownable<K>: Send + 'static {
    /// Always `P`. For a type that can't be handed over it is unknown, which suppresses further errors about its uses.
    type Given<P>;

    /// Returns `it`.
    fn given<P>(it: P) -> Self::Given<P>;
}

/// A type that is spelled out: the message is that of [`Ownable`].
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

/// Requires that an argument can be handed to the body that `pending` runs.
pub fn handing<T: Ownable<K>, K, P>(_: Argument<'_, T, K>, pending: P) -> T::Given<P> {
    T::given(pending)
}

/// A type that a body in the background can return: the body may run on another thread, and end after the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be returned by a body that runs in the background",
    label = "not `Send + 'static`",
    note = "with `stale`, `refresh_after`, `detached` or a timeout the body may run on another thread: return what is `Send + 'static`, and as an error for example `Box<dyn Error + Send + Sync>`"
)]
pub trait Sendable: Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> Sendable for T {}

/// The owned form of an argument. It has no bounds on the argument's type, so a type that can't be kept is one error, not several.
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

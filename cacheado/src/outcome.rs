//! Which part of a function's return value is stored: the `T` of a `Result<T, E>`, and the whole of anything else.
//!
//! The type decides, not its text, so aliases behave like what they stand for. Generated code calls `Probe::<Ret>::new().__kind()`.
//! The method for `Result` takes precedence over that of the type which every probe dereferences to.

use std::marker::PhantomData;
use std::ops::Deref;

use cacheado_backends::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aging::errors::Errors;
use crate::load::pending::Pending;
use crate::value::Typed;

/// A value that can be kept in the process: shared between threads, and cloned for each hit.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be cached",
    label = "not a value that a cache can hold",
    note = "a cached value is `Clone + Send + Sync + 'static`: return an owned value, or an `Arc` of one"
)]
pub trait Value: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Value for T {}

/// A value that can be kept outside the process as well.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be cached",
    label = "not a value that a cache can hold",
    note = "a cached value is `Clone + Send + Sync + 'static`, with or without a shared tier",
    note = "for the shared tier it is `Serialize + DeserializeOwned` as well: derive both, or give the function the option `local` to keep it in the process alone"
)]
pub trait Portable: Value + Serialize + DeserializeOwned {
    /// Always [`Carry`]. As an associated type, it reduces the errors for a value that is not portable to one.
    type Carry<R, K: Outcome<R, Stored = Self>>;
    /// Makes the [`Carry`].
    fn carry<R, K: Outcome<R, Stored = Self>>() -> Self::Carry<R, K>;
}

#[diagnostic::do_not_recommend]
impl<T: Value + Serialize + DeserializeOwned> Portable for T {
    type Carry<R, K: Outcome<R, Stored = Self>> = Carry<R, K>;

    fn carry<R, K: Outcome<R, Stored = Self>>() -> Carry<R, K> {
        Carry::new(Typed::PORTABLE)
    }
}

/// What the programmatic calls store: every type that is `Clone + Send + Sync + 'static`, `Serialize` and `DeserializeOwned`, even
/// without a shared tier. There is nothing to implement; generic functions use it as a bound.
///
/// ```
/// use cacheado::{Cache, Result, Storable};
///
/// fn last_seen<T: Storable>(cache: &Cache, name: &str) -> Result<Option<T>> {
///     cache.get(("last seen", name)).run()
/// }
/// # let cache = Cache::builder().build()?;
/// # cache.set(("last seen", "anna"), &7_u64).run()?;
/// assert_eq!(last_seen(&cache, "anna")?, Some(7_u64));
/// # Ok::<(), cacheado::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in a cache",
    label = "not a value that a cache can hold",
    note = "a stored value is `Clone + Send + Sync + 'static` and, for a shared tier, `Serialize + DeserializeOwned`: derive these, and store what is owned",
    note = "a loader that returns a `Result` goes to `try_get_or_load`, and one that returns a future is run by `.await`, not by `.run()`"
)]
pub trait Storable: Portable {}

#[diagnostic::do_not_recommend]
impl<T: Portable> Storable for T {}

/// Determines which part of a return type is stored.
pub struct Probe<R>(Any<R>);

/// The fallback for all types but `Result`.
pub struct Any<R>(PhantomData<fn() -> R>);

/// A return type `R`, and which of the two kinds it is.
pub struct Kind<R, K>(PhantomData<fn() -> (R, K)>);

/// `Result<T, E>`: the `T` is stored, an `Err` is not.
pub struct ResultKind;

/// Anything else: the whole value is stored.
pub struct WholeKind;

impl<R> Probe<R> {
    /// A probe for `R`.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "for generated code")]
    pub const fn new() -> Self {
        Self(Any(PhantomData))
    }
}

impl<T, E> Probe<Result<T, E>> {
    /// The kind of a `Result`.
    #[must_use]
    pub const fn __kind(&self) -> Kind<Result<T, E>, ResultKind> {
        Kind(PhantomData)
    }
}

impl<R> Deref for Probe<R> {
    type Target = Any<R>;

    fn deref(&self) -> &Any<R> {
        &self.0
    }
}

impl<R> Any<R> {
    /// The kind of anything else. The method's name must be one that no blanket trait has: such a method would be found on [`Probe`]
    /// itself, before this one.
    #[must_use]
    #[allow(clippy::unused_self, reason = "a method is what a probe finds")]
    pub const fn __kind(&self) -> Kind<R, WholeKind> {
        Kind(PhantomData)
    }
}

/// Determines whether a call is over when its function returns.
pub struct Returned<R>(AtOnce<R>);

/// The answer for all types but futures.
pub struct AtOnce<R>(PhantomData<fn() -> R>);

impl<R> Returned<R> {
    /// A probe for `R`.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "for generated code")]
    pub const fn new() -> Self {
        Self(AtOnce(PhantomData))
    }
}

/// The answer for futures.
pub struct Later<R>(PhantomData<fn() -> R>);

impl<R: Future> Returned<R> {
    /// The call is not over.
    #[must_use]
    pub const fn __when(&self) -> Later<R> {
        Later(PhantomData)
    }
}

impl<R> Later<R> {
    /// Never compiles, because no future is [`Over`]. The bound is not on the probed method itself, because the compiler would then
    /// recommend the other candidate.
    #[allow(clippy::unused_self, reason = "a method is what is found")]
    pub const fn __is_over(self)
    where
        R: Over,
    {
    }
}

impl<R> Deref for Returned<R> {
    type Target = AtOnce<R>;

    fn deref(&self) -> &AtOnce<R> {
        &self.0
    }
}

impl<R> AtOnce<R> {
    /// The call is over.
    #[must_use]
    #[allow(clippy::unused_self, reason = "a method is what is found")]
    pub const fn __when(&self) -> Self {
        Self(PhantomData)
    }

    /// Always compiles.
    #[allow(clippy::unused_self, reason = "a method is what is found")]
    pub const fn __is_over(self) {}
}

/// A trait that no future implements: its message is the error.
#[diagnostic::on_unimplemented(
    message = "`#[cache_evict]` evicts once the body has succeeded, and a future that is returned has not run yet",
    label = "this is a future",
    note = "write `async fn` instead, or name the type as `Pin<Box<dyn Future<Output = …>>>`; with the flag `before` it is evicted when the function is called"
)]
pub trait Over {}

impl<R, K> Clone for Kind<R, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, K> Copy for Kind<R, K> {}

impl<R, K: Outcome<R>> Kind<R, K> {
    /// Whether `ret` is a success: not an `Err`.
    pub fn succeeded(self, ret: &R) -> bool {
        K::stored(ret).is_some()
    }
}

/// How the stored part is taken out of a return value, and put back into one.
pub trait Outcome<R> {
    /// The type that is stored.
    type Stored;

    /// The part of `ret` that is stored; `None` for an `Err`.
    fn stored(ret: &R) -> Option<&Self::Stored>;

    /// The part of `ret` that is stored.
    ///
    /// # Errors
    ///
    /// `ret` itself, if it is an `Err`: there is nothing to store.
    fn split(ret: R) -> Result<Self::Stored, R>;

    /// The return value for a hit.
    fn restore(stored: Self::Stored) -> R;
}

impl<T, E> Outcome<Result<T, E>> for ResultKind {
    type Stored = T;

    fn stored(ret: &Result<T, E>) -> Option<&T> {
        ret.as_ref().ok()
    }

    fn split(ret: Result<T, E>) -> Result<T, Result<T, E>> {
        ret.map_err(Err)
    }

    fn restore(stored: T) -> Result<T, E> {
        Ok(stored)
    }
}

impl<R> Outcome<R> for WholeKind {
    type Stored = R;

    fn stored(ret: &R) -> Option<&R> {
        Some(ret)
    }

    fn split(ret: R) -> Result<R, R> {
        Ok(ret)
    }

    fn restore(stored: R) -> R {
        stored
    }
}

/// How the values of one function are kept.
pub struct Carry<R, K: Outcome<R>> {
    pub(crate) typed: Typed<K::Stored>,
    /// How errors are kept, if they are.
    pub(crate) errors: Option<Errors<R>>,
}

impl<R, K: Outcome<R>> Carry<R, K> {
    fn new(typed: Typed<K::Stored>) -> Self {
        Self {
            typed,
            errors: None,
        }
    }
}

impl<R, K: Outcome<R>> Clone for Carry<R, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, K: Outcome<R>> Copy for Carry<R, K> {}

/// For values that can leave the process.
#[must_use]
pub fn portable<R, K>(_: Kind<R, K>) -> <K::Stored as Portable>::Carry<R, K>
where
    K: Outcome<R>,
    K::Stored: Portable,
{
    <K::Stored as Portable>::carry()
}

/// For values that stay in the process.
#[must_use]
pub fn local<R, K>(_: Kind<R, K>) -> Carry<R, K>
where
    K: Outcome<R>,
    K::Stored: Value,
{
    Carry::new(Typed::LOCAL)
}

/// Return types that can express a failure of the shared tier: only `Result`s.
#[diagnostic::on_unimplemented(
    message = "`on_backend_error = \"error\"` needs a function that returns a `Result` whose error is `From<cacheado::Error>`",
    label = "the function returns `{Self}`",
    note = "implement `From<cacheado::Error>` for the error, or leave `on_backend_error` out: then the body runs"
)]
pub trait Fails {
    /// The return value for a failure of the shared tier.
    fn failed(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> Fails for Result<T, E> {
    fn failed(error: Error) -> Self {
        Err(error.into())
    }
}

/// Makes the call return the error if the shared tier fails.
pub fn or_fail<R: Fails, K: Outcome<R>>(pending: Pending<R, K>) -> Pending<R, K> {
    pending.or_fail(R::failed)
}

/// Return types that can express that a body took too long: only `Result`s.
#[diagnostic::on_unimplemented(
    message = "`hard_timeout` needs a function that returns a `Result` whose error is `From<cacheado::Error>`",
    label = "the function returns `{Self}`",
    note = "implement `From<cacheado::Error>` for the error, or leave `hard_timeout` out: then the body is waited for"
)]
pub trait TimesOut {
    /// The return value for a body that took too long.
    fn timed_out(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> TimesOut for Result<T, E> {
    fn timed_out(error: Error) -> Self {
        Err(error.into())
    }
}

/// Makes the call return an error if the body takes too long.
pub fn or_time_out<R: TimesOut, K: Outcome<R>>(pending: Pending<R, K>) -> Pending<R, K> {
    pending.or_time_out(R::timed_out)
}

/// Return types that have errors to keep: only `Result`s.
#[diagnostic::on_unimplemented(
    message = "`err_ttl` needs a function that returns a `Result` whose error can be kept",
    label = "the function returns `{Self}`",
    note = "what is kept is `Clone + Send + Sync + 'static`: derive `Clone` for the error, wrap it into an `Arc`, or leave `err_ttl` out"
)]
pub trait KeepsErrors: Sized {
    /// How the errors are kept.
    fn errors() -> Errors<Self>;
}

#[diagnostic::do_not_recommend]
impl<T, E: Value> KeepsErrors for Result<T, E> {
    fn errors() -> Errors<Self> {
        Errors::of()
    }
}

/// `carry`, with errors kept as well.
pub fn with_errors<R: KeepsErrors, K: Outcome<R>>(carry: Carry<R, K>) -> Carry<R, K> {
    Carry {
        errors: Some(R::errors()),
        ..carry
    }
}

/// Types that can be `None`: only `Option`s.
#[diagnostic::on_unimplemented(
    message = "`cache_none` and `none_ttl` need a function that returns an `Option`, or a `Result` of one",
    label = "the stored value is `{Self}`, which is never `None`",
    note = "leave the option out"
)]
pub trait MaybeNone {
    /// Whether the value is `None`.
    fn is_none(&self) -> bool;
}

impl<T> MaybeNone for Option<T> {
    fn is_none(&self) -> bool {
        Option::is_none(self)
    }
}

/// Whether `value` is `None`.
pub fn is_none<T: MaybeNone>(value: &T) -> bool {
    value.is_none()
}

/// What becomes of a loaded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is not stored.
    Skip,
    /// It is stored, for `ttl`; `None`: until evicted.
    Store {
        /// Its lifetime; zero means that it is not stored.
        ttl: Option<std::time::Duration>,
    },
}

impl Decision {
    /// What becomes of each value of a function without options that look at it. Its type does not depend on the body's, so what takes
    /// it is compiled once for each type of value.
    pub(crate) fn always<T>(ttl: Option<std::time::Duration>) -> impl FnMut(&T) -> Self + Copy {
        move |_| Self::Store { ttl }
    }
}

//! What of a function's return type is stored: the `T` of a `Result<T, E>`, and the whole of anything else.
//!
//! It is the type that decides, not its text, so aliases behave: generated code asks `Probe::<Ret>::new().__kind()`, and the
//! method for `Result` comes before that of what every probe dereferences to.

use std::marker::PhantomData;
use std::ops::Deref;

use cacheado_backends::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aging::errors::Errors;
use crate::load::pending::Pending;
use crate::value::Typed;

/// A value that can be kept in the process: shared between threads, cloned for each hit.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be cached",
    label = "not a value that a cache can hold",
    note = "a cached value is `Clone + Send + Sync + 'static`: return an owned value, or an `Arc` of one"
)]
pub trait Value: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Value for T {}

/// A value that can be kept outside of the process as well.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be cached",
    label = "not a value that a cache can hold",
    note = "a cached value is `Clone + Send + Sync + 'static`, with or without a shared tier",
    note = "for the shared tier it is `Serialize + DeserializeOwned` as well: derive both, or give the function the option `local` to keep it in the process alone"
)]
pub trait Portable: Value + Serialize + DeserializeOwned {
    /// [`Carry`] in every case. That it is looked up here makes one error of a value that is not portable, not several.
    type Carry<R, K: Outcome<R, Stored = Self>>;
    /// The token.
    fn carry<R, K: Outcome<R, Stored = Self>>() -> Self::Carry<R, K>;
}

#[diagnostic::do_not_recommend]
impl<T: Value + Serialize + DeserializeOwned> Portable for T {
    type Carry<R, K: Outcome<R, Stored = Self>> = Carry<R, K>;

    fn carry<R, K: Outcome<R, Stored = Self>>() -> Carry<R, K> {
        Carry::new(Typed::PORTABLE)
    }
}

/// What the programmatic calls store: every type that is `Clone + Send + Sync + 'static`, `Serialize` and `DeserializeOwned`, also
/// where there is no shared tier. Nothing to implement; a generic function of one's own names it as its bound.
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

/// A return type that is asked what of it is stored.
pub struct Probe<R>(Any<R>);

/// The answer for all types but `Result`.
pub struct Any<R>(PhantomData<fn() -> R>);

/// A return type `R`, and which of the two kinds it is.
pub struct Kind<R, K>(PhantomData<fn() -> (R, K)>);

/// `Result<T, E>`: the `T` is stored, an `Err` is not.
pub struct ResultKind;

/// Anything else: the whole is stored.
pub struct WholeKind;

impl<R> Probe<R> {
    /// Asks.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "for generated code")]
    pub const fn new() -> Self {
        Self(Any(PhantomData))
    }
}

impl<T, E> Probe<Result<T, E>> {
    /// It is a `Result`.
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
    /// It is no `Result`. By a name that no trait for all types has: one of a [`Probe`] itself would come before this.
    #[must_use]
    #[allow(clippy::unused_self, reason = "a method is what a probe finds")]
    pub const fn __kind(&self) -> Kind<R, WholeKind> {
        Kind(PhantomData)
    }
}

/// A return type that is asked whether what a call does is over when it returns.
pub struct Returned<R>(AtOnce<R>);

/// The answer for all types but futures.
pub struct AtOnce<R>(PhantomData<fn() -> R>);

impl<R> Returned<R> {
    /// Asks.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "for generated code")]
    pub const fn new() -> Self {
        Self(AtOnce(PhantomData))
    }
}

/// The answer for futures.
pub struct Later<R>(PhantomData<fn() -> R>);

impl<R: Future> Returned<R> {
    /// It is not.
    #[must_use]
    pub const fn __when(&self) -> Later<R> {
        Later(PhantomData)
    }
}

impl<R> Later<R> {
    /// No future is. Not what a probe finds: the compiler would recommend the other one that it could have found.
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
    /// It is.
    #[must_use]
    #[allow(clippy::unused_self, reason = "a method is what is found")]
    pub const fn __when(&self) -> Self {
        Self(PhantomData)
    }

    /// So nothing is to be done.
    #[allow(clippy::unused_self, reason = "a method is what is found")]
    pub const fn __is_over(self) {}
}

/// What no future is: its message is the error.
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

/// How what is stored is taken out of a return value, and put back into one.
pub trait Outcome<R> {
    /// What is stored.
    type Stored;

    /// What of `ret` is stored; `None` for an `Err`.
    fn stored(ret: &R) -> Option<&Self::Stored>;

    /// What of `ret` is stored; `ret` itself for an `Err`.
    ///
    /// # Errors
    ///
    /// There is nothing to store.
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

/// Values that can leave the process.
#[must_use]
pub fn portable<R, K>(_: Kind<R, K>) -> <K::Stored as Portable>::Carry<R, K>
where
    K: Outcome<R>,
    K::Stored: Portable,
{
    <K::Stored as Portable>::carry()
}

/// Values that stay in the process.
#[must_use]
pub fn local<R, K>(_: Kind<R, K>) -> Carry<R, K>
where
    K: Outcome<R>,
    K::Stored: Value,
{
    Carry::new(Typed::LOCAL)
}

/// Only a `Result` can be a failure of the shared tier.
#[diagnostic::on_unimplemented(
    message = "`on_backend_error = \"error\"` needs a function that returns a `Result` whose error is `From<cacheado::Error>`",
    label = "the function returns `{Self}`",
    note = "implement `From<cacheado::Error>` for the error, or leave `on_backend_error` out: then the body runs"
)]
pub trait Fails {
    /// What is returned if the shared tier failed.
    fn failed(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> Fails for Result<T, E> {
    fn failed(error: Error) -> Self {
        Err(error.into())
    }
}

/// The same call, which returns the error if the shared tier fails.
pub fn or_fail<R: Fails, K: Outcome<R>>(pending: Pending<R, K>) -> Pending<R, K> {
    pending.or_fail(R::failed)
}

/// Only a `Result` can say that a body took too long.
#[diagnostic::on_unimplemented(
    message = "`hard_timeout` needs a function that returns a `Result` whose error is `From<cacheado::Error>`",
    label = "the function returns `{Self}`",
    note = "implement `From<cacheado::Error>` for the error, or leave `hard_timeout` out: then the body is waited for"
)]
pub trait TimesOut {
    /// What is returned if the body took too long.
    fn timed_out(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> TimesOut for Result<T, E> {
    fn timed_out(error: Error) -> Self {
        Err(error.into())
    }
}

/// The same call, which returns an error if the body takes too long.
pub fn or_time_out<R: TimesOut, K: Outcome<R>>(pending: Pending<R, K>) -> Pending<R, K> {
    pending.or_time_out(R::timed_out)
}

/// Only a `Result` has errors to keep.
#[diagnostic::on_unimplemented(
    message = "`err_ttl` needs a function that returns a `Result` whose error can be kept",
    label = "the function returns `{Self}`",
    note = "what is kept is `Clone + Send + Sync + 'static`: derive `Clone` for the error, wrap it into an `Arc`, or leave `err_ttl` out"
)]
pub trait KeepsErrors: Sized {
    /// How.
    fn errors() -> Errors<Self>;
}

#[diagnostic::do_not_recommend]
impl<T, E: Value> KeepsErrors for Result<T, E> {
    fn errors() -> Errors<Self> {
        Errors::of()
    }
}

/// The same, and errors are kept as well.
pub fn with_errors<R: KeepsErrors, K: Outcome<R>>(carry: Carry<R, K>) -> Carry<R, K> {
    Carry {
        errors: Some(R::errors()),
        ..carry
    }
}

/// Only `Option` can be `None`.
#[diagnostic::on_unimplemented(
    message = "`cache_none` and `none_ttl` need a function that returns an `Option`, or a `Result` of one",
    label = "the stored value is `{Self}`, which is never `None`",
    note = "leave the option out"
)]
pub trait MaybeNone {
    /// Whether it is.
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

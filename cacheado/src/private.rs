//! What generated code calls. Not part of the public API: it changes with the macros, in any release.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use cacheado_backends::{Hierarchy, IdText, Level as RuntimeLevel, Scope, ScopeId};

pub use cacheado_backends::LevelDef as Level;
pub use cacheado_macros::{__as_written, __expand, __instead, __instead_of_wrong_scopes};
pub use {core, std};

pub use crate::arity::*;
pub use crate::background::owned::{
    Argument, Kept, Known, Ownable, Owned, Parameter, Sendable, argument, argument_of_any, handing,
    keep,
};
pub use crate::batch::batched::{
    BatchCarry, Batched, PendingBatch, batch, batch_local, batch_portable,
};
pub use crate::call::{Async, Blocking, Call, ScopeEviction, scope_eviction};
pub use crate::default::default_cache;
pub use crate::function::{Bare, Function, Mode, Site, Storage, WithAge};
pub use crate::ids::id;
pub use crate::lifetime::{Lifetime, lifetime};
pub use crate::load::pending::Pending;
pub use crate::outcome::{
    Carry, Decision, Fails, KeepsErrors, Kind, MaybeNone, Outcome, Portable, Probe, ResultKind,
    Returned, TimesOut, Value, WholeKind, is_none, local, or_fail, or_time_out, portable,
    with_errors,
};
pub use crate::tell::Tell;

/// The items beside a cached free function: the struct of its name, with its companions. What is the same for all functions is here
/// and not in the attribute's output, where each token costs compile time.
#[doc(hidden)]
#[macro_export]
macro_rules! __beside {
    ($(#[$cfg:meta])* $vis:vis $name:ident { $($companions:tt)* }) => {
        $(#[$cfg])*
        #[doc(hidden)]
        #[allow(non_camel_case_types, clippy::exhaustive_structs)]
        $vis struct $name {}

        $(#[$cfg])*
        #[doc(hidden)]
        // these lints already apply to the visible function
        #[allow(non_snake_case, clippy::too_many_arguments, clippy::type_complexity)]
        impl $name {
            $($companions)*
        }
    };
}
pub use __beside as a_function_without_a_receiver_needs_cache_impl_on_its_impl_block;

/// The scope of `level` with `ids`, root first.
#[must_use]
#[allow(
    clippy::needless_pass_by_value,
    reason = "generated code makes them for this call"
)]
pub fn scope<const N: usize>(level: &'static Level, ids: [IdText<'_>; N]) -> Scope {
    Scope::new(level.level(), &ids)
}

/// Calls `body`, which may return what it captured.
#[inline]
pub fn once<T>(body: impl FnOnce() -> T) -> T {
    body()
}

/// Calls a closure of `when` or `ttl`. The function's name appears in the error for a closure with another parameter.
#[inline]
pub fn closures_see_what_is_stored<V: ?Sized, T>(value: &V, closure: impl FnOnce(&V) -> T) -> T {
    closure(value)
}

/// An argument of a call that is never made.
#[must_use]
pub fn never<T>() -> T {
    unreachable!("no call is made with it")
}

/// Moves the future to the heap.
pub fn boxed<F: Future>(future: F) -> Pin<Box<F>> {
    Box::pin(future)
}

/// Awaits both futures. The first poll begins both, so that a caller that goes away has begun everything, and each sees to its own
/// end.
pub async fn join(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut one_done, mut other_done) = (false, false);
    poll_fn(|cx| {
        one_done = one_done || one.as_mut().poll(cx).is_ready();
        other_done = other_done || other.as_mut().poll(cx).is_ready();
        if one_done && other_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// A `_` in a call that `#[cache_evict]` names, in place of an argument that is not part of the key.
#[derive(Clone, Copy, Debug)]
pub struct Skipped;

/// The root scope.
#[must_use]
pub fn global_scope() -> Scope {
    Scope::global()
}

/// The hierarchy of `levels`, parents before children.
#[must_use]
pub fn hierarchy(levels: &[&'static Level]) -> Hierarchy {
    let levels: Vec<(RuntimeLevel, String)> = levels
        .iter()
        .map(|level| (level.level(), level.param().to_owned()))
        .collect();
    Hierarchy::of(levels)
}

/// The text of an id.
#[inline]
pub fn id_text<T: ScopeId + ?Sized>(id: &T) -> IdText<'_> {
    id.id_text()
}

/// The requirement of `put!` that a function whose `ttl` or `when` names an argument fails. Nothing implements it: its message is the
/// error.
#[diagnostic::on_unimplemented(
    message = "`put!` can't store a value for this function",
    label = "its `ttl` or `when` names an argument",
    note = "let the closure see the value alone, or store by a `#[cache_put]` function of the same `name`"
)]
pub trait PutByValueAlone {}

/// A function whose `ttl` or `when` names an argument.
pub struct NeedsArguments<'a>(std::marker::PhantomData<&'a ()>);

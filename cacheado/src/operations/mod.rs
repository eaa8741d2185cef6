//! Operations as values: made by the methods of [`Cache`](crate::Cache), refined by their own methods, and carried out by `.run()`,
//! which blocks, or by `.await`. Both do the same and fail in the same ways.
//!
//! ```
//! use cacheado::Cache;
//!
//! # let run = async {
//! let cache = Cache::builder().build()?;
//! cache.set("answer", &42_u32).run()?;
//! assert_eq!(cache.get("answer").await?, Some(42_u32));
//! let removed = cache.evict("answer"); // nothing has happened yet
//! assert!(removed.await?);
//! # Ok::<(), cacheado::Error>(())
//! # };
//! # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! # assert!(matches!(std::pin::pin!(run).poll(&mut context), std::task::Poll::Ready(Ok(()))));
//! ```
//!
//! A future that is dropped before it is ready may have done part of its work. What it was to evict or replace in the shared tier is
//! evicted all the same, in the background if need be.

mod evict;
mod failure;
mod get;
mod get_many;
mod get_or_load;
mod list;
mod set;
mod set_many;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use cacheado_backends::{Error, Key, Probe, Result, Scope, Space};
use serde::Serialize;

pub use evict::{Clear, Evict, EvictByScope};
pub use get::Get;
pub use get_many::{GetMany, GetOrLoadMany};
pub use get_or_load::{GetOrLoad, TryGetOrLoad};
pub use list::Keys;
pub use set::Set;
pub use set_many::SetMany;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The beginning of an operation: it is done at once, or must wait.
#[doc(hidden)]
pub enum Begun<'a, T> {
    /// Done, with this result.
    Done(T),
    /// It waits for this future.
    Waits(Boxed<'a, T>),
}

/// An operation that can be awaited. Not for users to implement or call.
#[doc(hidden)]
pub trait Operation<'a>: Sized {
    /// The result.
    type Output: 'a;

    /// Does everything that needs no waiting. Called by the first poll.
    fn begin(self) -> Begun<'a, Self::Output>;
}

/// The future of an operation. Nothing happens before it is polled; an operation that the process can answer by itself allocates
/// nothing.
#[must_use = "futures do nothing unless awaited"]
pub struct OperationFuture<'a, O, T>(Stage<'a, O, T>);

// Plain parameters instead of projections of the operation: when the compiler checks that a future is `Send`, it replaces the lifetime
// by an arbitrary one, and could not prove a bound with it.
enum Stage<'a, O, T> {
    New(O),
    Waits(Boxed<'a, T>),
    Done,
}

impl<O, T> OperationFuture<'_, O, T> {
    pub(crate) fn new(operation: O) -> Self {
        Self(Stage::New(operation))
    }
}

// nothing in it is pinned in place, since a future that waits is boxed
impl<O, T> Unpin for OperationFuture<'_, O, T> {}

impl<'a, O: Operation<'a, Output = T>, T> Future for OperationFuture<'a, O, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut waits = match std::mem::replace(&mut self.0, Stage::Done) {
            Stage::New(operation) => match operation.begin() {
                Begun::Done(result) => return Poll::Ready(result),
                Begun::Waits(waits) => waits,
            },
            Stage::Waits(waits) => waits,
            // polled again after it was ready, for which the contract of futures allows any result
            Stage::Done => return Poll::Pending,
        };
        let polled = waits.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Stage::Waits(waits);
        }
        polled
    }
}

/// Implements `IntoFuture` for an operation.
macro_rules! awaitable {
    ($operation:ident < $life:lifetime $(, $param:ident : $bound:ident $(+ $more:ident)*)* > -> $output:ty) => {
        impl<$life, $($param: $bound $(+ $more)*),*> std::future::IntoFuture for $operation<$life, $($param),*> {
            type Output = cacheado_backends::Result<$output>;
            type IntoFuture = crate::operations::OperationFuture<$life, Self, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                crate::operations::OperationFuture::new(self)
            }
        }
    };
}
pub(crate) use awaitable;

/// The key of a programmatic call.
pub(crate) fn key(scope: &Scope, key: &impl Serialize) -> Result<Key> {
    probe(scope, key)?
        .to_key()
        .map_err(|message| unkeyed(&message))
}

pub(crate) fn probe<'a, K: Serialize>(scope: &'a Scope, key: &'a K) -> Result<Probe<'a, K>> {
    Probe::in_scope(Space::programmatic(scope.level()), scope, key)
        .map_err(|message| unkeyed(&message))
}

fn unkeyed(message: &str) -> Error {
    Error::Key {
        function: "a programmatic call".to_owned(),
        message: message.to_owned(),
    }
}

//! A call that was not found: what generated code hands the body to.

use std::future::Future;

use crate::load::Load;
use crate::outcome::{Decision, Outcome, Value};

/// A call that has to run its body. It owns all it needs and borrows nothing of the arguments, which the body may consume.
pub struct Pending<R, K: Outcome<R>>(Option<Load<K::Stored>>);

impl<R, K: Outcome<R>> Pending<R, K> {
    /// The body runs and nothing is stored.
    pub(crate) fn uncached() -> Self {
        Self(None)
    }

    pub(crate) fn with(load: Load<K::Stored>) -> Self {
        Self(Some(load))
    }
}

impl<R, K: Outcome<R>> Pending<R, K>
where
    K::Stored: Value,
{
    /// Runs the body, or waits for another call that does. `decide` says what becomes of the value.
    pub fn load(self, decide: impl FnOnce(&K::Stored) -> Decision, body: impl FnOnce() -> R) -> R {
        match self.0 {
            None => body(),
            Some(load) => load.run::<R, K>(decide, body),
        }
    }

    /// As [`load`](Self::load), without blocking.
    pub async fn load_async(
        self,
        decide: impl FnOnce(&K::Stored) -> Decision,
        body: impl Future<Output = R>,
    ) -> R {
        match self.0 {
            None => body.await,
            Some(load) => load.run_async::<R, K>(decide, body).await,
        }
    }
}

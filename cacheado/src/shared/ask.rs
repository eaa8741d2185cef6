//! Asking the store for something: the circuit breaker and what is known to be old stand before it, and a failure is counted and traced
//! behind it.

use cacheado_backends::backend::{BackendFuture, BackendResult, Refused};
use cacheado_backends::{Backend, Error, Key, Level, Result, Space};

use super::SharedTier;
use super::guarded::{guarded, guarded_async};
use crate::counters::Event;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The store was not asked.
#[derive(Debug, thiserror::Error)]
enum Unasked {
    #[error("it has failed several times in a row, and is not asked for a while")]
    Open,
    #[error("what it has is known to be old: an eviction of it could not be sent yet")]
    Old,
}

/// Operations for which, if they fail, an eviction is [kept](SharedTier::keep).
const KEPT: [&str; 4] = ["set", "evict", "evict by scope", "clear"];

/// Where what happens to an operation on `key` is counted: `None`, for one on several keys or one that is asked whatever is known to be
/// old, is with the programmatic calls.
fn space_of(key: Option<&Key>) -> &'static Space {
    key.map_or_else(|| Space::programmatic(Level::global()), Key::space)
}

impl SharedTier {
    /// Whether the store is to be asked; an `Err` says why not.
    pub(super) fn lets_through(
        &self,
        operation: &'static str,
        key: Option<&Key>,
        part: impl FnOnce() -> u32,
    ) -> Result<()> {
        let unasked = if key.is_some_and(|key| self.outbox.covers(key)) {
            Unasked::Old
        } else if self.breakers.lets_through(part) {
            return Ok(());
        } else {
            Unasked::Open
        };
        self.counters.count(space_of(key), Event::BackendSkip);
        Err(self.error(operation, unasked.into()))
    }

    fn error(&self, operation: &'static str, source: Failure) -> Error {
        Error::Backend {
            backend: self.backend_name().to_owned(),
            operation,
            kept: KEPT.contains(&operation),
            source: source.into(),
        }
    }

    /// What the store said. A failure is counted and traced.
    pub(super) fn answered<T>(
        &self,
        operation: &'static str,
        key: Option<&Key>,
        part: impl FnOnce() -> u32,
        answer: BackendResult<T>,
    ) -> Result<T> {
        let source = match answer {
            Ok(answer) => {
                self.breakers.answered(part);
                return Ok(answer);
            }
            Err(source) => source,
        };
        if source.is::<Refused>() {
            self.breakers.answered(part);
        } else {
            self.breakers.failed(part());
        }
        Err(self.failed(operation, key, source))
    }

    /// A failure of the store, counted and traced.
    pub(super) fn failed(
        &self,
        operation: &'static str,
        key: Option<&Key>,
        source: Failure,
    ) -> Error {
        self.counters.count(space_of(key), Event::BackendError);
        let error = self.error(operation, source);
        tracing::warn!(%error, "the shared tier failed");
        error
    }

    /// Asks the store for something of `part`, unless what it has under `key` is known to be old.
    pub(super) fn ask<T>(
        &self,
        operation: &'static str,
        key: Option<&Key>,
        part: impl Fn() -> u32,
        ask: impl FnOnce(&dyn Backend) -> BackendResult<T>,
    ) -> Result<T> {
        self.lets_through(operation, key, &part)?;
        self.answered(operation, key, part, guarded(|| ask(&*self.backend)))
    }

    /// As [`ask`](Self::ask), without blocking.
    pub(super) async fn ask_async<'a, T>(
        &'a self,
        operation: &'static str,
        key: Option<&Key>,
        part: impl Fn() -> u32,
        ask: impl FnOnce(&'a dyn Backend) -> BackendFuture<'a, T>,
    ) -> Result<T> {
        self.lets_through(operation, key, &part)?;
        let answer = guarded_async(|| ask(&*self.backend)).await;
        self.answered(operation, key, part, answer)
    }
}

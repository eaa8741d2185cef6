//! Asking the store: the circuit breaker and unsent evictions are checked before, and a failure is counted and traced after.

use cacheado_backends::backend::{BackendResult, Refused};
use cacheado_backends::{Error, Key, Level, Result, Space};

use super::SharedTier;
use super::guarded::guarded;
use super::via::Via;
use crate::counters::Event;
use crate::repeats::warn_seldom;
use crate::way::Way;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Why the store was not asked.
#[derive(Debug, thiserror::Error)]
enum Unasked {
    #[error("it has failed several times in a row, and is not asked for a while")]
    Open,
    #[error("what it has is known to be old: an eviction of it could not be sent yet")]
    Old,
}

/// Operations for which an eviction is [kept](SharedTier::keep) if they fail.
const KEPT: [&str; 4] = ["set", "evict", "evict by scope", "clear"];

/// What an operation is about. Determines where its outcome is counted.
#[derive(Clone, Copy)]
pub(super) enum About<'k> {
    /// A key. The store is not asked while its entry is known to be outdated.
    Current(&'k Key),
    /// A key, even if its entry is known to be outdated: the operation writes a newer value, or such keys were left out.
    Any(&'k Key),
    /// A scope, or everything. Counted with the programmatic calls.
    Scope,
}

impl About<'_> {
    fn space(self) -> &'static Space {
        match self {
            Self::Current(key) | Self::Any(key) => key.space(),
            Self::Scope => Space::programmatic(Level::global()),
        }
    }
}

impl SharedTier {
    /// Checks whether the store may be asked; an `Err` says why not.
    pub(super) fn lets_through(
        &self,
        way: Way,
        operation: &'static str,
        about: About<'_>,
        part: impl FnOnce() -> u32,
    ) -> Result<()> {
        let is_old = matches!(about, About::Current(key) if self.outbox.covers(key));
        let unasked = if is_old {
            Unasked::Old
        } else if self.breakers.of(way).lets_through(part) {
            return Ok(());
        } else {
            Unasked::Open
        };
        self.counters.count(about.space(), Event::BackendSkip);
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

    /// The store's answer. A failure is counted and traced.
    pub(super) fn answered<T>(
        &self,
        way: Way,
        operation: &'static str,
        about: About<'_>,
        part: impl FnOnce() -> u32,
        answer: BackendResult<T>,
    ) -> Result<T> {
        let breakers = self.breakers.of(way);
        let source = match answer {
            Ok(answer) => {
                breakers.answered(part);
                return Ok(answer);
            }
            Err(source) => source,
        };
        if source.is::<Refused>() {
            breakers.answered(part);
        } else {
            breakers.failed(part());
        }
        Err(self.failed(operation, about, source))
    }

    /// Counts and traces a failure of the store.
    pub(super) fn failed(
        &self,
        operation: &'static str,
        about: About<'_>,
        source: Failure,
    ) -> Error {
        self.counters.count(about.space(), Event::BackendError);
        let error = self.error(operation, source);
        let due = self.repeats.due((operation, error.to_string()));
        warn_seldom!(due, %error, "the shared tier failed");
        error
    }

    /// The store, to be asked in this way.
    pub(super) fn via(&self, way: Way) -> Via<'_> {
        let backend = &*self.backend;
        Via { way, backend }
    }

    /// The store's answer about `part`, if it may be asked.
    pub(super) async fn ask<T>(
        &self,
        way: Way,
        operation: &'static str,
        about: About<'_>,
        part: impl Fn() -> u32,
        answer: impl Future<Output = BackendResult<T>>,
    ) -> Result<T> {
        self.lets_through(way, operation, about, &part)?;
        let answer = guarded(answer).await;
        self.answered(way, operation, about, part, answer)
    }
}

//! A wrapper that makes a shared tier fail on demand.
//!
//! [`Faults`] draws what goes wrong, [`Line`] loses reports, [`spoil`] corrupts payloads, and `backend` applies all of it to
//! operations.

mod backend;
mod faults;
mod line;
mod spoil;

use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::Backend;

pub use faults::ChaosCounts;

use faults::{Fault, Faults};
use line::Line;
use spoil::Seen;

/// A [`Backend`] around another one, for rehearsing an outage. Some of its operations fail, are refused, are delayed or return bytes
/// that are not what was stored, and some of its reports are lost, each with a probability of its own. By default nothing goes wrong,
/// and it only adds the draw of a number to the wrapped backend.
///
/// Faults are drawn from the [`seed`](Self::seed): the same operations in the same order meet the same faults. Operations of several
/// threads meet them in the order in which they come.
///
/// Probabilities are from 0 to 1. A lower value counts as 0, a higher one as 1.
///
/// ```
/// use std::time::Duration;
/// use cacheado::Cache;
/// use cacheado::testing::Chaos;
/// # use cacheado::backends::{Backend, BackendResult, Lookup, Payload};
/// # struct Store;
/// # impl Backend for Store {
/// #     fn name(&self) -> &str { "store" }
/// #     fn get(&self, _: &cacheado::Key) -> BackendResult<Lookup> { Ok(None.into()) }
/// #     fn set(&self, _: &cacheado::Key, _: &Payload) -> BackendResult<()> { Ok(()) }
/// #     fn evict(&self, _: &cacheado::Key) -> BackendResult<bool> { Ok(false) }
/// #     fn evict_by_scope(&self, _: &cacheado::Scope) -> BackendResult<u64> { Ok(0) }
/// #     fn clear(&self) -> BackendResult<()> { Ok(()) }
/// # }
/// # let redis = Store;
///
/// let chaos = Chaos::new(redis) // or any other backend
///     .seed(7)
///     .stall(0.05, Duration::from_millis(1))
///     .corrupt(0.01);
/// let handle = chaos.handle();
/// let cache = Cache::builder().backend(chaos).build()?;
///
/// handle.fail(1.0);
/// assert_eq!(cache.get_or_load("answer", || 42_u32).run()?, 42);
/// assert_eq!(cache.stats().backend_errors, 1);
/// assert_eq!(handle.counts().failed, 1);
/// handle.calm();
/// # Ok::<(), cacheado::Error>(())
/// ```
#[derive(Debug)]
pub struct Chaos<B> {
    inner: B,
    handle: ChaosHandle,
}

/// Changes the faults of a [`Chaos`] while it is in use. Cloning is cheap, and clones are the same handle.
#[derive(Clone, Debug)]
pub struct ChaosHandle(Arc<State>);

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    line: Line,
    seen: Seen,
}

impl<B: Backend> Chaos<B> {
    /// Wraps `backend`. Nothing goes wrong by default.
    pub fn new(backend: B) -> Self {
        Self {
            inner: backend,
            handle: ChaosHandle(Arc::default()),
        }
    }

    /// Sets the seed that faults are drawn from, from here on. The default is 0.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.handle.0.faults.set_seed(seed);
        self
    }

    /// With this probability an operation fails as in an outage. Half of these operations are still carried out, and only their
    /// answers are lost.
    #[must_use]
    pub fn fail(self, probability: f64) -> Self {
        self.handle.fail(probability);
        self
    }

    /// With this probability the store refuses an operation, with an error that is a [`Refused`](crate::backends::Refused).
    #[must_use]
    pub fn refuse(self, probability: f64) -> Self {
        self.handle.refuse(probability);
        self
    }

    /// With this probability an operation is delayed by `delay`, at most a minute, whatever its outcome. A blocking operation blocks
    /// its thread. A future needs no runtime; on a tokio runtime it uses that runtime's timers.
    #[must_use]
    pub fn stall(self, probability: f64, delay: Duration) -> Self {
        self.handle.stall(probability, delay);
        self
    }

    /// With this probability a payload that is read is not what was stored: one bit is flipped, its end is missing, or it is the
    /// payload of another key.
    #[must_use]
    pub fn corrupt(self, probability: f64) -> Self {
        self.handle.corrupt(probability);
        self
    }

    /// With this probability a report of a change by another process is lost, as when a connection breaks. [`Change::Lost`] is
    /// reported in its place, and [`Change::Covered`] before the next report that comes through.
    ///
    /// [`Change::Lost`]: crate::backends::Change::Lost
    /// [`Change::Covered`]: crate::backends::Change::Covered
    #[must_use]
    pub fn lose(self, probability: f64) -> Self {
        self.handle.lose(probability);
        self
    }

    /// As [`lose`](Self::lose), but without the report of the loss. A backend that keeps its contract never does that: copies in the
    /// process stay outdated until their lifetimes are over, or until [`calm`](ChaosHandle::calm) is called.
    #[must_use]
    pub fn lose_silently(self, probability: f64) -> Self {
        self.handle.lose_silently(probability);
        self
    }

    /// A handle to change the faults, and to read their counts, later.
    pub fn handle(&self) -> ChaosHandle {
        self.handle.clone()
    }
}

impl ChaosHandle {
    /// As [`Chaos::fail`], from now on.
    pub fn fail(&self, probability: f64) -> &Self {
        self.set(Fault::Fail, probability)
    }

    /// As [`Chaos::refuse`], from now on.
    pub fn refuse(&self, probability: f64) -> &Self {
        self.set(Fault::Refuse, probability)
    }

    /// As [`Chaos::stall`], from now on.
    pub fn stall(&self, probability: f64, delay: Duration) -> &Self {
        self.0.faults.set_delay(delay);
        self.set(Fault::Stall, probability)
    }

    /// As [`Chaos::corrupt`], from now on.
    pub fn corrupt(&self, probability: f64) -> &Self {
        self.set(Fault::Corrupt, probability)
    }

    /// As [`Chaos::lose`], from now on.
    pub fn lose(&self, probability: f64) -> &Self {
        self.set(Fault::Lose, probability)
    }

    /// As [`Chaos::lose_silently`], from now on.
    pub fn lose_silently(&self, probability: f64) -> &Self {
        self.set(Fault::LoseSilently, probability)
    }

    /// Stops all faults. If reports were lost, [`Change::Covered`](crate::backends::Change::Covered) is reported, so that the process
    /// drops the copies that it was not told about; unless the wrapped backend reports no changes just now.
    pub fn calm(&self) -> &Self {
        self.0.faults.calm();
        self.0.line.mend();
        self
    }

    /// What has gone wrong so far.
    #[must_use]
    pub fn counts(&self) -> ChaosCounts {
        self.0.faults.counts()
    }

    fn set(&self, fault: Fault, probability: f64) -> &Self {
        self.0.faults.set(fault, probability);
        self
    }
}

//! The locks, atomics and seeds of the shipped code, which `cfg(shuttle)` swaps for those of a model checker, so that what is
//! checked is what ships.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

/// A lock whose readers don't write to one place: each thread locks one of several for reading, and a writer all of them.
#[cfg(not(shuttle))]
pub(crate) use crossbeam_utils::sync::ShardedLock as ReadMostly;

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, RwLock as ReadMostly, atomic};

#[cfg(not(shuttle))]
pub(crate) use foldhash::fast::RandomState;

/// The same in each run, so that a schedule can be replayed.
#[cfg(shuttle)]
pub(crate) use foldhash::fast::FixedState as RandomState;

use std::sync::PoisonError;

/// Locks, whatever happened to an earlier holder: what these locks guard is whole again before any code of the user's runs.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

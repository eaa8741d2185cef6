//! The locks, atomics and seeds of the shipped code. `cfg(shuttle)` replaces them with those of a model checker, so that the shipped
//! code itself is checked.

mod read_mostly;
mod readers;

use std::sync::PoisonError;

#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread_local,
};

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread_local,
};

#[cfg(not(shuttle))]
pub(crate) use foldhash::fast::RandomState;

/// The seed is the same in each run, so that a schedule can be replayed.
#[cfg(shuttle)]
pub(crate) use foldhash::fast::FixedState as RandomState;

pub(crate) use read_mostly::ReadMostly;

/// Locks, ignoring poison: the data under these locks is consistent again before any user code runs.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The store that operations use, and when it is replaced.
//!
//! The driver makes two connections at a time, and waits without a limit for the first answer on each. If something accepts
//! connections and never answers, such as a load balancer with nothing behind it, the driver makes no others from then on, and its
//! monitoring connection reports no trouble. So a client that gets no answers for a while is given up.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::store::Store;
use crate::backend::BackendResult;
use crate::io::TimedOut;
use crate::sync::{Mutex, lock};

/// A client is given up when it has not answered for this many times the limit of an operation.
const PATIENCE: u32 = 50;

/// The minimum number of timeouts: a seldom used client has had few chances.
const FEWEST: u32 = 3;

/// The store, made at first use, or the driver's error for a configuration that it can't use.
type Made = Result<Arc<Store>, String>;

#[derive(Default)]
pub(super) struct Current {
    made: RwLock<Option<Made>>,
    silence: Mutex<Option<Silence>>,
}

/// The current run of operations that timed out.
#[derive(Clone, Copy)]
struct Silence {
    count: u32,
    since: Instant,
}

impl Current {
    /// The store. Calls `make` if there is none.
    pub(super) fn get(&self, make: impl FnOnce() -> Made) -> BackendResult<Arc<Store>> {
        let there = self.made.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*there {
            return Ok(made.clone()?);
        }
        drop(there);
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        Ok(made.get_or_insert_with(make).clone()?)
    }

    /// Notes the outcome of an operation of `store`, with a limit of `limit` per round trip.
    pub(super) fn note<T>(&self, store: &Arc<Store>, limit: Duration, done: &BackendResult<T>) {
        if matches!(done, Err(error) if error.is::<TimedOut>()) {
            if self.is_to_go(limit) {
                self.give_up(store);
            }
        } else {
            *lock(&self.silence) = None;
        }
    }

    fn is_to_go(&self, limit: Duration) -> bool {
        let mut silence = lock(&self.silence);
        let silence = silence.get_or_insert_with(|| Silence {
            count: 0,
            since: Instant::now(),
        });
        silence.count = silence.count.saturating_add(1);
        silence.count >= FEWEST && silence.since.elapsed() >= limit.saturating_mul(PATIENCE)
    }

    /// Makes the next operation create another store in place of `store`.
    fn give_up(&self, store: &Arc<Store>) {
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        // other operations may have given it up already
        if !matches!(&*made, Some(Ok(now)) if Arc::ptr_eq(now, store)) {
            return;
        }
        let old = made.take();
        drop(made);
        *lock(&self.silence) = None;
        drop(old);
        tracing::warn!(
            "MongoDB does not answer by the connections that there are: others are made"
        );
    }
}

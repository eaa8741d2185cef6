//! The store that operations use, and when another is made in its place.
//!
//! The driver makes two connections at a time, and waits without an end for the first answer by each. Where something takes connections and
//! never answers them, such as a load balancer with nothing behind it, it makes no others ever after, though the connection by which it
//! watches the server tells of no trouble. So a client by which nothing is answered for a while is given up.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::store::Store;
use crate::backend::BackendResult;
use crate::io::TimedOut;
use crate::sync::{Mutex, lock};

/// A client is given up when it has not answered for so many times as long as an operation may take.
const PATIENCE: u32 = 50;

/// And so often: one that is seldom asked has had few chances.
const FEWEST: u32 = 3;

/// The store, made at first use; the error is the driver's of a configuration that it can't work with.
type Made = Result<Arc<Store>, String>;

#[derive(Default)]
pub(super) struct Current {
    made: RwLock<Option<Made>>,
    silence: Mutex<Option<Silence>>,
}

/// Operations in a row that have taken too long.
#[derive(Clone, Copy)]
struct Silence {
    count: u32,
    since: Instant,
}

impl Current {
    /// The store, which is `made` if there is none.
    pub(super) fn get(&self, make: impl FnOnce() -> Made) -> BackendResult<Arc<Store>> {
        let there = self.made.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*there {
            return Ok(made.clone()?);
        }
        drop(there);
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        Ok(made.get_or_insert_with(make).clone()?)
    }

    /// Hears what came of an operation of `store`, which might have taken `limit` a round trip.
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

    /// Has the next operation make another in the place of `store`.
    fn give_up(&self, store: &Arc<Store>) {
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        // others may have found the same
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

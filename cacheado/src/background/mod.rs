//! Bodies that run in the background: how many at once, where, and until when.
//!
//! Async bodies run on the runtime of the caller that began them. Sync bodies run on the cache's own threads, which are started on
//! demand and end when idle.

pub(crate) mod handed;
pub(crate) mod owned;
#[cfg(feature = "tokio")]
mod tasks;
pub(crate) mod timed;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::sync::{Condvar, Mutex, MutexGuard, lock, thread};

/// How many bodies run at once, unless the builder says otherwise.
pub(crate) const LIMIT: usize = 64;

/// How long a thread waits for another body before it ends.
const IDLE: Duration = Duration::from_secs(5);

/// A body that waits for a thread.
struct Job {
    /// No caller waits for it.
    ends: bool,
    run: Box<dyn FnOnce() + Send>,
}

/// What runs in the background for one cache.
pub(crate) struct Background(Arc<Workers>);

struct Workers {
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// No body begins any more.
    closed: bool,
    /// The bodies that run or wait for a thread.
    running: usize,
    waiting: VecDeque<Job>,
    idle: usize,
    #[cfg(feature = "tokio")]
    tasks: tasks::Tasks,
}

/// One of the limited places for running bodies. Released on drop.
struct Place {
    workers: Arc<Workers>,
    #[cfg(feature = "tokio")]
    task: Option<u64>,
}

impl Background {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Workers {
            limit,
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// Runs `job` with `it` on a separate thread. A job that is not `ends` also runs after the others were [ended](Self::close),
    /// because a caller waits for it.
    ///
    /// # Errors
    ///
    /// `it`, if the limit is reached, or no body begins any more.
    pub(crate) fn run<T: Send + 'static>(&self, it: T, job: fn(T), ends: bool) -> Result<(), T> {
        let Some(place) = self.0.enter() else {
            return Err(it);
        };
        let mut state = self.0.lock();
        if state.closed {
            drop(state);
            return Err(it);
        }
        if state.idle <= state.waiting.len() {
            let workers = Arc::clone(&self.0);
            let thread = thread::Builder::new().name("cacheado-background".to_owned());
            if let Err(error) = thread.spawn(move || workers.work()) {
                tracing::warn!(%error, "no thread to run a body in the background on");
                drop(state);
                return Err(it);
            }
        }
        let run = Box::new(move || {
            let _place = place;
            job(it);
        });
        state.waiting.push_back(Job { ends, run });
        drop(state);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Lets no further body begin, and ends what can be ended: tasks at their next `.await`. A body on a thread runs to its end.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        #[cfg(feature = "tokio")]
        let tasks = state.tasks.take_ends();
        let waiting = std::mem::take(&mut state.waiting).into_iter();
        let (ended, rest): (VecDeque<Job>, _) = waiting.partition(|job| job.ends);
        state.waiting = rest;
        // the ended jobs hold values of the user's, which are dropped outside the lock
        drop(state);
        #[cfg(feature = "tokio")]
        tasks.iter().for_each(tokio::task::AbortHandle::abort);
        drop(ended);
        self.0.changed.notify_all();
    }

    /// As with the feature `tokio`, outside its runtimes.
    #[cfg(not(feature = "tokio"))]
    pub(crate) fn spawn(&self, task: handed::Task, ends: bool) -> Result<(), handed::Task> {
        self.run(task, crate::way::block_on, ends)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.close();
    }
}

impl Workers {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Takes a place, if there is one.
    fn enter(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.lock();
        if state.running >= self.limit {
            drop(state);
            #[cfg(feature = "tokio")]
            self.make_room();
            state = self.lock();
        }
        if state.closed || state.running >= self.limit {
            return None;
        }
        state.running += 1;
        drop(state);
        Some(Place {
            workers: Arc::clone(self),
            #[cfg(feature = "tokio")]
            task: None,
        })
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                drop(state);
                // the panic hook has reported a panic, and the waiters have been released
                let _ = catch_unwind(AssertUnwindSafe(job.run));
                state = self.lock();
                continue;
            }
            if state.closed {
                return;
            }
            state.idle += 1;
            let (woken, waited) = self
                .changed
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.waiting.is_empty() {
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.workers.lock();
        #[cfg(feature = "tokio")]
        if self.task.is_some_and(|task| !state.tasks.remove(task)) {
            // its place was given to another
            return;
        }
        state.running -= 1;
    }
}

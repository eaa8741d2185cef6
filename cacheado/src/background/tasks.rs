//! Tasks on tokio runtimes that run bodies.

use std::collections::HashMap;
use std::sync::Weak;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::handed::{Handed, Task};
use super::{Background, Place, Workers};
use crate::way::block_on;

/// The running tasks, to be ended when the cache shuts down.
#[derive(Default)]
pub(super) struct Tasks {
    next: u64,
    running: HashMap<u64, Running>,
}

struct Running {
    /// Ends the task; `None` if it must not be ended, or is not spawned yet.
    end: Option<AbortHandle>,
    body: Weak<Handed>,
    /// It occupies a place.
    placed: bool,
}

impl Tasks {
    /// Registers a task that is about to be spawned. Returns its number.
    fn begin(&mut self, task: &Task) -> u64 {
        self.next += 1;
        let running = Running {
            end: None,
            body: task.body(),
            placed: true,
        };
        self.running.insert(self.next, running);
        self.next
    }

    /// Records how to end the task, unless it is over already.
    fn note(&mut self, number: u64, task: AbortHandle) {
        if let Some(running) = self.running.get_mut(&number) {
            running.end = Some(task);
        }
    }

    /// Removes a task that is over. Returns whether it occupied a place.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let running = self.running.remove(&number);
        running.is_some_and(|running| running.placed)
    }

    /// Takes the handles of the tasks that must end, so that the caller can abort them outside the lock.
    pub(super) fn take_ends(&mut self) -> Vec<AbortHandle> {
        let running = self.running.values_mut();
        running.filter_map(|running| running.end.take()).collect()
    }
}

impl Workers {
    /// Frees the places of stalled tasks, whose runtimes are not driven any more.
    pub(super) fn make_room(&self) {
        let placed: Vec<(u64, Weak<Handed>)> = {
            let state = self.lock();
            let placed = state.tasks.running.iter().filter(|(_, it)| it.placed);
            let placed = placed.map(|(number, running)| (*number, Weak::clone(&running.body)));
            placed.collect()
        };
        // outside the lock: this may drop the last reference to the body, which holds values of the user's
        let stands_still = |body: &Weak<Handed>| body.upgrade().is_some_and(|it| it.is_overdue());
        for (number, _) in placed.into_iter().filter(|(_, body)| stands_still(body)) {
            let mut state = self.lock();
            if let Some(running) = state.tasks.running.get_mut(&number)
                && std::mem::take(&mut running.placed)
            {
                state.running -= 1;
            }
        }
    }
}

impl Background {
    /// Runs `task` on the current runtime, or outside of any, on a separate thread. A task that is not `ends` goes on when the others
    /// are [ended](Background::close).
    ///
    /// # Errors
    ///
    /// The task, if the limit is reached, or no body begins any more.
    pub(crate) fn spawn(&self, task: Task, ends: bool) -> Result<(), Task> {
        let Ok(runtime) = Handle::try_current() else {
            return self.run(task, block_on, ends);
        };
        let Some(mut place) = self.0.enter() else {
            return Err(task);
        };
        let number = self.0.lock().tasks.begin(&task);
        place.task = Some(number);
        // outside the lock: a runtime that is shutting down drops the task, and its place, inside this call
        let spawned = runtime.spawn(async move {
            let _place: Place = place;
            task.await;
        });
        if !ends {
            return Ok(());
        }
        let spawned = spawned.abort_handle();
        let mut state = self.0.lock();
        state.tasks.note(number, spawned.clone());
        if state.closed {
            drop(state);
            spawned.abort();
        }
        Ok(())
    }
}

//! The tasks of tokio's runtimes that run bodies.

use std::collections::HashMap;
use std::sync::Weak;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::handed::{Handed, Task};
use super::{Background, Place, Workers};
use crate::way::block_on;

/// The tasks that run, to be ended when nothing is to run any more.
#[derive(Default)]
pub(super) struct Tasks {
    next: u64,
    running: HashMap<u64, Running>,
}

struct Running {
    /// To end it by, if it is one to be ended; `None` until the task is there, too.
    end: Option<AbortHandle>,
    body: Weak<Handed>,
    /// It takes a place.
    placed: bool,
}

impl Tasks {
    /// The number of one that is about to be spawned.
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

    /// That one is there, unless it is over already.
    fn note(&mut self, number: u64, task: AbortHandle) {
        if let Some(running) = self.running.get_mut(&number) {
            running.end = Some(task);
        }
    }

    /// It is over. Answers whether it took a place.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let running = self.running.remove(&number);
        running.is_some_and(|running| running.placed)
    }

    /// What those are ended by that are to be, for where no lock is held.
    pub(super) fn take_ends(&mut self) -> Vec<AbortHandle> {
        let running = self.running.values_mut();
        running.filter_map(|running| running.end.take()).collect()
    }
}

impl Workers {
    /// Gives the places of tasks that stand still, on runtimes that are not driven any more, to others.
    pub(super) fn make_room(&self) {
        let placed: Vec<(u64, Weak<Handed>)> = {
            let state = self.lock();
            let placed = state.tasks.running.iter().filter(|(_, it)| it.placed);
            let placed = placed.map(|(number, running)| (*number, Weak::clone(&running.body)));
            placed.collect()
        };
        // under no lock: it may be the last to know the body, which holds values of the user's
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
    /// Runs `task` on the runtime that this is called in; outside of any, on a thread of its own. One that is not `ends` goes on when
    /// the others are [ended](Background::close).
    ///
    /// # Errors
    ///
    /// The task, if as many run as may, or nothing begins any more.
    pub(crate) fn spawn(&self, task: Task, ends: bool) -> Result<(), Task> {
        let Ok(runtime) = Handle::try_current() else {
            return self.run(task, block_on, ends);
        };
        let Some(mut place) = self.0.enter() else {
            return Err(task);
        };
        let number = self.0.lock().tasks.begin(&task);
        place.task = Some(number);
        // under no lock: a runtime that is ending drops the task here and now, and its place with it
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

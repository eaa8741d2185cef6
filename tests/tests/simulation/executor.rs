//! Tasks, polled one at a time in a random order.
//!
//! A cache spawns its background work on the tokio runtime that it finds. Here that is a single-threaded runtime, which runs when it
//! is its turn.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use tokio::runtime::Runtime;

use cacheado_tests::random::Random;

pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

type Ready = Arc<Mutex<Vec<usize>>>;

pub struct Executor {
    tasks: Vec<Option<Task>>,
    ready: Ready,
    background: Runtime,
}

struct Task {
    process: usize,
    work: Work,
    waker: Waker,
}

struct Waking {
    task: usize,
    ready: Ready,
}

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if !ready.contains(&self.task) {
            ready.push(self.task);
        }
    }
}

impl Executor {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        Self {
            tasks: Vec::new(),
            ready: Ready::default(),
            background: runtime.expect("a runtime without input and output"),
        }
    }

    /// Adds `work` of a process to the tasks to poll.
    pub fn spawn(&mut self, process: usize, work: Work) {
        let task = self.tasks.len();
        let ready = Arc::clone(&self.ready);
        let waker: Waker = Arc::new(Waking { task, ready }).into();
        waker.wake_by_ref();
        self.tasks.push(Some(Task {
            process,
            work,
            waker,
        }));
    }

    /// Whether some task can continue. Background work may or may not be able to.
    pub fn is_ready(&self) -> bool {
        !self.lock().is_empty()
    }

    pub fn has_background(&self) -> bool {
        self.background.metrics().num_alive_tasks() > 0
    }

    /// The number of tasks that have not ended.
    pub fn live(&self) -> usize {
        self.tasks.iter().flatten().count()
    }

    /// Polls one of the tasks that can continue, if there are any.
    pub fn poll_one(&mut self, random: &mut Random) {
        let number = {
            let mut ready = self.lock();
            if ready.is_empty() {
                return;
            }
            let index = random.index(ready.len());
            ready.swap_remove(index)
        };
        let _inside = self.background.enter();
        let Some(task) = &mut self.tasks[number] else {
            return;
        };
        let mut context = Context::from_waker(&task.waker);
        if task.work.as_mut().poll(&mut context).is_ready() {
            self.tasks[number] = None;
        }
    }

    /// Runs the background work as far as it can go.
    pub fn run_background(&self) {
        self.background.block_on(tokio::task::yield_now());
    }

    /// Drops one of the live tasks before it is done, as when a client hangs up. Returns its process.
    pub fn cancel_one(&mut self, random: &mut Random) -> Option<usize> {
        let live = |it: &(usize, &Option<Task>)| it.1.is_some();
        let live: Vec<usize> = self
            .tasks
            .iter()
            .enumerate()
            .filter(live)
            .map(|it| it.0)
            .collect();
        if live.is_empty() {
            return None;
        }
        let _inside = self.background.enter();
        let task = self.tasks[live[random.index(live.len())]].take()?;
        Some(task.process)
    }

    /// Drops all tasks of a process.
    pub fn end(&mut self, process: usize) {
        let _inside = self.background.enter();
        for task in &mut self.tasks {
            if task.as_ref().is_some_and(|it| it.process == process) {
                *task = None;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

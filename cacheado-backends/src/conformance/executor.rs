//! How the suite waits for a backend's futures.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::threads::join;

/// A future of the suite, to be run to its end.
pub type Task<'f> = Pin<Box<dyn Future<Output = ()> + Send + 'f>>;

/// Runs each task it is given to its end.
pub(super) type Executor<'a> = dyn for<'f> Fn(Task<'f>) + Send + Sync + 'a;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `task` without a runtime, whatever surrounds the caller: on a thread of its own. Inside a runtime, that runtime's futures
/// count on it to poll others in between, and wait for ever when something blocks it.
pub(super) fn run_apart(task: Task<'_>) {
    thread::scope(|scope| join(vec![scope.spawn(|| block_on(task))]));
}

/// The smallest executor: polls on this thread, and parks it in between.
fn block_on(task: Task<'_>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut task = pin!(task);
    while task.as_mut().poll(&mut context) == Poll::Pending {
        thread::park();
    }
}

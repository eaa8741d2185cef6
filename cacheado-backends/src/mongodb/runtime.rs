//! The runtime of the driver, all of whose operations are tasks there.
//!
//! The driver computes for tens of microseconds an operation, in the task that awaits it: one thread for all would be what many callers
//! wait for. And each operation has a connection to itself, so none depends on which of them goes first.

use std::future::Future;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::backend::BackendResult;
use crate::io::{Own, TimedOut, build, wait_on};

/// How many threads it has at most. They run nothing but the driver.
const MOST_THREADS: usize = 8;

static RUNTIME: Own = Own::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    build("cacheado-mongodb", cores.min(MOST_THREADS))
});

/// # Errors
///
/// If the system gave it no thread.
pub(super) fn handle() -> BackendResult<&'static Handle> {
    RUNTIME.handle()
}

/// `operation`, in a task of the runtime, for `limit` at most.
pub(super) async fn within<T>(
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>>,
) -> BackendResult<T> {
    let done = timeout(limit, operation).await;
    done.unwrap_or_else(|_| Err(TimedOut(limit).into()))
}

/// `operation` on the runtime, awaited by blocking this thread for `limit` at most. For a thread of any runtime but this one.
pub(super) fn wait<T: Send + 'static>(
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>> + Send + 'static,
) -> BackendResult<T> {
    wait_on(handle()?, limit, operation)
}

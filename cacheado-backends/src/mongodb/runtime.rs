//! The runtime of the driver. All driver operations are tasks on it.
//!
//! The driver computes for tens of microseconds per operation, in the task that awaits it, so a single thread would be a bottleneck
//! for many callers. Each operation has its own connection, so their order does not matter.

use std::future::Future;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::backend::BackendResult;
use crate::io::{Own, TimedOut, build, wait_on};

/// The maximum number of threads. They run nothing but the driver.
const MOST_THREADS: usize = 8;

static RUNTIME: Own = Own::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    build("cacheado-mongodb", cores.min(MOST_THREADS))
});

/// # Errors
///
/// If the system could not start its threads.
pub(super) fn handle() -> BackendResult<&'static Handle> {
    RUNTIME.handle()
}

/// Awaits `operation` for at most `limit`. Called in a task of the runtime.
pub(super) async fn within<T>(
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>>,
) -> BackendResult<T> {
    let done = timeout(limit, operation).await;
    done.unwrap_or_else(|_| Err(TimedOut(limit).into()))
}

/// Runs `operation` on the runtime and blocks this thread for at most `limit`. Not for threads of this runtime.
pub(super) fn wait<T: Send + 'static>(
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>> + Send + 'static,
) -> BackendResult<T> {
    wait_on(handle()?, limit, operation)
}

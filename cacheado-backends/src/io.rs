//! The runtimes on which the drivers of backends run, unless the user gives one: runtimes of this crate's own, which outlive every
//! runtime of the user.
//!
//! A driver's task ends with the runtime that it was spawned on, and users' runtimes come and go (each `#[tokio::test]` has one). A
//! driver that runs here can be used from any thread, inside any runtime or outside.

use std::future::Future;
#[cfg(any(feature = "memcached", feature = "redis"))]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::backend::BackendResult;
#[cfg(any(feature = "mongodb", feature = "redis"))]
use crate::backend::{Change, Changes};
use crate::error::{Error, Result};

/// A year. Longer limits are cut to this, because drivers add a limit to the current time, which could overflow.
#[cfg(any(feature = "memcached", feature = "mongodb"))]
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A runtime of this crate's own. Never dropped, because dropping a runtime inside another one panics.
pub(crate) struct Own(LazyLock<std::io::Result<Runtime>>);

impl Own {
    /// The handle of the runtime, which is built at first use.
    pub(crate) const fn new(build: fn() -> std::io::Result<Runtime>) -> Self {
        Self(LazyLock::new(build))
    }

    /// # Errors
    ///
    /// If the system refuses a thread.
    pub(crate) fn handle(&'static self) -> BackendResult<&'static Handle> {
        match &*self.0 {
            Ok(runtime) => Ok(runtime.handle()),
            Err(error) => Err(format!("no thread for input and output: {error}").into()),
        }
    }
}

/// Builds a runtime with so many worker `threads`, called `name`.
pub(crate) fn build(name: &str, threads: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
}

/// The runtime for shared connections. It has one thread: each connection is a task, and an abandoned connection must have sent
/// everything that it will ever send before its successor sends anything.
#[cfg(any(feature = "memcached", feature = "redis"))]
static RUNTIME: Own = Own::new(|| build("cacheado-io", 1));

/// The operation exceeded its time limit.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(crate) struct TimedOut(pub(crate) Duration);

/// The `error` of an operation with this `limit`. A timeout names the whole limit, not what was left of it for the last step.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) fn of_all(
    limit: Duration,
    error: Box<dyn std::error::Error + Send + Sync>,
) -> Box<dyn std::error::Error + Send + Sync> {
    if error.is::<TimedOut>() {
        TimedOut(limit).into()
    } else {
        error
    }
}

/// Refuses limits of zero. `backend` is the backend's name.
///
/// # Errors
///
/// [`Error::Config`], which names the limit.
pub(crate) fn check_limits(backend: &str, timeout: Duration, load_limit: Duration) -> Result<()> {
    let limits = [
        ("timeout", timeout, "no operation would end in time"),
        (
            "load_limit",
            load_limit,
            "nothing that is loaded would be stored",
        ),
    ];
    match limits.into_iter().find(|(_, limit, _)| limit.is_zero()) {
        None => Ok(()),
        Some((name, _, why)) => Err(Error::config(
            format!("{backend}::{name}(0)"),
            format!("{why}: give a duration longer than zero, or leave it out"),
        )),
    }
}

/// The runtime for connections that operations share.
///
/// # Errors
///
/// If the system refuses a thread.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) fn runtime() -> BackendResult<&'static Handle> {
    RUNTIME.handle()
}

/// Refuses a `runtime` of the user that could not drive connections. `backend` is the backend's name.
///
/// # Errors
///
/// [`Error::Config`] if it has no timers, or does not drive sockets.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) fn check_runtime(backend: &str, runtime: &Handle) -> Result<()> {
    let use_both = || -> std::io::Result<()> {
        let _context = runtime.enter();
        drop(tokio::time::sleep(Duration::ZERO));
        let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        tokio::net::UdpSocket::from_std(socket).map(drop)
    };
    // a runtime does not reveal this by other means; where a panic can't be caught, the check is skipped
    if cfg!(panic = "abort") || catch_unwind(AssertUnwindSafe(use_both)).is_ok() {
        return Ok(());
    }
    Err(Error::config(
        format!("{backend}::runtime"),
        "it has no timers, or drives no sockets: build it with `enable_all()`",
    ))
}

/// Awaits `operation` for `limit` at most. It is polled by the caller, inside any runtime or outside.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) async fn within<T>(
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>>,
) -> BackendResult<T> {
    let runtime = runtime()?;
    let mut operation = std::pin::pin!(operation);
    let operation = std::future::poll_fn(|cx| {
        // the driver's timers and tasks must belong to this runtime: the caller's may have no timers, and may end before them
        let _context = runtime.enter();
        operation.as_mut().poll(cx)
    });
    within_bare(limit, operation).await
}

/// As [`within`], for an operation whose polls start no timers or tasks and open no sockets, so that it needs no runtime around it.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) async fn within_bare<T>(
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>>,
) -> BackendResult<T> {
    let timeout = {
        let _context = runtime()?.enter();
        tokio::time::timeout(limit, operation)
    };
    timeout
        .await
        .unwrap_or_else(|_| Err(TimedOut(limit).into()))
}

/// Runs `operation` on the runtime, and blocks this thread for `limit` at most. Not to be called on a thread of this runtime.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) fn wait<T: Send + 'static>(
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>> + Send + 'static,
) -> BackendResult<T> {
    wait_on(runtime()?, limit, operation)
}

/// As [`wait`], on the given runtime, one of this crate's.
pub(crate) fn wait_on<T: Send + 'static>(
    runtime: &Handle,
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>> + Send + 'static,
) -> BackendResult<T> {
    let (sender, receiver) = sync_channel(1);
    let task = runtime.spawn(async move {
        // after a timeout there is no receiver
        let _ = sender.send(operation.await);
    });
    receiver.recv_timeout(limit).unwrap_or_else(|error| {
        task.abort();
        Err(match error {
            RecvTimeoutError::Timeout => TimedOut(limit).into(),
            RecvTimeoutError::Disconnected => "the operation panicked".into(),
        })
    })
}

/// The result of an `operation` that blocks inside its `poll`, and so completes at the first poll.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) fn at_once<T>(operation: impl Future<Output = BackendResult<T>>) -> BackendResult<T> {
    use std::task::{Context, Poll, Waker};

    match std::pin::pin!(operation).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err("a blocking operation did not wait".into()),
    }
}

/// The result of a blocking `operation`, if it takes `limit` at most; otherwise it goes on in the background. Not to be called on a
/// thread of this runtime.
#[cfg(feature = "redis")]
pub(crate) fn wait_for_blocking<T: Send + 'static>(
    limit: Duration,
    operation: impl FnOnce() -> BackendResult<T> + Send + 'static,
) -> BackendResult<T> {
    wait(limit, async {
        let done = tokio::task::spawn_blocking(operation).await;
        done.unwrap_or_else(|_| Err("the operation panicked".into()))
    })
}

/// Reports `change` from a task of the runtime. A change that may concern many entries takes long, so another thread drives the other
/// tasks of the runtime meanwhile.
#[cfg(any(feature = "mongodb", feature = "redis"))]
pub(crate) fn report(changes: &Changes, change: Change) {
    match change {
        Change::Key(_) => changes.report(change),
        Change::Scope(_) | Change::All | Change::Covered | Change::Lost => {
            tokio::task::block_in_place(|| changes.report(change));
        }
    }
}

#[cfg(all(test, any(feature = "memcached", feature = "redis")))]
mod tests {
    use super::*;

    async fn forever() -> BackendResult<u32> {
        std::future::pending().await
    }

    fn runtimes() -> Vec<Runtime> {
        // without timers
        let current = Builder::new_current_thread().build();
        let several = Builder::new_multi_thread().worker_threads(1).build();
        vec![current.unwrap(), several.unwrap()]
    }

    #[test]
    fn waiting_works_inside_of_runtimes_and_outside() {
        let limit = Duration::from_secs(60);
        assert_eq!(wait(limit, async { Ok(7) }).unwrap(), 7);
        for user in runtimes() {
            assert_eq!(
                user.block_on(async { wait(limit, async { Ok(7) }) })
                    .unwrap(),
                7
            );
        }
    }

    #[test]
    fn what_takes_too_long_is_an_error_in_time() {
        let limit = Duration::from_millis(1);
        assert!(wait(limit, forever()).unwrap_err().is::<TimedOut>());
        for user in runtimes() {
            let error = user.block_on(within(limit, forever())).unwrap_err();
            assert!(error.is::<TimedOut>());
        }
    }

    #[test]
    fn a_panic_is_an_error() {
        let panics = async { panic!("as asked") };
        let waited: BackendResult<()> = wait(Duration::from_secs(60), panics);
        assert!(waited.unwrap_err().to_string().contains("panicked"));
    }
}

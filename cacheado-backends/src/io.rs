//! Where the drivers of backends live, unless the user says otherwise: runtimes of their own, which outlast every runtime of the user's.
//!
//! A driver's task ends with the runtime it was spawned on, and users' runtimes come and go (each `#[tokio::test]` has one). What is
//! made here can be used from any thread and any runtime, and from none.

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

/// A year. Who sets a longer limit gets this: drivers add limits to the time that it is, which has an end.
#[cfg(any(feature = "memcached", feature = "mongodb"))]
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A runtime of this crate's own. Never dropped: dropping a runtime inside of another is a panic.
pub(crate) struct Own(LazyLock<std::io::Result<Runtime>>);

impl Own {
    /// What `build` builds when it is first used.
    pub(crate) const fn new(build: fn() -> std::io::Result<Runtime>) -> Self {
        Self(LazyLock::new(build))
    }

    /// # Errors
    ///
    /// If the system gave it no thread.
    pub(crate) fn handle(&'static self) -> BackendResult<&'static Handle> {
        match &*self.0 {
            Ok(runtime) => Ok(runtime.handle()),
            Err(error) => Err(format!("no thread for input and output: {error}").into()),
        }
    }
}

/// A runtime of so many threads with that name.
pub(crate) fn build(name: &str, threads: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
}

/// Has one thread: connections that many operations share are a task each, and one that is given up must have sent what it ever will
/// before the next has sent anything.
#[cfg(any(feature = "memcached", feature = "redis"))]
static RUNTIME: Own = Own::new(|| build("cacheado-io", 1));

/// The operation took longer than it may.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(crate) struct TimedOut(pub(crate) Duration);

/// The `error` of an operation that may take `limit`: if it took too long, it says so of all that there was, and not of what was left.
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

/// Refuses limits of zero, of a backend that is called so.
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
/// If the system gave it no thread.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) fn runtime() -> BackendResult<&'static Handle> {
    RUNTIME.handle()
}

/// Refuses a `runtime` of the user's that could not drive the connections of a backend that is called so.
///
/// # Errors
///
/// [`Error::Config`] if it has no timers, or drives no sockets.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) fn check_runtime(backend: &str, runtime: &Handle) -> Result<()> {
    let use_both = || -> std::io::Result<()> {
        let _context = runtime.enter();
        drop(tokio::time::sleep(Duration::ZERO));
        let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        tokio::net::UdpSocket::from_std(socket).map(drop)
    };
    // a runtime doesn't say otherwise, and what can't be caught is not to be tried
    if cfg!(panic = "abort") || catch_unwind(AssertUnwindSafe(use_both)).is_ok() {
        return Ok(());
    }
    Err(Error::config(
        format!("{backend}::runtime"),
        "it has no timers, or drives no sockets: build it with `enable_all()`",
    ))
}

/// `operation`, which is polled where this is, on any runtime or none, for `limit` at most.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) async fn within<T>(
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>>,
) -> BackendResult<T> {
    let runtime = runtime()?;
    let mut operation = std::pin::pin!(operation);
    let operation = std::future::poll_fn(|cx| {
        // the driver's timers and tasks are to be this runtime's: the caller's may have no timers, and may end before them
        let _context = runtime.enter();
        operation.as_mut().poll(cx)
    });
    within_bare(limit, operation).await
}

/// As [`within`], of an operation that neither starts timers and tasks nor opens sockets where it is polled: so it is polled as it is.
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

/// `operation` on the runtime, awaited by blocking this thread for `limit` at most. For a thread of any runtime but this one.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) fn wait<T: Send + 'static>(
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>> + Send + 'static,
) -> BackendResult<T> {
    wait_on(runtime()?, limit, operation)
}

/// As [`wait`], on one of this crate's runtimes.
pub(crate) fn wait_on<T: Send + 'static>(
    runtime: &Handle,
    limit: Duration,
    operation: impl Future<Output = BackendResult<T>> + Send + 'static,
) -> BackendResult<T> {
    let (sender, receiver) = sync_channel(1);
    let task = runtime.spawn(async move {
        // nobody listens any more if it took too long
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

/// What `operation` comes to, which waits inside of its `poll`, and so is over when it is first polled.
#[cfg(any(feature = "memcached", feature = "redis"))]
pub(crate) fn at_once<T>(operation: impl Future<Output = BackendResult<T>>) -> BackendResult<T> {
    use std::task::{Context, Poll, Waker};

    match std::pin::pin!(operation).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err("a blocking operation did not wait".into()),
    }
}

/// What `operation` comes to, which blocks, if that takes `limit` at most; else it goes on unheeded. For a thread of any runtime but this
/// one.
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

/// Reports `change` from a task of the runtime. If it may concern many entries, and so take long, another thread drives what else there
/// is on the runtime meanwhile.
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

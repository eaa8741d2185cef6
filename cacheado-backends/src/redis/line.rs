//! The connection to one server that all operations share, on this crate's own runtime or the user's.
//!
//! The driver's connections never reconnect, and its connection managers end with the runtime of their last caller. So this module
//! replaces a failed connection, in a task on the runtime that drives it. One such task runs at a time, and other operations wait for
//! it within their own limits.
//!
//! A connection that is given up is closed at once, with what it had not sent yet. Operations that still wait on it drop it and ask
//! again over the next one.

use std::future::poll_fn;
use std::io::{Error, ErrorKind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, ConnectionInfo, Pipeline, RedisError, RedisResult, Value};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::reply;
use super::servers::Servers;
use crate::backend::BackendResult;
use crate::io::{self, TimedOut, within_bare};
use crate::sync::lock;

/// The minimum time allowed to connect, however short the operation timeout: otherwise a connection that takes longer would never be
/// made.
const CONNECTING: Duration = Duration::from_secs(1);

/// The current connection, if there is one.
pub(super) struct Line {
    servers: Arc<Servers>,
    /// The node of a cluster that it leads to.
    node: Option<ConnectionInfo>,
    timeout: Duration,
    /// The user's runtime, if that drives the connection.
    runtime: Option<Handle>,
    current: Mutex<Option<Link>>,
    /// Held while a connection is made.
    connecting: Arc<tokio::sync::Mutex<()>>,
    made: AtomicU64,
}

/// What happens to commands whose caller no longer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// They are carried out, however late: they overwrite nothing newer.
    Harmless,
    /// What was not sent yet is never sent, since it would overwrite later values: the connection is given up.
    GivesUp,
}

/// Lives while an answer is awaited.
struct Asking<'l> {
    line: &'l Line,
    /// The connection in use.
    used: &'l AtomicU64,
    /// Whether dropping this gives that connection up.
    gives_up: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.gives_up {
            self.line.forget(self.used.load(Ordering::Relaxed));
        }
    }
}

#[derive(Clone)]
struct Link {
    /// Tells the connection from earlier ones.
    number: u64,
    era: u64,
    connection: MultiplexedConnection,
    given_up: Arc<GivenUp>,
}

/// Whether a connection is given up. Giving it up wakes all that wait on it.
#[derive(Default)]
struct GivenUp {
    is: AtomicBool,
    told: Notify,
}

impl Line {
    /// `runtime` drives the connection and must have timers. Without one, this crate's own runtime does.
    pub(super) fn new(
        servers: Arc<Servers>,
        node: Option<ConnectionInfo>,
        timeout: Duration,
        runtime: Option<Handle>,
    ) -> Self {
        Self {
            servers,
            node,
            timeout,
            runtime,
            current: Mutex::default(),
            connecting: Arc::default(),
            made: AtomicU64::new(0),
        }
    }

    /// The server's answers to each command of `pipe`, within `limit`.
    ///
    /// # Errors
    ///
    /// If the server can't be reached, or does not answer in time. In either case the connection is given up.
    pub(super) async fn ask(
        self: &Arc<Self>,
        pipe: &Pipeline,
        limit: Duration,
        dropped: Dropped,
    ) -> BackendResult<Vec<Value>> {
        // the number of the connection that is waited on, or 0
        let used = AtomicU64::new(0);
        let mut asking = Asking {
            line: self,
            used: &used,
            gives_up: dropped == Dropped::GivesUp,
        };
        let attempts = pin!(async {
            let mut again = true;
            loop {
                let link = self.link().await?;
                let number = link.number;
                used.store(number, Ordering::Relaxed);
                match link.send(pipe).await {
                    Ok(answers) => {
                        if answers.iter().any(reply::is_wrong_server) {
                            self.forget(number);
                        }
                        return Ok(answers);
                    }
                    Err(error) => {
                        self.forget(number);
                        // closed while idle, or because another operation got no answer
                        if again && error.is_connection_dropped() {
                            again = false;
                            continue;
                        }
                        return Err(reply::error(error));
                    }
                }
            }
        });
        let result = within_bare(limit, attempts).await;
        // after a timeout the connection may never answer again
        asking.gives_up = result.as_ref().is_err_and(|error| error.is::<TimedOut>());
        result
    }

    /// The connection; makes one if there is none.
    async fn link(self: &Arc<Self>) -> BackendResult<Link> {
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let alone = Arc::clone(&self.connecting).lock_owned().await;
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let runtime = match &self.runtime {
            Some(users) => users,
            None => io::runtime()?,
        };
        let line = Arc::clone(self);
        let task = runtime.spawn(async move {
            // held until the connection is made, even if the caller stops waiting
            let _alone = alone;
            line.make().await
        });
        task.await.unwrap_or_else(|error| {
            Err(if error.is_cancelled() {
                "the runtime that was to drive the connection has ended".into()
            } else {
                "making a connection panicked".into()
            })
        })
    }

    async fn make(&self) -> BackendResult<Link> {
        let limit = self.timeout.max(CONNECTING);
        let era = self.servers.era();
        // the driver's task is spawned on the runtime of this task
        let made = timeout(limit, async {
            match &self.node {
                Some(node) => {
                    let config = AsyncConnectionConfig::new();
                    self.servers.connect_to(node.clone(), limit, config).await
                }
                None => self.servers.connect_async(limit).await,
            }
        });
        let made: BackendResult<_> = made.await.unwrap_or_else(|_| Err(TimedOut(limit).into()));
        let link = Link {
            connection: made?,
            era,
            given_up: Arc::default(),
            number: self.made.fetch_add(1, Ordering::Relaxed) + 1,
        };
        *lock(&self.current) = Some(link.clone());
        Ok(link)
    }

    fn current(&self) -> Option<Link> {
        let current = lock(&self.current).clone();
        current.filter(|link| link.era == self.servers.era())
    }

    /// Gives up the connection `number` if it is the current one. The next operation makes another.
    ///
    /// The old one is closed before that: once its last handle is dropped, the driver's task ends, and tasks run in turn.
    fn forget(&self, number: u64) {
        let link = lock(&self.current).take_if(|link| link.number == number);
        if let Some(link) = link {
            link.given_up.tell();
        }
    }
}

impl Link {
    /// # Errors
    ///
    /// If the connection fails. If it is given up meanwhile, fails as a closed connection does.
    async fn send(mut self, pipe: &Pipeline) -> RedisResult<Vec<Value>> {
        // registers for notifications first, so that none is missed after the check
        let mut told = pin!(self.given_up.told.notified());
        if self.given_up.is.load(Ordering::Acquire) {
            return Err(closed());
        }
        let mut sending = pin!(self.connection.send_packed_commands(pipe, 0, pipe.len()));
        let sent = poll_fn(|cx| match sending.as_mut().poll(cx) {
            Poll::Pending => told.as_mut().poll(cx).map(|()| Err(closed())),
            Poll::Ready(sent) => Poll::Ready(sent),
        });
        sent.await
    }
}

impl GivenUp {
    fn tell(&self) {
        self.is.store(true, Ordering::Release);
        self.told.notify_waiters();
    }
}

fn closed() -> RedisError {
    Error::from(ErrorKind::ConnectionAborted).into()
}

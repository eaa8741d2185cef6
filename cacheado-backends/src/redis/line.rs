//! The connection to one server, which all operations share, on the runtime of this crate's own or on one of the user's.
//!
//! The driver's connections never heal, and its own managers of them end with the runtime of whoever called last. So a connection that
//! failed is replaced here, by a task on the runtime that drives it: one at a time, and others wait for it within their own limits.
//!
//! A connection that is given up is closed at once, with what it had not sent yet: whatever still waits for it lets go of it, and asks
//! again by the next.

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

/// How long a connection may take to make, however short an operation's timeout is: else one that takes longer were never made.
const CONNECTING: Duration = Duration::from_secs(1);

/// Where the connection is, if there is one.
pub(super) struct Line {
    servers: Arc<Servers>,
    /// The node of a cluster that it leads to.
    node: Option<ConnectionInfo>,
    timeout: Duration,
    /// The user's, that drives the connection.
    runtime: Option<Handle>,
    current: Mutex<Option<Link>>,
    /// Held by whoever makes one.
    connecting: Arc<tokio::sync::Mutex<()>>,
    made: AtomicU64,
}

/// What becomes of commands that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// They are carried out, however late: they change nothing that is newer than they are.
    Harmless,
    /// What was not sent by then never is, since it would take the place of what came later: the connection is given up.
    GivesUp,
}

/// While it lives, an answer is waited for.
struct Asking<'l> {
    line: &'l Line,
    /// By which connection.
    used: &'l AtomicU64,
    /// Whether that is given up when nobody waits any more.
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
    /// Tells it from those before.
    number: u64,
    era: u64,
    connection: MultiplexedConnection,
    given_up: Arc<GivenUp>,
}

/// Whether a connection is given up, which wakes all that wait for it.
#[derive(Default)]
struct GivenUp {
    is: AtomicBool,
    told: Notify,
}

impl Line {
    /// `runtime` drives the connection, and has timers; if none is given, this crate's own does.
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

    /// What the server answers to each command of `pipe`, within `limit`.
    ///
    /// # Errors
    ///
    /// If it can't be reached, or says nothing in time. Then the connection is given up.
    pub(super) async fn ask(
        self: &Arc<Self>,
        pipe: &Pipeline,
        limit: Duration,
        dropped: Dropped,
    ) -> BackendResult<Vec<Value>> {
        // the connection that is waited for, or 0
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
                        // it was closed while nobody looked, or since another operation had no answer
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
        // nobody knows whether it will ever answer
        asking.gives_up = result.as_ref().is_err_and(|error| error.is::<TimedOut>());
        result
    }

    /// The connection, made if there is none.
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
            // until it is made, whether its caller waits that long or not
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
        // the driver of what is made here is a task of the runtime that this is one of
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

    /// Gives this connection up, if it is the current one: the next operation makes another.
    ///
    /// It is closed before that is made: once nobody holds it the driver's task is to end, and tasks go in turn.
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
    /// If it fails; and as one that was closed if it is given up meanwhile.
    async fn send(mut self, pipe: &Pipeline) -> RedisResult<Vec<Value>> {
        // hears what is told from here on, so it is looked at after that
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

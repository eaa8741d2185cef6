//! Round trips that don't block: one connection that all operations share, on the runtime of this crate's own or on one of the user's.
//!
//! The driver's connections never heal, and its own managers of them end with the runtime of whoever called last. So a connection that
//! failed is replaced here, by a task on the runtime that drives it: one at a time, and others wait for it within their own limits.
//!
//! A connection that is given up is closed at once, with what it had not sent yet: whatever still waits for it lets go of it, and asks
//! again by the next.

use std::io::{Error, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster_async::ClusterConnection;
use ::redis::{Pipeline, RedisResult, Value};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::exchange::{Exchange, join, split};
use super::reply;
use super::servers::{Kind, Servers};
use crate::backend::BackendResult;
use crate::io::{self, TimedOut, within};
use crate::sync::lock;

/// How long a connection may take to make, however short an operation's timeout is: else one that takes longer were never made.
const CONNECTING: Duration = Duration::from_secs(1);

pub(super) struct Multiplexed {
    timeout: Duration,
    slot: Arc<Slot>,
}

/// Where the connection is, if there is one.
struct Slot {
    servers: Arc<Servers>,
    timeout: Duration,
    /// The user's, that drives the connection.
    runtime: Option<Handle>,
    current: Mutex<Option<Link>>,
    /// Held by whoever makes one.
    connecting: Arc<tokio::sync::Mutex<()>>,
    made: AtomicU64,
}

#[derive(Clone)]
struct Link {
    /// Tells it from those before.
    number: u64,
    era: u64,
    way: Way,
    given_up: CancellationToken,
}

#[derive(Clone)]
enum Way {
    Single(MultiplexedConnection),
    /// Heals by itself, on the runtime it was made on.
    Cluster(ClusterConnection),
}

impl Multiplexed {
    /// `runtime` drives the connection, and has timers; if none is given, this crate's own does.
    pub(super) fn new(servers: Arc<Servers>, timeout: Duration, runtime: Option<Handle>) -> Self {
        let slot = Slot {
            servers,
            timeout,
            runtime,
            current: Mutex::default(),
            connecting: Arc::default(),
            made: AtomicU64::new(0),
        };
        Self {
            timeout,
            slot: Arc::new(slot),
        }
    }
}

impl Exchange for Multiplexed {
    async fn exchange(&self, pipes: &[Pipeline]) -> BackendResult<Vec<Vec<Value>>> {
        // the connection that is waited for, or 0
        let used = AtomicU64::new(0);
        let attempts = async {
            let mut again = true;
            loop {
                let link = self.slot.link().await?;
                used.store(link.number, Ordering::Relaxed);
                match link.send(pipes).await {
                    Ok(answers) => {
                        if answers.iter().flatten().any(reply::is_wrong_server) {
                            self.slot.forget(link.number);
                        }
                        return Ok(answers);
                    }
                    Err(error) => {
                        self.slot.forget(link.number);
                        // it was closed while nobody looked, or since another operation had no answer
                        if again && error.is_connection_dropped() {
                            again = false;
                            continue;
                        }
                        return Err(reply::error(error));
                    }
                }
            }
        };
        let result = within(self.timeout, attempts).await;
        if result.as_ref().is_err_and(|error| error.is::<TimedOut>()) {
            // nobody knows whether it will ever answer
            self.slot.forget(used.load(Ordering::Relaxed));
        }
        result
    }
}

impl Slot {
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
        let slot = Arc::clone(self);
        let task = runtime.spawn(async move {
            // until it is made, whether its caller waits that long or not
            let _alone = alone;
            slot.make().await
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
        let way = timeout(limit, async {
            if self.servers.kind == Kind::Cluster {
                let client = self.servers.cluster(self.timeout);
                let client = client.map_err(|error| self.servers.no_cluster(&error))?;
                let connection = client.get_async_connection().await;
                let connection = connection.map_err(|error| self.servers.no_cluster(&error))?;
                return Ok(Way::Cluster(connection));
            }
            let connection = self.servers.connect_async(limit).await?;
            Ok(Way::Single(connection))
        });
        let made: BackendResult<Way> = way.await.unwrap_or_else(|_| Err(TimedOut(limit).into()));
        let link = Link {
            way: made?,
            era,
            given_up: CancellationToken::new(),
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
        let given_up =
            |link: &mut Link| link.number == number && matches!(link.way, Way::Single(_));
        let link = lock(&self.current).take_if(given_up);
        if let Some(link) = link {
            link.given_up.cancel();
        }
    }
}

impl Link {
    /// # Errors
    ///
    /// If it fails; and as one that was closed if it is given up meanwhile.
    async fn send(&self, pipes: &[Pipeline]) -> RedisResult<Vec<Vec<Value>>> {
        let sent = self.given_up.run_until_cancelled(self.send_all(pipes));
        let given_up = || Err(Error::from(ErrorKind::ConnectionAborted).into());
        sent.await.unwrap_or_else(given_up)
    }

    async fn send_all(&self, pipes: &[Pipeline]) -> RedisResult<Vec<Vec<Value>>> {
        match (self.way.clone(), pipes) {
            (_, []) => Ok(Vec::new()),
            (Way::Single(mut connection), [pipe]) => Ok(vec![
                connection.req_packed_commands(pipe, 0, pipe.len()).await?,
            ]),
            (Way::Single(mut connection), pipes) => {
                let joined = join(pipes);
                let answers = connection
                    .req_packed_commands(&joined, 0, joined.len())
                    .await?;
                Ok(split(pipes, answers))
            }
            (Way::Cluster(mut connection), [pipe]) => Ok(vec![
                connection.req_packed_commands(pipe, 0, pipe.len()).await?,
            ]),
            (Way::Cluster(connection), pipes) => side_by_side(&connection, pipes).await,
        }
    }
}

/// Sends each of `pipes` to the node that it concerns.
async fn side_by_side(
    connection: &ClusterConnection,
    pipes: &[Pipeline],
) -> RedisResult<Vec<Vec<Value>>> {
    let Ok(runtime) = io::runtime() else {
        return Ok(Vec::new());
    };
    let mut sent = JoinSet::new();
    for (nth, pipe) in pipes.iter().cloned().enumerate() {
        let mut connection = connection.clone();
        let send = async move {
            let answers = connection.req_packed_commands(&pipe, 0, pipe.len()).await;
            (nth, answers)
        };
        sent.spawn_on(send, runtime);
    }
    let mut answers = vec![Vec::new(); pipes.len()];
    while let Some(joined) = sent.join_next().await {
        // one that panicked has answered nothing, which is no answer to anything
        if let Ok((nth, answer)) = joined {
            answers[nth] = answer?;
        }
    }
    Ok(answers)
}

//! The client crate, and everything this backend uses of it: exchanges of several commands, blocking or async.

use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use memcache::exp::{
    AsyncMetaClient, Error, MetaClient, MetaClientBuilder, Op, OpResult, ServerAddress,
};
use tokio::runtime::Handle;
use tokio::task::{Unconstrained, unconstrained};

use super::servers::Servers;
use crate::backend::{BackendResult, Refused};
use crate::io::{self, LONGEST, TimedOut, wait, within};
use crate::sync::{Mutex, lock};

/// The maximum number of connections per server and client. An operation that finds none free waits for one.
const CONNECTIONS: usize = 64;

/// How an operation waits for answers.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// Blocks the thread, at most until this time.
    Blocking(Instant),
    /// As a future.
    Async,
}

type Answers = Result<Vec<Result<OpResult, Error>>, Error>;

/// Connections to the servers, made when first needed.
pub(super) struct Client {
    servers: Servers,
    /// The limit of an operation.
    limit: Duration,
    blocking: Mutex<Option<MetaClient>>,
    /// On this crate's own runtime.
    own: Mutex<Option<AsyncMetaClient>>,
    users: Option<Users>,
}

/// The user's runtime, and the client of async operations there.
struct Users {
    runtime: Handle,
    client: Mutex<Option<AsyncMetaClient>>,
}

impl Client {
    pub(super) fn new(servers: Servers, limit: Duration) -> Self {
        Self {
            servers,
            limit: limit.min(LONGEST),
            blocking: Mutex::default(),
            own: Mutex::default(),
            users: None,
        }
    }

    /// The same client with another limit and no connections.
    pub(super) fn with_limit(self, limit: Duration) -> Self {
        let client = Self::new(self.servers, limit);
        match self.users {
            Some(users) => client.on(users.runtime),
            None => client,
        }
    }

    /// The same client, with the connections of async operations on the user's runtime.
    pub(super) fn on(mut self, runtime: Handle) -> Self {
        let client = Mutex::default();
        self.users = Some(Users { runtime, client });
        self
    }

    pub(super) fn servers(&self) -> &Servers {
        &self.servers
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// The [`Way`] for a blocking operation that begins now.
    pub(super) fn blocking(&self) -> Way {
        Way::Blocking(Instant::now() + self.limit)
    }

    /// Runs `operation`, whose exchanges are all async, on any runtime or none.
    pub(super) async fn await_within<T>(
        &self,
        operation: impl Future<Output = BackendResult<T>>,
    ) -> BackendResult<T> {
        let done = within(self.limit, operation).await;
        if done.as_ref().is_err_and(|error| error.is::<TimedOut>()) {
            self.forget();
        }
        done
    }

    /// Sends `commands` together and returns their answers, in order. If one fails, so does the exchange, and the outcome of the
    /// others is unknown. Its connection is then closed, since answers on it may belong to another question.
    ///
    /// Sent commands are not sent again: they may have arrived.
    pub(super) async fn exchange(
        &self,
        way: Way,
        commands: Vec<Op>,
    ) -> BackendResult<Vec<OpResult>> {
        let answers = match way {
            Way::Async => self.await_answers(commands).await?,
            Way::Blocking(until) => {
                let left = until.saturating_duration_since(Instant::now());
                // these conditions keep the blocking client's own limits within `left`; also, it asks several servers one after the
                // other
                if self.servers.addresses().len() == 1 && left >= self.limit * 3 / 4 {
                    self.blocking_client()?.run_batch(commands)
                } else {
                    self.wait_for_answers(left, commands)?
                }
            }
        };
        let answers = answers.and_then(|answers| answers.into_iter().collect());
        answers.map_err(|error| self.failure(error))
    }

    async fn await_answers(&self, commands: Vec<Op>) -> BackendResult<Answers> {
        let (runtime, place) = match &self.users {
            Some(users) => (&users.runtime, &users.client),
            None => (io::runtime()?, &self.own),
        };
        let existing = lock(place).clone();
        let client = match existing {
            Some(client) => client,
            None => self.keep(place, OnRuntime::new(runtime, connect(&self.servers)).await)?,
        };
        Ok(OnRuntime::new(runtime, client.run_batch(commands)).await)
    }

    /// [`await_answers`](Self::await_answers), blocking this thread.
    fn wait_for_answers(&self, left: Duration, commands: Vec<Op>) -> BackendResult<Answers> {
        let existing = lock(&self.own).clone();
        let servers = self.servers.clone();
        let (client, answers) = wait(left, async move {
            let client = match existing {
                Some(client) => Ok(client),
                None => connect(&servers).await,
            };
            match client {
                Ok(client) => {
                    let answers = client.run_batch(commands).await;
                    Ok((Ok(client), answers))
                }
                Err(error) => Ok((Err(error), Ok(Vec::new()))),
            }
        })
        .map_err(|error| {
            self.forget();
            io::of_all(self.limit, error)
        })?;
        self.keep(&self.own, client)?;
        Ok(answers)
    }

    fn keep(
        &self,
        place: &Mutex<Option<AsyncMetaClient>>,
        client: Result<AsyncMetaClient, Error>,
    ) -> BackendResult<AsyncMetaClient> {
        let client = client.map_err(|error| self.failure(error))?;
        Ok(lock(place).get_or_insert(client).clone())
    }

    fn blocking_client(&self) -> BackendResult<MetaClient> {
        if let Some(client) = &*lock(&self.blocking) {
            return Ok(client.clone());
        }
        let quarter = self.limit / 4;
        let addresses = self.servers.addresses().iter();
        let addresses: Vec<_> = addresses
            .map(|address| Resolved::new(address, quarter))
            .collect::<BackendResult<_>>()
            .map_err(|error| self.unreachable(&error))?;
        let client = builder(&self.servers)
            .connect_timeout(Some(quarter))
            .io_timeout(Some(self.limit / 2))
            .connect_multiple(addresses)
            .map_err(|error| self.failure(error))?;
        Ok(lock(&self.blocking).get_or_insert(client).clone())
    }

    /// Drops all connections. The next ones look up the servers' names again, so they may lead elsewhere.
    fn forget(&self) {
        lock(&self.blocking).take();
        lock(&self.own).take();
        if let Some(users) = &self.users {
            lock(&users.client).take();
        }
    }

    /// The error, with the servers' addresses: the client crate does not say which of several failed.
    fn unreachable(&self, error: &dyn fmt::Display) -> Box<dyn std::error::Error + Send + Sync> {
        let servers = self.servers.addresses();
        let one_of = if servers.len() > 1 { "one of " } else { "" };
        format!("no connection to {one_of}{}: {error}", servers.join(", ")).into()
    }

    /// Converts `error`. The client crate's errors contain the key, which is left out: it is somebody's data.
    fn failure(&self, error: Error) -> Box<dyn std::error::Error + Send + Sync> {
        match error {
            Error::Ambiguous { source, .. } => self.failure(*source),
            Error::Server(message) if is_refusal(&message) => {
                Refused::new(format!("the server said: {message}")).into()
            }
            Error::Server(message) => format!("the server said: {message}").into(),
            Error::Rejected(message) => format!(
                "the server took a command for none (memcached 1.6 or later is needed): {message}"
            )
            .into(),
            Error::Timeout { .. } => {
                self.forget();
                TimedOut(self.limit).into()
            }
            Error::Io(error) if error.kind() == ErrorKind::TimedOut => {
                self.forget();
                TimedOut(self.limit).into()
            }
            Error::Io(error) => {
                self.forget();
                self.unreachable(&error)
            }
            other => other.to_string().into(),
        }
    }
}

/// Whether the server understood the command and refused it: its memory is full, or the value is too large.
fn is_refusal(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["memory", "too large"]
        .iter()
        .any(|reason| message.contains(reason))
}

fn builder(servers: &Servers) -> MetaClientBuilder {
    MetaClient::builder()
        .router(servers.clone())
        .max_idle(CONNECTIONS)
        .max_connections(Some(CONNECTIONS))
}

/// The async client. Its operations have one limit as a whole, set by whoever awaits them: a limit per step would need a timer for
/// each answer, on a runtime that may have ended.
async fn connect(servers: &Servers) -> Result<AsyncMetaClient, Error> {
    builder(servers)
        .connect_timeout(None)
        .io_timeout(None)
        .connect_multiple_async(servers.addresses())
        .await
}

/// A server whose name has been resolved.
struct Resolved {
    name: String,
    addresses: Vec<SocketAddr>,
}

impl Resolved {
    fn new(name: &str, limit: Duration) -> BackendResult<Self> {
        let addresses = match name.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let name = name.to_owned();
                wait(limit, async move {
                    Ok(tokio::net::lookup_host(name).await?.collect())
                })?
            }
        };
        Ok(Self {
            name: name.to_owned(),
            addresses,
        })
    }
}

impl ToSocketAddrs for Resolved {
    type Iter = std::vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> std::io::Result<Self::Iter> {
        Ok(self.addresses.clone().into_iter())
    }
}

impl ServerAddress for Resolved {
    fn identity(&self) -> String {
        self.name.clone()
    }
}

/// Polls a future with the sockets of `runtime` in context, wherever it is polled. So an answer wakes the caller directly, not a task
/// that then wakes the caller. It ignores the caller's cooperative budget, which may be used up: an exchange is one step.
struct OnRuntime<'r, F> {
    runtime: &'r Handle,
    future: Pin<Box<Unconstrained<F>>>,
}

impl<'r, F> OnRuntime<'r, F> {
    fn new(runtime: &'r Handle, future: F) -> Self {
        Self {
            runtime,
            future: Box::pin(unconstrained(future)),
        }
    }
}

impl<F: Future> Future for OnRuntime<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = self.runtime.enter();
        self.future.as_mut().poll(context)
    }
}

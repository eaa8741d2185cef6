//! The client crate, and all that this backend knows of it: exchanges of several commands at once, blocking and not.

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

/// How many connections to a server each of the clients has at most; who finds none free waits for one.
const CONNECTIONS: usize = 64;

/// How an operation waits for answers.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// By blocking the thread, until then at most.
    Blocking(Instant),
    /// As a future.
    Async,
}

type Answers = Result<Vec<Result<OpResult, Error>>, Error>;

/// Connections to the servers, made when they are first needed.
pub(super) struct Client {
    servers: Servers,
    /// How long an operation may take.
    limit: Duration,
    blocking: Mutex<Option<MetaClient>>,
    /// On this crate's own runtime.
    own: Mutex<Option<AsyncMetaClient>>,
    users: Option<Users>,
}

/// A runtime of the user's, and what async operations have there.
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

    /// The same with that limit, and nothing connected as yet.
    pub(super) fn with_limit(self, limit: Duration) -> Self {
        let client = Self::new(self.servers, limit);
        match self.users {
            Some(users) => client.on(users.runtime),
            None => client,
        }
    }

    /// The same with the connections of async operations on a runtime of the user's.
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

    /// How a blocking operation that begins now waits.
    pub(super) fn blocking(&self) -> Way {
        Way::Blocking(Instant::now() + self.limit)
    }

    /// Runs `operation`, none of whose exchanges block, on any runtime or none.
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

    /// Sends `commands` at once and returns their answers, in their order. If one fails so does this, and what became of the others
    /// is not known. The connection is closed then, since what comes on it may belong to another question.
    ///
    /// What was sent is not sent again: it may have arrived.
    pub(super) async fn exchange(
        &self,
        way: Way,
        commands: Vec<Op>,
    ) -> BackendResult<Vec<OpResult>> {
        let answers = match way {
            Way::Async => self.await_answers(commands).await?,
            Way::Blocking(until) => {
                let left = until.saturating_duration_since(Instant::now());
                // what the blocking client's own limits make sure of; also, it asks several servers one after the other
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

    /// As [`await_answers`](Self::await_answers), by blocking this thread.
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

    /// Lets go of all connections: the next ones may lead elsewhere, since they look up the servers' names anew.
    fn forget(&self) {
        lock(&self.blocking).take();
        lock(&self.own).take();
        if let Some(users) = &self.users {
            lock(&users.client).take();
        }
    }

    /// The error, with what could not be reached: of several servers the client crate does not say which.
    fn unreachable(&self, error: &dyn fmt::Display) -> Box<dyn std::error::Error + Send + Sync> {
        let servers = self.servers.addresses();
        let one_of = if servers.len() > 1 { "one of " } else { "" };
        format!("no connection to {one_of}{}: {error}", servers.join(", ")).into()
    }

    /// What `error` comes to. Errors of the client crate name the key, which is left out: it is somebody's data.
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

/// Whether the server understood, and would not: its memory is full, or the value too large.
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

/// The client that doesn't block. Its time is limited by whoever awaits, as a whole: a limit of its own for each step would be a timer
/// for each answer, of a runtime that may have ended.
async fn connect(servers: &Servers) -> Result<AsyncMetaClient, Error> {
    builder(servers)
        .connect_timeout(None)
        .io_timeout(None)
        .connect_multiple_async(servers.addresses())
        .await
}

/// A server whose name has been looked up.
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

/// A future that finds the sockets of `runtime` around it, wherever it is polled. So an answer wakes the caller itself, not a task that
/// then wakes the caller. It takes no part in the caller's budget of steps, which may be used up: an exchange is one step.
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

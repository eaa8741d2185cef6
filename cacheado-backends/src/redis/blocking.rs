//! Blocking round trips: a pool of connections, each used by one operation at a time.
//!
//! They are plain sockets, independent of any runtime, so they can be used inside of one. A cluster is asked through the async
//! connections on this crate's own runtime: the driver's blocking cluster connections can't send several commands at once.

use std::future::{Future, ready};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::redis::{Connection, Pipeline, RedisError, RedisResult, Value};

use super::exchange::{Exchange, join, split};
use super::multiplexed::Multiplexed;
use super::reply;
use super::servers::{Kind, Servers};
use crate::backend::BackendResult;
use crate::io::{self, TimedOut};
use crate::sync::lock;

/// The maximum number of idle connections.
const IDLE: usize = 64;

pub(super) struct Blocking {
    servers: Arc<Servers>,
    shared: Arc<Multiplexed>,
    timeout: Duration,
    idle: Mutex<Idle>,
}

/// Idle connections, all of one era.
#[derive(Default)]
struct Idle {
    era: u64,
    connections: Vec<Limited>,
}

/// A connection with its current read and write timeout.
struct Limited {
    connection: Connection,
    limit: Duration,
}

impl Limited {
    /// Sets the timeout to `left`, unless it is between that and `slack` more: setting it takes two system calls.
    fn limit(&mut self, left: Duration, slack: Duration) -> RedisResult<()> {
        if (left..=left.saturating_add(slack)).contains(&self.limit) {
            return Ok(());
        }
        self.connection.set_read_timeout(Some(left))?;
        self.connection.set_write_timeout(Some(left))?;
        self.limit = left;
        Ok(())
    }
}

impl Blocking {
    pub(super) fn new(servers: Arc<Servers>, shared: Arc<Multiplexed>, timeout: Duration) -> Self {
        Self {
            servers,
            shared,
            timeout,
            idle: Mutex::default(),
        }
    }

    /// The servers' answers to each of `pipes`.
    fn answers(&self, pipes: &[Pipeline]) -> BackendResult<Vec<Vec<Value>>> {
        match (&self.servers.kind, pipes) {
            (Kind::Cluster, pipes) => {
                let (shared, pipes) = (Arc::clone(&self.shared), pipes.to_vec());
                // the shared connections have limits of their own; this one is for a runtime too busy to run its timers
                let limit = self.timeout.saturating_mul(2);
                io::wait(limit, async move { shared.exchange(&pipes).await })
            }
            (_, []) => Ok(Vec::new()),
            (_, [pipe]) => Ok(vec![self.send(pipe)?]),
            (_, pipes) => Ok(split(pipes, self.send(&join(pipes))?)),
        }
    }

    fn send(&self, pipe: &Pipeline) -> BackendResult<Vec<Value>> {
        let start = Instant::now();
        let (packed, count) = (pipe.get_packed_pipeline(), pipe.len());
        let era = self.servers.era();
        if let Some(mut connection) = self.idle_of(era) {
            match self.ask(&mut connection, &packed, count, start) {
                Ok(answers) => {
                    self.keep(era, connection, &answers);
                    return Ok(answers);
                }
                // closed while idle, so the other idle ones are too
                Err(error) if error.is_connection_dropped() => lock(&self.idle).connections.clear(),
                // its answer may still come and would be taken for that of the next command
                Err(error) => return Err(self.failure(error)),
            }
        }
        let connection = self.servers.connect(self.left(start));
        let connection = connection.map_err(|error| io::of_all(self.timeout, error));
        let mut connection = Limited {
            connection: connection?,
            limit: Duration::MAX,
        };
        let answers = self
            .ask(&mut connection, &packed, count, start)
            .map_err(|error| self.failure(error))?;
        self.keep(era, connection, &answers);
        Ok(answers)
    }

    /// An idle connection made in this era. Drops those of an earlier era.
    fn idle_of(&self, era: u64) -> Option<Limited> {
        let mut idle = lock(&self.idle);
        if idle.era < era {
            idle.connections.clear();
            idle.era = era;
        }
        if idle.era == era {
            idle.connections.pop()
        } else {
            None
        }
    }

    /// Sends the `packed` commands and reads their `count` answers. In total this takes at most what is left of the timeout plus about
    /// a quarter: the socket's timeout applies to each answer separately.
    fn ask(
        &self,
        limited: &mut Limited,
        packed: &[u8],
        count: usize,
        start: Instant,
    ) -> RedisResult<Vec<Value>> {
        let slack = self.timeout / 8;
        let mut asked = Instant::now();
        limited.limit(self.left(start), slack)?;
        limited.connection.send_packed_command(packed)?;
        let mut answers = Vec::with_capacity(count);
        while answers.len() < count {
            // not for each of a thousand answers that arrive at once
            if asked.elapsed() > slack {
                asked = Instant::now();
                limited.limit(self.left(start), slack)?;
            }
            match limited.connection.recv_response()? {
                Value::Push { .. } => {}
                answer => answers.push(answer),
            }
        }
        Ok(answers)
    }

    /// The backend's error for `error`: the system's message for a timeout is meaningless to users.
    fn failure(&self, error: RedisError) -> Box<dyn std::error::Error + Send + Sync> {
        if error.is_timeout() {
            TimedOut(self.timeout).into()
        } else {
            reply::error(error)
        }
    }

    /// What is left of the timeout. Not zero, which the system rejects.
    fn left(&self, start: Instant) -> Duration {
        let left = self.timeout.saturating_sub(start.elapsed());
        left.max(Duration::from_millis(1))
    }

    /// Keeps the connection for the next operation, unless it leads to the wrong server by now.
    fn keep(&self, era: u64, connection: Limited, answers: &[Value]) {
        let mut idle = lock(&self.idle);
        if answers.iter().any(reply::is_wrong_server) {
            idle.connections.clear();
        } else if idle.era == era && idle.connections.len() < IDLE {
            idle.connections.push(connection);
        }
    }
}

impl Exchange for Blocking {
    fn exchange(
        &self,
        pipes: &[Pipeline],
    ) -> impl Future<Output = BackendResult<Vec<Vec<Value>>>> + Send {
        ready(self.answers(pipes))
    }
}

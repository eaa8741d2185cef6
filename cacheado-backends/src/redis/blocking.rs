//! Round trips that block: a pool of connections, one for each operation at a time.
//!
//! Plain sockets, which know of no runtime, so they can be used inside of any. A cluster is asked through connections that don't block, on
//! this crate's own runtime: the driver's blocking ones can't send several commands at once.

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

/// How many connections are kept that nobody uses.
const IDLE: usize = 64;

pub(super) struct Blocking {
    servers: Arc<Servers>,
    shared: Arc<Multiplexed>,
    timeout: Duration,
    idle: Mutex<Idle>,
}

/// Connections that nobody uses, all of one era.
#[derive(Default)]
struct Idle {
    era: u64,
    connections: Vec<Limited>,
}

/// A connection, and how long it waits for an answer.
struct Limited {
    connection: Connection,
    limit: Duration,
}

impl Limited {
    /// From here on it waits for `left` at most, or for `slack` longer: to set a limit takes two calls of the system.
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

    /// What the servers answer to `pipes`, each on its own.
    fn answers(&self, pipes: &[Pipeline]) -> BackendResult<Vec<Vec<Value>>> {
        match (&self.servers.kind, pipes) {
            (Kind::Cluster, pipes) => {
                let (shared, pipes) = (Arc::clone(&self.shared), pipes.to_vec());
                // what it shares bounds itself; this is for a runtime that is too busy for timers
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
                // closed since, and so are the others
                Err(error) if error.is_connection_dropped() => lock(&self.idle).connections.clear(),
                // its answer may still come, and would be taken for the next one's
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

    /// One that nobody uses, made in this era. Those of an earlier one go.
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

    /// Sends the `packed` commands and reads the answers to the `count` of them. All of it takes as long as is left of the timeout, and
    /// about a quarter more: the driver's own function waits that long for each answer.
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
            // not for each of a thousand that come at once
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

    /// What `error` comes to: the system's own words for a wait that is over say nothing to anybody.
    fn failure(&self, error: RedisError) -> Box<dyn std::error::Error + Send + Sync> {
        if error.is_timeout() {
            TimedOut(self.timeout).into()
        } else {
            reply::error(error)
        }
    }

    /// What is left of the timeout; the system takes no zero.
    fn left(&self, start: Instant) -> Duration {
        let left = self.timeout.saturating_sub(start.elapsed());
        left.max(Duration::from_millis(1))
    }

    /// Keeps the connection for the next, unless it leads to the wrong server by now.
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

//! Round trips that block: a pool of connections, one for each operation at a time.
//!
//! Plain sockets, which know of no runtime, so they can be used inside of any. A cluster is asked through the connections that async
//! operations share: the driver's blocking ones can't send several commands at once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::redis::{Connection, ConnectionLike, Pipeline, Value};

use super::exchange::{Exchange, join, split};
use super::multiplexed::Multiplexed;
use super::reply;
use super::servers::{Kind, Servers};
use crate::backend::BackendResult;
use crate::io;
use crate::sync::lock;

/// How many connections are kept that nobody uses.
const IDLE: usize = 64;

pub(super) struct Blocking {
    servers: Arc<Servers>,
    shared: Arc<Multiplexed>,
    timeout: Duration,
    idle: Mutex<Vec<Connection>>,
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

    fn send(&self, pipe: &Pipeline) -> BackendResult<Vec<Value>> {
        let start = Instant::now();
        let (packed, count) = (pipe.get_packed_pipeline(), pipe.len());
        // released before the connection is used
        let idle = lock(&self.idle).pop();
        if let Some(mut connection) = idle {
            match connection.req_packed_commands(&packed, 0, count) {
                Ok(answers) => {
                    self.keep(connection, &answers);
                    return Ok(answers);
                }
                // closed since, and so are the others
                Err(error) if error.is_connection_dropped() => lock(&self.idle).clear(),
                // its answer may still come, and would be taken for the next one's
                Err(error) => return Err(reply::error(error)),
            }
        }
        let mut connection = self.servers.connect(self.left(start))?;
        Self::limit(&connection, self.left(start))?;
        let answers = connection
            .req_packed_commands(&packed, 0, count)
            .map_err(reply::error)?;
        Self::limit(&connection, self.timeout)?;
        self.keep(connection, &answers);
        Ok(answers)
    }

    /// What is left of the timeout; the system takes no zero.
    fn left(&self, start: Instant) -> Duration {
        let left = self.timeout.saturating_sub(start.elapsed());
        left.max(Duration::from_millis(1))
    }

    fn limit(connection: &Connection, limit: Duration) -> BackendResult<()> {
        connection
            .set_read_timeout(Some(limit))
            .and_then(|()| connection.set_write_timeout(Some(limit)))
            .map_err(reply::error)
    }

    /// Keeps the connection for the next, unless it leads to the wrong server by now.
    fn keep(&self, connection: Connection, answers: &[Value]) {
        let mut idle = lock(&self.idle);
        if answers.iter().any(reply::is_wrong_server) {
            idle.clear();
        } else if idle.len() < IDLE {
            idle.push(connection);
        }
    }
}

impl Exchange for Blocking {
    async fn exchange(&self, pipes: &[Pipeline]) -> BackendResult<Vec<Vec<Value>>> {
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
}

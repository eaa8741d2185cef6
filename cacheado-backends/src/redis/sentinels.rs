//! Sentinels, and the master that they name.
//!
//! A sentinel that was cut off may name a former master. So the named server is asked for its role. The watch trusts the sentinels
//! only while more than half of them answer and all that answer agree: then no other master can have been elected without one of them
//! knowing.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisResult, Value, cmd,
};
use tokio::task::JoinSet;

use super::servers::{Address, Servers, at, connect};
use crate::backend::BackendResult;

/// The sentinels of one master, with open connections.
pub(super) struct Sentinels {
    master: String,
    all: Vec<(ConnectionInfo, Option<MultiplexedConnection>)>,
}

impl Sentinels {
    pub(super) fn new(sentinels: &[ConnectionInfo], master: &str) -> Self {
        let all = sentinels.iter().map(|it| (it.clone(), None));
        Self {
            master: master.to_owned(),
            all: all.collect(),
        }
    }

    /// The master that more than half of the sentinels name, within `limit`.
    ///
    /// # Errors
    ///
    /// If fewer name one, or two of them name different masters.
    pub(super) async fn agree(&mut self, limit: Duration) -> BackendResult<Address> {
        let mut asked = JoinSet::new();
        for (nth, (sentinel, connection)) in self.all.iter_mut().enumerate() {
            let (sentinel, name) = (sentinel.clone(), self.master.clone());
            let connection = connection.take();
            let ask = async move { ask(&sentinel, connection, &name, limit).await };
            asked.spawn(async move { (nth, tokio::time::timeout(limit, ask).await) });
        }
        let mut named = Vec::new();
        while let Some(answer) = asked.join_next().await {
            if let Ok((nth, Ok(Ok((connection, address))))) = answer {
                self.all[nth].1 = Some(connection);
                named.extend(address);
            }
        }
        if 2 * named.len() <= self.all.len() {
            return Err("too few sentinels name a master".into());
        }
        let address = named.swap_remove(0);
        if named.iter().any(|it| *it != address) {
            return Err("the sentinels do not agree which the master is".into());
        }
        Ok(address)
    }
}

impl Servers {
    /// The first server that a sentinel names and that says itself that it is a master.
    pub(super) async fn master(
        &self,
        name: &str,
        limit: Duration,
    ) -> BackendResult<ConnectionInfo> {
        let mut asked = JoinSet::new();
        for sentinel in self.nodes.clone() {
            let (servers, name) = (self.clone(), name.to_owned());
            asked.spawn(async move { servers.named_by(sentinel, &name, limit).await });
        }
        let mut failure = "no sentinel to ask".into();
        while let Some(answer) = asked.join_next().await {
            match answer? {
                Ok(server) => return Ok(server),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn named_by(
        &self,
        sentinel: ConnectionInfo,
        name: &str,
        limit: Duration,
    ) -> BackendResult<ConnectionInfo> {
        let answer = ask(&sentinel, None, name, limit).await;
        let it = format!("the sentinel at {}", sentinel.addr());
        let answer = answer.map_err(|error| self.unreachable(&it, &error));
        let Some(address) = answer?.1 else {
            return Err(format!("no sentinel knows a master named {name:?}").into());
        };
        let server = at(sentinel, address);
        match is_master(&server, limit).await {
            Ok(true) => Ok(server),
            Ok(false) => Err(format!("{} is named a master and is none", server.addr()).into()),
            Err(error) => Err(self.unreachable(server.addr(), &error)),
        }
    }
}

/// Whether the server says that it is a master.
pub(super) async fn says_master(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    let role: Value = cmd("ROLE").query_async(connection).await?;
    Ok(
        matches!(role, Value::Array(it) if it.first() == Some(&Value::BulkString(b"master".to_vec()))),
    )
}

/// [`says_master`] over a new connection. A server that does not tell this user counts as a master: a replica would refuse writes
/// anyway.
async fn is_master(server: &ConnectionInfo, limit: Duration) -> RedisResult<bool> {
    let mut connection = connect(server.clone(), &limited(limit)).await?;
    match says_master(&mut connection).await {
        Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => Ok(true),
        said => said,
    }
}

/// The address that the sentinel names, if any, asked over `connection` or a new one, which is returned for reuse. Sentinels are asked
/// without the servers' user and password.
async fn ask(
    sentinel: &ConnectionInfo,
    connection: Option<MultiplexedConnection>,
    name: &str,
    limit: Duration,
) -> RedisResult<(MultiplexedConnection, Option<Address>)> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => {
            let anonymous = RedisConnectionInfo::default();
            let sentinel = sentinel.clone().set_redis_settings(anonymous);
            connect(sentinel, &limited(limit)).await?
        }
    };
    let mut ask = cmd("SENTINEL");
    ask.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let address = ask.query_async(&mut connection).await?;
    Ok((connection, address))
}

fn limited(limit: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(limit))
        .set_response_timeout(Some(limit))
}

//! `redis`: a connection for each thread, and one multiplexed connection for all tasks.

use std::sync::Mutex;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, Commands, Connection};

use super::Driver;
use crate::shared::callers::Callers;
use crate::shared::contender::{LIFETIME, Waiting};
use crate::shared::operations::MOST_CALLERS;
use crate::shared::servers::TIMEOUT;

pub(super) struct Redis {
    /// Indexed by the caller's number, so that no caller waits for a connection.
    connections: Vec<Mutex<Connection>>,
    multiplexed: MultiplexedConnection,
}

impl Redis {
    pub(super) fn new(url: &str, callers: &Callers) -> Result<Self, String> {
        let client = Client::open(url).map_err(|error| error.to_string())?;
        let connections: Result<Vec<_>, _> = (0..MOST_CALLERS)
            .map(|_| client.get_connection().map(Mutex::new))
            .collect();
        // as patient as the cache: on a busy machine, the default of half a second would end the measurement
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT));
        let multiplexed =
            callers.wait(client.get_multiplexed_async_connection_with_config(&config));
        Ok(Self {
            connections: connections.map_err(|error| error.to_string())?,
            multiplexed: multiplexed.map_err(|error| error.to_string())?,
        })
    }

    fn with<T>(
        &self,
        caller: usize,
        ask: impl FnOnce(&mut Connection) -> redis::RedisResult<T>,
    ) -> T {
        let mut connection = self.connections[caller].lock().expect("no caller panicked");
        ask(&mut connection).expect("the server answers")
    }
}

impl Driver for Redis {
    fn get(&self, caller: usize, key: &str) -> Option<Vec<u8>> {
        self.with(caller, |it| it.get(key))
    }

    fn set(&self, caller: usize, key: &str, value: Vec<u8>) {
        let () = self.with(caller, |it| it.pset_ex(key, value, milliseconds()));
    }

    fn get_many(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        self.with(0, |it| it.mget(keys))
    }

    fn get_async<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Vec<u8>>> {
        let mut connection = self.multiplexed.clone();
        Box::pin(async move { connection.get(key).await.expect("the server answers") })
    }

    fn set_async<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Waiting<'a, ()> {
        let mut connection = self.multiplexed.clone();
        Box::pin(async move {
            let set = connection.pset_ex(key, value, milliseconds());
            let () = set.await.expect("the server answers");
        })
    }

    fn get_many_async<'a>(&'a self, keys: &'a [String]) -> Waiting<'a, Vec<Option<Vec<u8>>>> {
        let mut connection = self.multiplexed.clone();
        Box::pin(async move { connection.mget(keys).await.expect("the server answers") })
    }
}

fn milliseconds() -> u64 {
    LIFETIME.as_secs() * 1000
}

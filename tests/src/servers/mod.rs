//! Real servers for the tests: each on a free loopback port, in a temporary directory. A server is gone once its value is dropped, the
//! test panics, or the test process is killed.
//!
//! The script `tests/servers.sh` finds or installs the programs when they are first needed. If a server can't be had, the test fails
//! with a message that says how to get it.
//!
//! All have `addr()` and `url()` for clients, and `kill()`, `restart()`, `pause()` and `resume()` to rehearse outages. If something
//! fails without which a test can't continue, it panics.

mod memcached;
mod mongo;
mod mongo_set;
mod op_msg;
mod port;
mod process;
mod programs;
mod proxy;
mod redis;
mod redis_cluster;
mod sentinel;
mod server;
mod silent;
mod tls;

pub use memcached::Memcached;
pub use mongo::Mongo;
pub use mongo_set::MongoSet;
pub use proxy::Proxy;
pub use redis::Redis;
pub use redis_cluster::RedisCluster;
pub use sentinel::Sentinel;
pub use server::Server;
pub use silent::Silent;

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Waits until `ready` returns true, calling it every few milliseconds. Returns whether it did within `limit`.
pub fn wait_until(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !ready() {
        if began.elapsed() > limit {
            return false;
        }
        sleep(Duration::from_millis(5));
    }
    true
}

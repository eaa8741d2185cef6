//! Real servers for the tests: each on a free loopback port, in a temporary directory, and gone when its value is dropped, when the
//! test panics, and when the test's process is killed.
//!
//! The script `tests/servers.sh` finds or installs the programs on first need. A server that can't be had fails the test with the
//! sentence that says how to get it.
//!
//! All have `addr()` and `url()` for clients, and for rehearsing outages `kill()`, `restart()`, `pause()` and `resume()`. What a
//! test can't go on without panics when it fails.

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

/// Waits until `ready`, asking every few milliseconds. Returns whether it is within `limit`.
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

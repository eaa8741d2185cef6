//! The shared tier in Memcached, version 1.6 or later.
//!
//! | file | responsible for |
//! |---|---|
//! | `mod.rs` | the settings |
//! | `backend.rs` | the [`Backend`](crate::Backend) trait, blocking and not, over one set of operations |
//! | `look.rs` | lookups, and the marks of loads |
//! | `store.rs` | storing and evicting |
//! | `lease.rs` | claims among processes |
//! | `generations.rs` | the marks of scopes, by which scopes are evicted |
//! | `header.rs` | the header before a value in the store |
//! | `clock.rs` | the time by the server's clock |
//! | `mark.rs` | the content of a load's mark |
//! | `names.rs` | the names of items in the store |
//! | `servers.rs` | which server has a key |
//! | `client.rs` | the client crate |
//!
//! # Why an invalidation wins over a load that began before it
//!
//! Memcached gives each item a number that no other item has had (its CAS). A lookup that finds nothing leaves a stub, an item without
//! a value, and its number is the load's mark. The load's value is stored only in the place of an item with that number.
//!
//! - *The key is evicted during a load*: the stub is removed. A later stub has another number.
//! - *The key is set*: the value has another number.
//! - *A scope is evicted, or everything*: a value carries a hash of the nonces that the marks of its scopes had when its load began,
//!   and an eviction replaces the nonce. A value that a load stores after that is not valid, and the load is told that it was refused.
//! - *The server makes room*: if a stub is gone, so is its load's mark; the mark of a scope that is gone comes back with another
//!   nonce.
//! - *The server restarts*, and numbers items from 1 again: the nonces are gone with everything else. With several servers, those of
//!   the scopes may be at another one, so each server has a nonce of its own that counts as well; see `generations.rs`.
//! - *A load takes longer than [`load_limit`](Memcached::load_limit)*: nothing is stored.
//!
//! Anything but an invalidation leaves the number as it is: an expired value serves the loads that began before and after its end as a
//! stub does, and so the server keeps it for `load_limit` past its lifetime. If a lookup finds an item that the server would keep for
//! less than that, it touches the item, which does not change the number.
//!
//! With several servers, a scope's mark is at one of them and its entries are at all. While one server is down, its entries can't be
//! reached, and neither can those in the scopes whose marks it has.
//!
//! # What memcached can't do
//!
//! It has no lists. So [`evict_by_scope`](crate::Backend::evict_by_scope) always returns 0; entries that it evicts are never served
//! again, and stay in the server's memory until they expire, are replaced, or the server makes room. Memcached reports no changes, so
//! processes keep copies for the builder's `coherence` at most. It measures time in seconds: see [`Memcached`].
//!
//! # The client crate
//!
//! `memcache` 0.21, at its protocol level `memcache::exp`. It is the one maintained crate that has a blocking and a tokio client over
//! one set of commands, with the item numbers and stubs of memcached's meta protocol, pipelines, pools, and time limits. The others
//! are ruled out: `memcache`'s own older client swallows the answer that a key exists already, and waits 30 s for a server that
//! refuses connections; `async-memcached` has one connection, no time limits, and no blocking side; `memcache-async` has no item
//! numbers; `mtop-client` is under the GPL; the rest have not been maintained for years. The module is marked experimental there, so
//! the version is pinned, and only `client.rs` names the crate's connections. It has no TLS, and no passwords.

mod backend;
mod client;
mod clock;
mod generations;
mod header;
mod lease;
mod look;
mod mark;
mod names;
mod servers;
mod store;

use std::fmt;
use std::time::Duration;

use tokio::runtime::Handle;

use self::client::Client;
use self::clock::Clock;
use self::generations::Remembered;
use self::names::Names;
use self::servers::Servers;
use crate::error::Result;
use crate::io::check_runtime;

/// The client flags of a value. Those of a stub are 0.
const VALUE: u32 = 0xCAC;

/// The longest span that memcached takes, in seconds: 30 days. What is more it takes for a date.
const MOST_SECONDS: u32 = 60 * 60 * 24 * 30;

/// What memcached takes of an item's size for itself, with the longest key and the header of a value, generously.
const OVERHEAD: usize = 1_024;

/// A shared tier in Memcached, version 1.6 or later.
///
/// ```
/// use std::time::Duration;
///
/// # #[cfg(any())] // users have it by this name, and this crate's tests by the one below
/// use cacheado::backends::Memcached;
/// # use cacheado_backends::memcached::Memcached;
///
/// let backend = Memcached::new("127.0.0.1:11211")?
///     .timeout(Duration::from_millis(100))
///     .load_limit(Duration::from_secs(10));
/// # let _: Memcached = backend;
/// # Ok::<(), cacheado_backends::Error>(())
/// ```
///
/// It connects at first use. Its connections live in a runtime of its own, unless it is given [another](Self::runtime), so that the
/// cache can be used from any runtime, and from none.
///
/// No value is served past its lifetime. Memcached's clock has steps of a second, so processes other than the one that stored a value
/// stop serving it early: by about a second if they look up something every second or so, by 4.2 s at most. With shorter lifetimes
/// than that, possibly no other process is served the value from the store.
///
/// [`evict_by_scope`](crate::Backend::evict_by_scope) always returns 0: Memcached can't list what is in a scope. An evicted scope is
/// never served again; its entries stay in the server's memory until they expire, are replaced, or the server makes room.
///
/// Memcached reports no changes, so other processes keep copies for the builder's `coherence`. The client has no TLS and no passwords.
pub struct Memcached {
    client: Client,
    names: Names,
    /// The names of the marks of the servers, of each one, if there are several.
    server_marks: Vec<String>,
    clock: Clock,
    remembered: Remembered,
    load_limit: Duration,
    max_value_bytes: usize,
}

impl Memcached {
    /// Uses the server at `address`: `host:port`, or `memcached://host:port`. The port is 11211 if left out.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if it is not such an address. Whether a server is there shows at first use.
    pub fn new(address: impl AsRef<str>) -> Result<Self> {
        Self::several([address])
    }

    /// Uses the servers at `addresses`, each of which has a share of the entries. All processes must have the same servers, written
    /// the same way, in any order. A server that is added takes keys over from the others, which keep their old values: when it is
    /// taken out again, [`clear`](crate::Backend::clear) the cache, or values evicted meanwhile are found again.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if there are no addresses, or one is not valid.
    ///
    /// ```
    /// # #[cfg(any())] // users have it by this name, and this crate's tests by the one below
    /// use cacheado::backends::Memcached;
    /// # use cacheado_backends::memcached::Memcached;
    ///
    /// let backend = Memcached::several(["cache-1:11211", "cache-2:11211"])?;
    /// # let _: Memcached = backend;
    /// # Ok::<(), cacheado_backends::Error>(())
    /// ```
    pub fn several<A: AsRef<str>>(addresses: impl IntoIterator<Item = A>) -> Result<Self> {
        let servers = Servers::parse(addresses)?;
        let names = Names::of("cacheado");
        Ok(Self {
            server_marks: names.of_servers(&servers),
            client: Client::new(servers, Duration::from_millis(200)),
            names,
            clock: Clock::default(),
            remembered: Remembered::default(),
            load_limit: Duration::from_secs(60),
            max_value_bytes: 1024 * 1024 - OVERHEAD,
        })
    }

    /// The limit for an operation; 200 ms by default, and a year at most. A blocking operation gives half of it to one request, and a
    /// quarter to connecting. Zero makes `build()` fail.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.client = self.client.with_limit(limit);
        self
    }

    /// How long a load may take for its value to be stored; 60 s by default, and 15 days at most. An expired value stays in the
    /// server's memory for as long, for loads that began before it expired, and a lookup that misses leaves a stub for twice as long.
    /// Zero makes `build()` fail.
    #[must_use]
    pub fn load_limit(mut self, limit: Duration) -> Self {
        self.load_limit = limit.min(Duration::from_secs((MOST_SECONDS / 2 - 1).into()));
        self
    }

    /// The largest value in bytes, as it is stored; by default 1 MiB less 1 KiB, since a server takes no larger ones unless started
    /// with `-I`. A larger value is refused before it is sent: Memcached would remove what is under its key.
    #[must_use]
    pub fn max_value_bytes(mut self, most: usize) -> Self {
        self.max_value_bytes = most;
        self
    }

    /// Has the connections of async operations driven by `runtime`, which must outlast the cache. Give the runtime on which the
    /// operations are awaited: an answer then wakes its caller without waking another thread first, which is most of the time of a
    /// round trip on the loopback.
    ///
    /// On a single-threaded runtime, don't await operations in another executor's `block_on` there: nothing would drive the
    /// connections.
    ///
    /// By default the cache's own runtime drives the connections. That runtime never ends, so the cache can be used from runtimes that
    /// come and go. Once `runtime` has ended, async operations fail, which counts as an outage; blocking operations use the cache's
    /// own runtime in any case.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if `runtime` has no timers, or drives no sockets (`enable_all()`). In a program that
    /// aborts on panics this can't be detected: there, connecting to the server would abort it.
    ///
    /// ```
    /// # #[cfg(any())] // users have it by this name, and this crate's tests by the one below
    /// use cacheado::backends::Memcached;
    /// # use cacheado_backends::memcached::Memcached;
    ///
    /// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the system has threads");
    /// let backend = Memcached::new("127.0.0.1:11211")?.runtime(runtime.handle().clone())?;
    /// # let _: Memcached = backend;
    /// # Ok::<(), cacheado_backends::Error>(())
    /// ```
    pub fn runtime(mut self, runtime: Handle) -> Result<Self> {
        check_runtime("Memcached", &runtime)?;
        self.client = self.client.on(runtime);
        Ok(self)
    }

    /// The load limit in whole seconds, rounded up.
    fn load_seconds(&self) -> u64 {
        self.load_limit.as_secs() + u64::from(self.load_limit.subsec_nanos() > 0)
    }

    /// For how many seconds a stub stays. Memcached lets go up to a second early.
    fn stub_seconds(&self) -> u32 {
        let seconds = u32::try_from(2 * self.load_seconds() + 2).unwrap_or(MOST_SECONDS);
        seconds.min(MOST_SECONDS)
    }
}

impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memcached")
            .field("servers", &self.client.servers().addresses())
            .field("timeout", &self.client.limit())
            .field("load_limit", &self.load_limit)
            .field("max_value_bytes", &self.max_value_bytes)
            .finish_non_exhaustive()
    }
}

/// The error for an answer that belongs to no question.
fn unexpected() -> Box<dyn std::error::Error + Send + Sync> {
    "the server answered something else than was asked".into()
}

//! Redis: one server, a cluster, or a master that sentinels name.
//!
//! - `backend`: the [`Backend`](crate::Backend) trait, blocking and not, over one set of operations
//! - `names`: what the keys are called
//! - `stored`: a payload as it lies in the server
//! - `store`: what each operation asks and makes of the answers, written once for blocking and async use
//! - `script`, `lua/`, `lua/parts/`: what runs in the server
//! - `exchange`, `blocking`, `multiplexed`: a round trip, and its two kinds
//! - `line`: the connection to one server that many share
//! - `cluster`, `owners`: a round trip to the nodes of a cluster, and which of them has what
//! - `servers`: how each kind of server is connected to
//! - `sentinels`, `topology`: who is the master by the word of sentinels, and of the nodes of a cluster
//! - `watch`: hearing of what other processes do

mod backend;
mod blocking;
mod cluster;
mod exchange;
mod line;
mod multiplexed;
mod names;
mod nonce;
mod owners;
mod reply;
mod script;
mod sentinels;
mod servers;
mod store;
mod stored;
mod topology;
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;

use self::blocking::Blocking;
use self::multiplexed::Multiplexed;
use self::servers::{Kind, Servers};
use self::store::Store;
use self::watch::Watching;
use crate::io;

/// A shared tier in Redis: one server, a cluster, or what sentinels watch over.
///
/// ```
/// use std::time::Duration;
/// # #[cfg(any())] // users have it by this name, and this crate's tests by the one below
/// use cacheado::backends::Redis;
/// # use cacheado_backends::redis::Redis;
///
/// let backend = Redis::new("redis://127.0.0.1:6379")?.timeout(Duration::from_millis(100));
/// # Ok::<(), cacheado_backends::Error>(())
/// ```
///
/// Nothing is connected to before the first operation, and a server that is down fails operations, never this.
///
/// # What is stored
///
/// Entries are keys of their own, with a native expiry, whose names can be read: `{shop:17}:organization=acme/user=7/shop::profile(3)~5d41…`
/// for the cache `shop`. All that belongs to one tenant, one scope right below the root, has equal braces and so lies on one node of a
/// cluster. Beside the entries there are, per bucket (there are 64), an index of their names, by which a scope is evicted at the cost of
/// what is removed, and short-lived marks, by which a load that an eviction has overtaken is refused; after a [restart](#restarts) there is
/// a note for a day. Nothing else in the database is read or touched.
///
/// # The user's rights
///
/// A user who is not `default` needs, for a cache that is called `shop`, its keys, its channel, and the commands by which those are read, written
/// and listened to. A user of Redis 7 has no channels unless it is given some (`acl-pubsub-default`); without this one nothing can be evicted:
///
/// ```text
/// ACL SETUSER app on >password ~{shop* &{shop}changes -@all +@read +@write +@connection +@scripting +time +publish +subscribe +info
/// ```
///
/// `+cluster` beside these in a cluster, `+role` behind sentinels. Without `+info` all works but what a [restart](#restarts) may bring back.
///
/// # The server's memory
///
/// Under a `maxmemory-policy` that evicts (`allkeys-lru` and the like) Redis may take marks and indexes as well as entries. What has lost its
/// index is no longer found by an eviction of its scope. Where evictions by scope must reach all, use `noeviction`: a full server then
/// refuses to store more, and entries expire.
///
/// # The server's clock
///
/// Lifetimes, marks and claims end by the server's wall clock alone. One that is set back keeps what it has for as much longer, and a value is found
/// past its lifetime; one that is set ahead ends it early. No invalidation is lost by either. Slew the clock, as NTP does, or
/// [`clear`](crate::Backend::clear) after setting it back.
///
/// # Hearing of changes
///
/// A process hears of what others evict and put by connections of its own: to the server, in a cluster to every master that serves slots.
/// Twice a second it asks by each of them whether that is still where changes are made, and waits half a second for the answers. So
/// within a second, and what a busy machine adds, it reports [`Lost`](crate::backend::Change::Lost) and trusts its copies no more:
///
/// - when one of those servers is gone, hangs, or can't be reached;
/// - in a cluster, when one of the masters takes the cluster for failed, or sees other masters or other slots of theirs than when listening
///   began. A replica that takes over was elected by most masters and tells all, so this is within a second of any of the others having heard;
/// - behind sentinels, when the server is no master by its own word, one of the sentinels names another, or not more than half of
///   them name it: else the process could be cut off together with an old master. All must name it by the same host and port.
///
/// It is [`Covered`](crate::backend::Change::Covered) again once it listens to all and these say that they are the ones; operations then
/// use new connections. In a cluster a message arrives once from each master, and evicts each time.
///
/// This is not noticed:
///
/// - In the second until it is known, changes made elsewhere are not heard, and copies that they concern are served.
/// - While a change that concerns a very large number of entries is carried out here, the changes after it wait, up to 10,000 of them:
///   beyond that it begins anew, and all copies go.
/// - What an old master takes after another was made in its place, until it knows: in a cluster for the nodes' `cluster-node-timeout`, behind sentinels
///   until they reach it. Evictions among it are lost to the store too, as are those that a replica had not received yet when it
///   became the master. `min-replicas-to-write 1` makes a master without replicas refuse.
/// - What is changed in a slot while it moves to a master that has no others yet is heard by way of the cluster's own links alone, as is
///   what a replica takes that was made a master by force (`TAKEOVER`), while it reaches no other master.
///
/// # Restarts
///
/// A server that keeps nothing on disk comes back empty, and one that writes its append-only file (`appendonly yes`) with all that it had, but for
/// the last second or two if the machine went down with it, or if it was killed while its disk was busy; with `appendfsync always`
/// that is there as well. One that has a snapshot alone comes back with what was evicted after that
/// was made. The first process that had listened to it before and does again clears the cache for that: for a second or so until
/// then, what came back is found. If there is no such process, or this user may not ask for `INFO`, it is found until it expires.
pub struct Redis {
    settings: Settings,
    store: Arc<Store>,
    blocking: Blocking,
    /// On this crate's own runtime, for what outlasts the user's, or waits for it by blocking.
    own: Arc<Multiplexed>,
    multiplexed: Arc<Multiplexed>,
    watching: Mutex<Option<Watching>>,
}

struct Settings {
    servers: Servers,
    timeout: Duration,
    load_limit: Duration,
    runtime: Option<Handle>,
}

impl Redis {
    /// One server: `redis://host:port/database`, with `user:password@` in front of the host if need be, or `rediss://` for TLS with
    /// the system's root certificates.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if the URL is none of those. Whether there is a server is not looked at.
    pub fn new(url: &str) -> crate::Result<Self> {
        Ok(Self::of(Servers::new(Kind::Single, [url])?))
    }

    /// A Redis Cluster, of which `urls` are some nodes; the others are learnt from those.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if there are none, one is no URL of Redis, or they differ in more than the address.
    pub fn cluster(urls: impl IntoIterator<Item = impl AsRef<str>>) -> crate::Result<Self> {
        Ok(Self::of(Servers::new(Kind::Cluster, urls)?))
    }

    /// The server that is the master named `master` by now, by the word of the sentinels at `urls`. User, password and database in the
    /// URLs are those of the master; sentinels are asked without. Give all of them: changes are heard while more than half answer.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if there are none, one is no URL of Redis, or the name is empty.
    pub fn sentinel(
        urls: impl IntoIterator<Item = impl AsRef<str>>,
        master: &str,
    ) -> crate::Result<Self> {
        let kind = Kind::Sentinels(master.to_owned());
        Ok(Self::of(Servers::new(kind, urls)?))
    }

    fn of(servers: Servers) -> Self {
        Self::with(Settings {
            servers,
            timeout: Duration::from_millis(200),
            load_limit: Duration::from_secs(60),
            runtime: None,
        })
    }

    fn with(settings: Settings) -> Self {
        let servers = Arc::new(settings.servers.clone());
        let timeout = settings.timeout;
        let own = Arc::new(Multiplexed::new(Arc::clone(&servers), timeout, None));
        let multiplexed = match &settings.runtime {
            None => Arc::clone(&own),
            Some(runtime) => {
                let runtime = Some(runtime.clone());
                Arc::new(Multiplexed::new(Arc::clone(&servers), timeout, runtime))
            }
        };
        Self {
            store: Arc::new(Store::new("cacheado", settings.load_limit)),
            blocking: Blocking::new(servers, Arc::clone(&own), timeout),
            own,
            multiplexed,
            watching: Mutex::default(),
            settings,
        }
    }

    /// How long one round trip may take, connecting included; 200 ms if not set. An eviction of a scope with thousands of entries takes
    /// several. Zero makes `build()` fail.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self::with(Settings {
            timeout,
            ..self.settings
        })
    }

    /// How long a load may take: what takes longer is not stored. 60 s if not set. The server keeps for twice as long what tells it
    /// which loads an eviction has overtaken, and then begins anew: of loads that take a tenth of the limit, one in twenty meets that
    /// moment and is not stored either. Where processes have different limits, that comes as often as with the shortest. Zero makes
    /// `build()` fail.
    #[must_use]
    pub fn load_limit(self, load_limit: Duration) -> Self {
        Self::with(Settings {
            load_limit,
            ..self.settings
        })
    }

    /// Has the connection of async operations driven by `runtime`, which must outlast the cache: the one that the operations are awaited on.
    /// An answer then wakes its caller without waking another thread first, which is most of what a round trip on the loopback takes.
    ///
    /// On a runtime of one thread, don't await them in another executor's `block_on` there: nothing would drive the connection.
    ///
    /// If not set, a runtime of the cache's own drives it, which never ends, so that the cache can be used from any runtime that comes and
    /// goes. Once `runtime` has ended, async operations fail, which is an outage; blocking ones, and hearing of changes, are on the
    /// cache's own in any case.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if `runtime` has no timers, or drives no sockets (`enable_all()`). A program that aborts
    /// on panics is not told: there, connecting to the server would abort it.
    ///
    /// ```
    /// # #[cfg(any())] // users have it by this name, and this crate's tests by the one below
    /// use cacheado::backends::Redis;
    /// # use cacheado_backends::redis::Redis;
    ///
    /// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the system has threads");
    /// let backend = Redis::new("redis://127.0.0.1:6379")?.runtime(runtime.handle().clone())?;
    /// # let _: Redis = backend;
    /// # Ok::<(), cacheado_backends::Error>(())
    /// ```
    pub fn runtime(self, runtime: Handle) -> crate::Result<Self> {
        io::check_runtime("Redis", &runtime)?;
        Ok(Self::with(Settings {
            runtime: Some(runtime),
            ..self.settings
        }))
    }

    /// Trusts the root certificates in `pem` in the place of the system's.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if there is none in it, or a server's URL is not `rediss://`.
    pub fn root_certificate(mut self, pem: impl AsRef<[u8]>) -> crate::Result<Self> {
        self.settings.servers.trust(pem.as_ref())?;
        Ok(Self::with(self.settings))
    }
}

impl fmt::Debug for Redis {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("servers", &self.settings.servers)
            .field("timeout", &self.settings.timeout)
            .field("load_limit", &self.settings.load_limit)
            .finish_non_exhaustive()
    }
}

//! Redis: one server, a Cluster, or a master found through sentinels.
//!
//! - `backend`: the [`Backend`](crate::Backend) trait, blocking and not, over one set of operations
//! - `names`: the names of keys
//! - `stored`: the form of a payload in the server
//! - `store`: what each operation sends and how it reads the answers, written once for blocking and async use
//! - `script`, `lua/`, `lua/parts/`: scripts that run in the server
//! - `exchange`, `blocking`, `multiplexed`: a round trip, and its two kinds
//! - `line`: the connection to one server that many callers share
//! - `cluster`, `owners`: a round trip to the nodes of a Cluster, and which of them owns which slots
//! - `servers`: how each kind of server is connected to
//! - `sentinels`, `topology`: which server is the master, according to sentinels and to the nodes of a Cluster
//! - `watch`: receiving the changes of other processes

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

/// A shared tier in Redis: one server, a Cluster, or a master that sentinels watch over.
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
/// Connections are made by the first operation. If a server is down, operations fail, not the constructor.
///
/// # What is stored
///
/// Each entry is a key of its own, with a native expiry and a readable name:
/// `{shop:17}:organization=acme/user=7/shop::profile(3)~5d41…` for the cache `shop`. Everything of one tenant (one scope directly
/// below the root) has the same braces and so lies on one node of a Cluster.
///
/// Besides the entries there are, for each of 64 buckets, an index of entry names, by which a scope is evicted at the cost of what is
/// removed, and short-lived marks, by which a load that an eviction has overtaken is refused. After a [restart](#restarts) there is a
/// note for a day. Nothing else in the database is read or touched.
///
/// # The user's rights
///
/// A user other than `default` needs, for a cache called `shop`, its keys, its channel, and the commands by which those are read,
/// written and subscribed to. A user of Redis 7 has no channels unless it is given some (`acl-pubsub-default`); without this channel
/// nothing can be evicted:
///
/// ```text
/// ACL SETUSER app on >password ~{shop* &{shop}changes -@all +@read +@write +@connection +@scripting +time +publish +subscribe +info
/// ```
///
/// Add `+cluster` in a Cluster, and `+role` behind sentinels. Without `+info` everything works except clearing the cache after a
/// [restart](#restarts).
///
/// # The server's memory
///
/// Under a `maxmemory-policy` that evicts (`allkeys-lru` and the like), Redis may remove marks and indexes as well as entries. An
/// eviction of a scope no longer finds entries whose index is gone. If evictions by scope must reach everything, use `noeviction`: a
/// full server then refuses to store more, and entries expire.
///
/// # The server's clock
///
/// Lifetimes, marks and claims end by the server's wall clock alone. If it is set back, entries live that much longer, and are served
/// past their lifetime; if it is set ahead, they end early. Neither loses an invalidation. Slew the clock, as NTP does, or
/// [`clear`](crate::Backend::clear) after setting it back.
///
/// # Hearing of changes
///
/// A process receives what others evict and put over connections of its own: to the server, or in a Cluster to every master that
/// serves slots. Twice a second it asks over each of them whether that is still where changes are made, and waits half a second for
/// the answers. So within a second, and what a busy machine adds, it reports [`Lost`](crate::backend::Change::Lost) and no longer
/// trusts its copies:
///
/// - when one of those servers is gone, hangs, or can't be reached;
/// - in a Cluster, when one of the masters considers the Cluster failed, or sees other masters, or other slots of theirs, than when
///   listening began. A replica that takes over was elected by most masters and tells all, so this happens within a second of any of
///   the others having heard;
/// - behind sentinels, when the server says that it is not a master, one of the sentinels names another server, or no more than half
///   of the sentinels name this one: otherwise the process could be cut off together with an old master. All sentinels must name it by
///   the same host and port.
///
/// It reports [`Covered`](crate::backend::Change::Covered) again once it listens to all servers and they confirm that they are the
/// right ones; operations then use new connections. In a Cluster a message arrives once from each master, and evicts each time.
///
/// This is not noticed:
///
/// - Until such a loss is noticed, within that second, changes made elsewhere are not received, and copies that they concern are
///   served.
/// - While a change that concerns a very large number of entries is carried out here, later changes wait, up to 10,000 of them; beyond
///   that listening begins anew, and all copies are dropped.
/// - Writes that an old master accepts after another one was made in its place, until it knows: in a Cluster for the nodes'
///   `cluster-node-timeout`, behind sentinels until they reach it. Evictions among these writes are lost to the store too, as are
///   those that a replica had not received yet when it became the master. `min-replicas-to-write 1` makes a master without replicas
///   refuse.
/// - Changes in a slot that is moving to a master that has no other slots yet are received over the Cluster's own links alone. So are
///   writes accepted by a replica that was made a master by force (`TAKEOVER`), while it reaches no other master.
///
/// # Restarts
///
/// A server that keeps nothing on disk comes back empty. One that writes its append-only file (`appendonly yes`) comes back with
/// everything; if the machine went down with it, or it was killed while its disk was busy, the last second or two are missing, unless
/// it has `appendfsync always`.
///
/// A server that has only a snapshot comes back with what was evicted after the snapshot. The first process that had listened to it
/// before and does again clears the cache for that reason; for a second or so until then, evicted values are found. If there is no
/// such process, or the user may not ask for `INFO`, they are found until they expire.
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
    /// Uses one server: `redis://host:port/database`, with `user:password@` before the host if needed, or `rediss://` for TLS with the
    /// system's root certificates.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if the URL has neither form. Whether there is a server is not checked.
    pub fn new(url: &str) -> crate::Result<Self> {
        Ok(Self::of(Servers::new(Kind::Single, [url])?))
    }

    /// Uses a Redis Cluster. `urls` are some of its nodes; the others are discovered from them.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if there are no URLs, one is not a Redis URL, or they differ in more than the address.
    pub fn cluster(urls: impl IntoIterator<Item = impl AsRef<str>>) -> crate::Result<Self> {
        Ok(Self::of(Servers::new(Kind::Cluster, urls)?))
    }

    /// Uses the server that the sentinels at `urls` currently name as the master called `master`. User, password and database in the
    /// URLs are those of the master; sentinels are asked without them. Give all sentinels: changes are received while more than half
    /// of them answer.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if there are no URLs, one is not a Redis URL, or the name is empty.
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

    /// The limit for one round trip, connecting included; 200 ms by default. Evicting a scope with thousands of entries takes several
    /// round trips. Zero makes `build()` fail.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self::with(Settings {
            timeout,
            ..self.settings
        })
    }

    /// How long a load may take for its value to be stored; 60 s by default. The server keeps, for twice as long, what tells which
    /// loads an eviction has overtaken, and then begins anew: of loads that take a tenth of the limit, one in twenty meets that moment
    /// and is not stored either. Where processes have different limits, this happens as often as with the shortest. Zero makes
    /// `build()` fail.
    #[must_use]
    pub fn load_limit(self, load_limit: Duration) -> Self {
        Self::with(Settings {
            load_limit,
            ..self.settings
        })
    }

    /// Has the connection of async operations driven by `runtime`, which must outlast the cache. Give the runtime on which the
    /// operations are awaited: an answer then wakes its caller without waking another thread first, which is most of the time of a
    /// round trip on the loopback.
    ///
    /// On a single-threaded runtime, don't await operations in another executor's `block_on` there: nothing would drive the
    /// connection.
    ///
    /// By default the cache's own runtime drives the connection. That runtime never ends, so the cache can be used from runtimes that
    /// come and go. Once `runtime` has ended, async operations fail, which counts as an outage; blocking operations and the reception
    /// of changes use the cache's own runtime in any case.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if `runtime` has no timers, or drives no sockets (`enable_all()`). In a program that
    /// aborts on panics this can't be detected: there, connecting to the server would abort it.
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

    /// Trusts the root certificates in `pem` instead of the system's.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if `pem` has no certificate, or a server's URL is not `rediss://`.
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

//! The shared tier in MongoDB: one document per entry, in one collection.
//!
//! | file | responsible for |
//! |---|---|
//! | `mod.rs` | the settings and the client, made at first use |
//! | `backend.rs` | the [`Backend`](crate::Backend) trait, blocking and not, over one set of operations |
//! | `runtime.rs` | the threads that the driver runs on |
//! | `current.rs` | the client in use, and when it is replaced |
//! | `document.rs` | the content of a document, and the server-side expressions over it |
//! | `store.rs` | the operations on one key, on a scope and on everything |
//! | `parts.rs` | deleting many documents, a part at a time |
//! | `lease.rs` | claims among processes |
//! | `bulk.rs` | the operations on many keys |
//! | `notices.rs` | sending changes to other processes, and receiving theirs |
//! | `progress.rs` | noticing that the received changes are old |
//! | `upkeep.rs` | making the index and the cap again if they were dropped |
//! | `mark.rs` | the content of a mark |
//! | `failure.rs` | which errors are refusals |
//!
//! # Why an invalidation wins over a load that began before it
//!
//! Each document has a token in `gen` that never recurs. A lookup that misses makes sure that there is a document, if only an empty
//! one (a *place*), and its token is the load's mark. The load's value is stored by one update that looks for the mark's token in the
//! document. An eviction deletes documents together with their tokens; a set writes a new token. So:
//!
//! - *The key is evicted during a load, by itself, with a scope or with everything*: the document is gone, or is a new one with
//!   another token. The update finds nothing. The server orders the two writes of one document; there is no time between looking and
//!   storing.
//! - *Two loads of one key*: both have the same token, and both may store; neither began before an invalidation.
//! - *The value expires, and the key is looked up again, while an older load runs*: a lookup keeps the token that is there. No
//!   invalidation came between, so the older load may store.
//! - *The server sweeps the document*: the token is gone, and a load with it is not stored. A place is kept for two `load_limit`s from
//!   when it was made, a value for one past its lifetime. A lookup that gets the token of a document that would be kept for less than
//!   one `load_limit` extends that to two. So this happens only to loads past the limit, which are refused anyway.
//! - *A scope is evicted while values in it expire and are filled*: the last of its deletions removes whatever is there; see
//!   `parts.rs`.
//! - *The server crashes*: a write that makes an older value invalid is acknowledged when it is in the journal; see `notices.rs`.
//! - *The primary fails over*: what it alone had acknowledged may be undone, evictions as well. With
//!   [`write_concern_majority`](MongoDb::write_concern_majority) it is not.

mod backend;
mod bulk;
mod current;
mod document;
mod failure;
mod lease;
mod mark;
mod notices;
mod parts;
mod progress;
mod runtime;
mod store;
mod upkeep;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::mongodb::Client;
use ::mongodb::options::{
    Acknowledgment, ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
};
use tokio::task::JoinHandle;

use self::current::Current;
use self::store::Store;
use crate::backend::{BackendResult, Change, Changes};
use crate::error::Error;
use crate::io;
use crate::sync::{Mutex, lock};

/// A shared tier in MongoDB, version 4.4 or later.
///
/// Values are never served once they have expired by the server's wall clock; if that is set back, they live that much longer. The
/// server itself deletes their documents (a TTL index), [`load_limit`](Self::load_limit) after that, since loads that began before are
/// stored by what they found in them.
///
/// # Hearing of changes
///
/// Other processes hear of evictions and sets by a change stream, within milliseconds, or 100 of them if the server is busy. This
/// needs a replica set; on a standalone server processes keep their copies for the builder's `coherence`. A stream reports only what a
/// majority of the members has. If it breaks, falls more than about a second behind what the primary has written, or another primary
/// is elected, this is noticed within a second and a half: the process then drops its copies, and keeps new ones for `coherence` at
/// most until a stream has shown that it moves. To notice this costs the primary some six small reads a second for each process.
/// Sharded clusters (`mongos`) have not been tried.
///
/// # The client
///
/// The client connects at first use. It runs in a runtime of its own, so the cache can be used from any runtime, and from none. That
/// runtime has as many threads as there are cores, up to eight, shared by all users of MongoDB in the process.
///
/// The client reads the current data of the primary alone, whatever read concern the deployment has as its default: an address with
/// another `readPreference` or `readConcernLevel` is refused. It doesn't retry: `retryWrites` and `retryReads` of the address have no
/// effect.
///
/// ```
/// use std::time::Duration;
///
/// # #[cfg(any())] // users have it by this name, and this crate's tests by the one below
/// use cacheado::backends::MongoDb;
/// # use cacheado_backends::mongodb::MongoDb;
///
/// let backend = MongoDb::new("mongodb://127.0.0.1:27017")?
///     .database("storefront")
///     .collection("cache")
///     .timeout(Duration::from_millis(100));
/// # let _: MongoDb = backend;
/// # Ok::<(), cacheado_backends::Error>(())
/// ```
///
/// # The collections
///
/// The collection is for caches alone. Several caches may share it, but it must not have a default collation, since names of entries
/// differ in case. The name of an entry, which is as long as the scope's ids, may have at most 4 MiB; a longer one is
/// [refused](crate::backend::Refused).
///
/// A second collection, `<collection>.changes`, capped to 1 MiB, carries the messages between processes; a key with more than 64 KiB
/// of arguments is sent as its scope. If an administrator drops either collection, or the database, the index and the cap are made
/// again: at once where a change stream has been followed, else within a minute. A collection of changes that has no cap is converted.
pub struct MongoDb {
    options: ClientOptions,
    database: String,
    collection: String,
    timeout: Duration,
    load_limit: Duration,
    /// The cache's name.
    cache: String,
    current: Current,
    /// Who hears of changes.
    changes: OnceLock<Changes>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl MongoDb {
    /// Uses the deployment at `uri`: `mongodb://[user:password@]host[:port][,…][/database][?options]`. Nothing is sent yet, so a
    /// server that is down is not an error here. `mongodb+srv` addresses, which are looked up in DNS, are not supported: name the
    /// hosts. The database in the path is where the user is looked up, if there is no `authSource`; [`database`](Self::database) says
    /// where entries go.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if that is not such an address, or its options are not supported, or don't make sense for a cache, such as
    /// `w=0`. The user, the password and other secrets in the address appear in no message.
    pub fn new(uri: &str) -> crate::Result<Self> {
        let mut options = parse(uri)?;
        match options.selection_criteria.take() {
            None | Some(SelectionCriteria::ReadPreference(ReadPreference::Primary)) => {}
            Some(_) => {
                return Err(config(
                    "a cache reads from the primary alone: leave `readPreference` out",
                ));
            }
        }
        let local = ReadConcern::local();
        if options
            .read_concern
            .replace(local.clone())
            .is_some_and(|concern| concern.level != local.level)
        {
            return Err(config(
                "a cache reads what the primary has now: leave `readConcernLevel` out",
            ));
        }
        if options.max_pool_size == Some(1) {
            return Err(config(
                "one connection waits for changes, and others are needed beside it: give a `maxPoolSize` of 2 or more, or leave it out",
            ));
        }
        options.retry_writes = Some(false);
        options.retry_reads = Some(false);
        let nodes = Acknowledgment::Nodes(1);
        let concern = options.write_concern.as_ref();
        if concern.is_some_and(|concern| concern.w == Some(Acknowledgment::Nodes(0))) {
            return Err(config(
                "what nobody acknowledges may not have been evicted: give a `w` of 1 or more, or leave it out",
            ));
        }
        options
            .write_concern
            .get_or_insert_with(|| WriteConcern::builder().w(nodes).build());
        Ok(Self {
            options,
            database: "cacheado_cache_db".to_owned(),
            collection: "cacheado_cache_collection".to_owned(),
            timeout: Duration::from_millis(200),
            load_limit: Duration::from_secs(60),
            cache: String::new(),
            current: Current::default(),
            changes: OnceLock::new(),
            listener: Mutex::default(),
        })
    }

    /// The database that holds the collection; `cacheado_cache_db` by default. An invalid name makes `build()` fail.
    #[must_use]
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.database = name.into();
        self
    }

    /// The collection that holds the entries; `cacheado_cache_collection` by default. An invalid name makes `build()` fail.
    #[must_use]
    pub fn collection(mut self, name: impl Into<String>) -> Self {
        self.collection = name.into();
        self
    }

    /// The limit for each operation, connecting included; 200 ms by default, and a year at most. Operations that take longer fail, and
    /// count as an outage. Zero makes `build()` fail.
    ///
    /// If nothing is answered for 50 times as long although the server is known to be there, as behind a load balancer that has lost
    /// it, the connections are given up and new ones made.
    ///
    /// Evicting a scope and `clear` delete up to 1,024 entries at a time. This is the limit for each part; all parts together may take
    /// 25 times as long. Beyond that the operation fails, but what is deleted stays deleted, and the cache continues with the rest
    /// when it sends the eviction again.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(io::LONGEST);
        self
    }

    /// How long a load may take for its value to be stored; 60 s by default, and a year at most. A lookup that misses leaves a small
    /// document for twice as long, unless a value is stored there before, and an expired value stays for as long as a load may take.
    /// Zero makes `build()` fail.
    #[must_use]
    pub fn load_limit(mut self, limit: Duration) -> Self {
        self.load_limit = limit.min(io::LONGEST);
        self
    }

    /// Has writes acknowledged by a majority of the members and their journals, so that no failover undoes an eviction. While there is
    /// no majority, writes fail.
    ///
    /// By default the primary alone acknowledges, or what `w` in the address says. Evictions, and sets and puts that replace
    /// something, are acknowledged when they are in its journal, so a crash does not undo them. That takes 1.3 to 1.7 times as long as
    /// without; `journal=false` in the address turns it off, which a server without a journal needs. A failover to members that had
    /// not received them does undo them: values evicted just before are there again, for the rest of their lifetimes.
    #[must_use]
    pub fn write_concern_majority(mut self) -> Self {
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).build();
        self.options.write_concern = Some(majority);
        self
    }

    /// The store, with a client that connects when it is used.
    fn store(&self) -> BackendResult<Arc<Store>> {
        self.current.get(|| {
            let store = self.connect()?;
            if let Some(changes) = self.changes.get() {
                self.listen(&store, changes);
            }
            Ok(store)
        })
    }

    /// Has `changes` hear what is told by way of `store`, and no longer of one before.
    fn listen(&self, store: &Arc<Store>, changes: &Changes) {
        let Ok(runtime) = runtime::handle() else {
            return;
        };
        let mut listener = lock(&self.listener);
        let (before, store, changes) = (listener.take(), Arc::downgrade(store), changes.clone());
        if let Some(before) = &before {
            before.abort();
        }
        *listener = Some(runtime.spawn(async move {
            if let Some(before) = before {
                // it may be about to report that all is heard
                let _ = before.await;
                io::report(&changes, Change::Lost);
            }
            notices::listen(store, changes).await;
        }));
    }

    fn connect(&self) -> Result<Arc<Store>, String> {
        let runtime = runtime::handle().map_err(|error| error.to_string())?;
        let mut options = self.options.clone();
        let shorter = |asked: Option<Duration>| {
            Some(asked.map_or(self.timeout, |asked| asked.min(self.timeout)))
        };
        options.server_selection_timeout = shorter(options.server_selection_timeout);
        options.connect_timeout = shorter(options.connect_timeout);
        let client = {
            // its tasks are the runtime's
            let _context = runtime.enter();
            Client::with_options(options).map_err(|error| error.kind.to_string())?
        };
        let database = client.database(&self.database);
        let (load_limit, timeout) = (self.load_limit, self.timeout);
        let store = Store::new(
            &database,
            &self.collection,
            &self.cache,
            load_limit,
            timeout,
        );
        let store = Arc::new(store);
        runtime.spawn(upkeep::keep_up(Arc::downgrade(&store)));
        runtime.spawn(notices::hurry(Arc::downgrade(&store)));
        Ok(store)
    }
}

impl Drop for MongoDb {
    fn drop(&mut self) {
        if let Some(listener) = lock(&self.listener).take() {
            listener.abort();
        }
    }
}

impl fmt::Debug for MongoDb {
    /// Without the user, the password and whatever else the address may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoDb")
            .field("hosts", &self.options.hosts)
            .field("database", &self.database)
            .field("collection", &self.collection)
            .field("timeout", &self.timeout)
            .field("load_limit", &self.load_limit)
            .finish_non_exhaustive()
    }
}

fn config(message: impl Into<String>) -> Error {
    Error::config("MongoDb", message)
}

/// The options that hold a secret.
const SECRET: [&str; 2] = ["tlscertificatekeyfilepassword", "authmechanismproperties"];

fn parse(uri: &str) -> crate::Result<ClientOptions> {
    if uri.starts_with("mongodb+srv:") {
        return Err(config(
            "`mongodb+srv` addresses are not supported: name the hosts, `mongodb://host1,host2/?replicaSet=…&tls=true`",
        ));
    }
    if splits_a_password(uri) {
        return Err(config(ENCODED));
    }
    read_options(uri).map_err(|message| {
        let lower = uri.to_ascii_lowercase();
        // a piece of such an option may pass for a host or for another option, which the driver quotes
        if SECRET.iter().any(|option| lower.contains(option)) {
            return config(
                "no address could be made out, and its secrets keep the driver's words untold: `tlsCertificateKeyFilePassword` needs the feature `cert-key-password` of the crate `mongodb`, the mechanisms that take `authMechanismProperties` need `aws-auth` or `gssapi-auth`, and values are percent-encoded",
            );
        }
        // the driver quotes what it can't read, which may be a piece of the password
        match uri.rsplit_once('@') {
            None => config(message),
            Some((_, rest)) => config(
                match read_options(&format!("mongodb://{rest}")) {
                    Err(message) => message,
                    Ok(_) => ENCODED.to_owned(),
                },
            ),
        }
    })
}

const ENCODED: &str = "no address could be made out: write `mongodb://user:password@host:port/?options`, with user and password percent-encoded, and with those that its `authMechanism` takes";

/// Whether what stands where hosts do has no `@` behind it and can't be hosts: it may be a user and a password.
fn splits_a_password(uri: &str) -> bool {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let hosts = rest.split(['/', '?']).next().unwrap_or_default();
    let is_none = |host: &str| {
        // a socket's path is encoded, too
        let encoded = host.contains('%') && !host.to_ascii_lowercase().contains("%2f");
        // that in brackets has colons of its own
        let end = host.rfind(']').map_or(0, |at| at + 1);
        let port = host[end..].rsplit_once(':').map(|(_, port)| port);
        encoded || port.is_some_and(|port| !port.bytes().all(|it| it.is_ascii_digit()))
    };
    !rest.contains('@') && hosts.split(',').any(is_none)
}

fn read_options(uri: &str) -> Result<ClientOptions, String> {
    let uri = uri.to_owned();
    // it waits for nothing, as long as no name is looked up
    let parsed = runtime::wait(Duration::from_secs(5), async move {
        Ok(ClientOptions::parse(uri).await)
    });
    let parsed = parsed.map_err(|error| error.to_string())?;
    parsed.map_err(|error| {
        format!(
            "{}; servers are given as `mongodb://user:password@host:port/?options`",
            error.kind
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(uri: &str) -> String {
        MongoDb::new(uri).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_address_is_refused_and_says_what_would_be_right() {
        assert!(refused("redis://127.0.0.1").contains("scheme"));
        assert!(refused("mongodb+srv://u:hunter2@x.example").contains("name the hosts"));
        assert!(refused("mongodb://h/?readPreference=secondary").contains("readPreference"));
        assert!(refused("mongodb://h:notaport").contains("host:port"));
        for level in ["majority", "snapshot", "linearizable", "available"] {
            let refused = refused(&format!("mongodb://h/?readConcernLevel={level}"));
            assert!(
                refused.contains("leave `readConcernLevel` out"),
                "{refused}"
            );
        }
        assert!(MongoDb::new("mongodb://h/?readConcernLevel=local").is_ok());
        assert!(refused("mongodb://h/?maxPoolSize=1").contains("`maxPoolSize` of 2 or more"));
    }

    #[test]
    fn a_password_is_nowhere() {
        let wrong = [
            "mongodb://user:hunter2@host:notaport/",
            "mongodb://user:hunter2/x@host/",
            "mongodb://user:hunter2:x@host/",
            "mongodb://user:hunter2@x@host/",
            "mongodb://user:hunter2%@host/",
            "mongodb+srv://user:hunter2@host/",
            "redis://user:hunter2@host/",
            "mongodb://user:hunter2@host/?maxPoolSize=many",
        ];
        for uri in wrong {
            assert!(!refused(uri).contains("hunter2"), "{}", refused(uri));
        }
        let right = MongoDb::new("mongodb://user:hunter2@host:1234/").unwrap();
        let shown = format!("{right:?}");
        assert!(
            shown.contains("1234") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}

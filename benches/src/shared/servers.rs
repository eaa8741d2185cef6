//! The servers, and the bytes that they count.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use cacheado::Cache;
use cacheado::backends::{Memcached, MongoDb, Redis};
use cacheado_tests::servers;
use mongodb::bson::doc;
use mongodb::sync::Client;
use tokio::runtime::Handle;

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Redis,
    MongoDb,
    Memcached,
}

/// A server that runs until this is dropped.
pub(super) enum Running {
    Redis(servers::Redis),
    MongoDb(servers::Mongo),
    Memcached(servers::Memcached),
}

/// The bytes that have gone through a server since it started, and those stored in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes {
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) stored: u64,
}

/// Longer than the default, which a machine with more callers than cores may exceed. An operation that failed would run a body.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Redis, Self::MongoDb, Self::Memcached];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::MongoDb => "mongodb",
            Self::Memcached => "memcached",
        }
    }

    /// The kind with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(super) fn start(self) -> Running {
        match self {
            Self::Redis => Running::Redis(servers::Redis::start()),
            Self::MongoDb => Running::MongoDb(servers::Mongo::start()),
            // with room for everything that is stored, since evictions are not what is measured
            Self::Memcached => Running::Memcached(servers::Memcached::start_with(&["-m", "1024"])),
        }
    }
}

impl Running {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Redis(_) => Kind::Redis,
            Self::MongoDb(_) => Kind::MongoDb,
            Self::Memcached(_) => Kind::Memcached,
        }
    }

    pub(super) fn url(&self) -> String {
        match self {
            Self::Redis(it) => it.url(),
            Self::MongoDb(it) => it.url(),
            Self::Memcached(it) => it.url(),
        }
    }

    /// A cache without an in-process tier, whose connections are driven by `runtime`; `None` if they can't be.
    pub(super) fn cache_on(&self, runtime: &Handle) -> Option<Result<Cache, String>> {
        let builder = Cache::builder().name("bench-there").in_process(false);
        let (url, runtime) = (self.url(), runtime.clone());
        let built = match self {
            Self::Redis(_) => Redis::new(&url)
                .and_then(|it| it.timeout(TIMEOUT).runtime(runtime))
                .map(|it| builder.backend(it)),
            Self::Memcached(_) => Memcached::new(&url)
                .and_then(|it| it.timeout(TIMEOUT).runtime(runtime))
                .map(|it| builder.backend(it)),
            Self::MongoDb(_) => return None,
        };
        let cache = built.and_then(cacheado::CacheBuilder::build);
        Some(cache.map_err(|error| error.to_string()))
    }

    /// A cache without an in-process tier, whose connections are in a runtime of its own.
    pub(super) fn cache(&self) -> Result<Cache, String> {
        let builder = Cache::builder().name("bench").in_process(false);
        let url = self.url();
        let built = match self {
            Self::Redis(_) => Redis::new(&url).map(|it| builder.backend(it.timeout(TIMEOUT))),
            Self::MongoDb(_) => MongoDb::new(&url).map(|it| builder.backend(it.timeout(TIMEOUT))),
            Self::Memcached(_) => {
                Memcached::new(&url).map(|it| builder.backend(it.timeout(TIMEOUT)))
            }
        };
        let cache = built.and_then(cacheado::CacheBuilder::build);
        cache.map_err(|error| error.to_string())
    }

    /// The bytes that have gone through it so far.
    pub(super) fn bytes(&self) -> Result<Bytes, String> {
        match self {
            Self::Redis(it) => Ok(of_redis(it)),
            Self::MongoDb(it) => of_mongodb(it).map_err(|error| error.to_string()),
            Self::Memcached(it) => of_memcached(it).map_err(|error| error.to_string()),
        }
    }
}

fn of_redis(server: &servers::Redis) -> Bytes {
    let info = server.cli(&["info", "everything"]);
    let number = |name: &str| field(info.lines().filter_map(|line| line.split_once(':')), name);
    Bytes {
        received: number("total_net_input_bytes"),
        sent: number("total_net_output_bytes"),
        stored: number("used_memory"),
    }
}

fn of_mongodb(server: &servers::Mongo) -> mongodb::error::Result<Bytes> {
    let client = Client::with_uri_str(server.url())?;
    let admin = client.database("admin");
    let status = admin.run_command(doc! { "serverStatus": 1 }).run()?;
    let network = status.get_document("network").cloned().unwrap_or_default();
    let number = |name| u64::try_from(network.get_i64(name).unwrap_or_default()).unwrap_or(0);
    let mut bytes = Bytes {
        received: number("bytesIn"),
        sent: number("bytesOut"),
        stored: 0,
    };
    for name in ["bare", "cacheado_cache_db"] {
        let stats = client
            .database(name)
            .run_command(doc! { "dbStats": 1 })
            .run()?;
        let size = stats.get("dataSize");
        let size = size.and_then(|size| match size {
            mongodb::bson::Bson::Int64(size) => u64::try_from(*size).ok(),
            mongodb::bson::Bson::Int32(size) => u64::try_from(*size).ok(),
            mongodb::bson::Bson::Double(size) => format!("{size:.0}").parse().ok(),
            _ => None,
        });
        bytes.stored += size.unwrap_or(0);
    }
    Ok(bytes)
}

fn of_memcached(server: &servers::Memcached) -> std::io::Result<Bytes> {
    let mut stream = TcpStream::connect(server.addr())?;
    stream.write_all(b"stats\r\n")?;
    let mut stats = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line == "END" {
            break;
        }
        stats.push(line);
    }
    let fields = || {
        let lines = stats.iter().filter_map(|line| line.strip_prefix("STAT "));
        lines.filter_map(|line| line.split_once(' '))
    };
    Ok(Bytes {
        received: field(fields(), "bytes_read"),
        sent: field(fields(), "bytes_written"),
        stored: field(fields(), "bytes"),
    })
}

/// The number with this name; 0 if the server does not report it.
fn field<'a>(mut fields: impl Iterator<Item = (&'a str, &'a str)>, name: &str) -> u64 {
    let found = fields.find(|(found, _)| *found == name);
    found
        .and_then(|(_, number)| number.trim().parse().ok())
        .unwrap_or(0)
}

//! The shared tier: a server behind the cache of the process, if one is named on the command line.

use std::time::Duration;

use anyhow::Context;
use cacheado::backends::{Memcached, MongoDb, Redis};
use cacheado::{Cache, CacheBuilder};

/// Which server, if any.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(multiple = false)]
pub struct SharedTier {
    /// Keep cached answers in this Redis as well
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,

    /// Keep cached answers in this MongoDB as well
    #[arg(long, value_name = "URL")]
    pub mongodb: Option<String>,

    /// Keep cached answers in this memcached as well
    #[arg(long, value_name = "ADDR")]
    pub memcached: Option<String>,
}

/// Which entries an eviction by scope counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Those of the process: there is no other place.
    Process,
    /// Those of the server, which has all that the process has, and what the process has let go.
    Server,
    /// None: memcached does not know what it has.
    Nothing,
}

impl SharedTier {
    /// Puts the server behind the cache that `builder` makes. With a key other instances, which have the same, use it too.
    pub(crate) fn behind(
        &self,
        builder: CacheBuilder,
        secret_key: Option<[u8; 32]>,
    ) -> anyhow::Result<CacheBuilder> {
        // Session ids leave the process as hashes with this key. The processes of a real service have it from where they have their
        // other secrets.
        let builder = builder.secret_key(secret_key.unwrap_or_else(rand::random));
        let builder = if self.is_some() && secret_key.is_none() {
            // nobody else writes there, so copies are right also while the server reports nothing, and need not be given up for that
            builder.coherence(Duration::MAX)
        } else {
            builder
        };
        Ok(match self {
            Self {
                redis: Some(url), ..
            } => builder.backend(Redis::new(url)?),
            Self {
                mongodb: Some(url), ..
            } => builder.backend(MongoDb::new(url)?),
            Self {
                memcached: Some(address),
                ..
            } => builder.backend(Memcached::new(address)?),
            _ => builder,
        })
    }

    /// Whether one is named.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.redis.is_some() || self.mongodb.is_some() || self.memcached.is_some()
    }

    /// What the number says that an eviction by scope answers with.
    pub(crate) fn counted(&self) -> Counted {
        match self {
            Self {
                memcached: Some(_), ..
            } => Counted::Nothing,
            _ if self.is_some() => Counted::Server,
            _ => Counted::Process,
        }
    }
}

/// Makes sure that the server is there, and that nothing is in it that an earlier run has left: that may have been over another
/// database.
pub(crate) async fn empty(cache: &Cache) -> anyhow::Result<()> {
    let cleared = cache.clear().await;
    cleared.context(
        "the server of the shared tier can't be used: is it running, and is its address right?",
    )
}

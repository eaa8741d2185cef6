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
    /// Those in the process: there are no others.
    Process,
    /// Those in the server. It has all entries of the process, and also those that the process has dropped.
    Server,
    /// None: memcached does not know its entries.
    Nothing,
}

impl SharedTier {
    /// Puts the server behind the cache that `builder` makes. With a `secret_key`, other instances that have the same key use the
    /// server too.
    pub(crate) fn behind(
        &self,
        builder: CacheBuilder,
        secret_key: Option<[u8; 32]>,
    ) -> anyhow::Result<CacheBuilder> {
        // Session ids leave the process as hashes with this key. The processes of a real service get it from where they get their
        // other secrets.
        let builder = builder.secret_key(secret_key.unwrap_or_else(rand::random));
        let builder = if self.is_some() && secret_key.is_none() {
            // no other process writes there, so copies stay right even while the server reports no changes, and need not be dropped
            // then
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

    /// Whether a server is named.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.redis.is_some() || self.mongodb.is_some() || self.memcached.is_some()
    }

    /// What the result of an eviction by scope counts.
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

/// Makes sure that the server is reachable, and removes what an earlier run has left in it. That run may have used another database.
pub(crate) async fn empty(cache: &Cache) -> anyhow::Result<()> {
    let cleared = cache.clear().await;
    cleared.context(
        "the server of the shared tier can't be used: is it running, and is its address right?",
    )
}

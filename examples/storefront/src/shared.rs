//! The shared tier: a server behind the cache of the process, if one is named on the command line.

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

impl SharedTier {
    /// Puts the server behind the cache that `builder` makes.
    pub(crate) fn behind(&self, builder: CacheBuilder) -> anyhow::Result<CacheBuilder> {
        // Session ids leave the process as hashes with this key. The processes of a real service all have the same, from where they
        // have their other secrets; this is one process, which takes another for each run.
        let builder = builder.secret_key(rand::random());
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

    /// Whether an eviction says how many entries went, of those that the server has.
    pub(crate) fn counts(&self) -> bool {
        self.redis.is_some() || self.mongodb.is_some()
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

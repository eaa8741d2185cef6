//! Storing a value that nobody loaded: `set`, `put!`.

use std::time::Duration;

use cacheado_backends::memory::Inserted;
use cacheado_backends::{Key, Result};

use crate::cache::Cache;
use crate::outcome::{Codec, Value};
use crate::shared::Write;

/// Where a value goes, and for how long.
pub(crate) struct Put<T> {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
    pub(crate) codec: Option<Codec<T>>,
    pub(crate) ttl: Option<Duration>,
}

impl<T: Value> Put<T> {
    /// Stores `value` by blocking. Answers whether it was stored.
    pub(crate) fn run(&self, value: &T) -> Result<bool> {
        let (stored, write) = self.local(value);
        if let (Some(tier), Some(write)) = (self.cache.shared(), write) {
            tier.write(&self.key, &write)?;
        }
        Ok(stored)
    }

    /// Stores `value` without blocking. Answers whether it was stored.
    pub(crate) async fn run_async(&self, value: &T) -> Result<bool> {
        let (stored, write) = self.local(value);
        if let (Some(tier), Some(write)) = (self.cache.shared(), write) {
            tier.write_async(&self.key, &write).await?;
        }
        Ok(stored)
    }

    /// Stores `value` in the process, over any load that is under way. Returns whether it was stored, and what the shared
    /// tier is to be told.
    fn local(&self, value: &T) -> (bool, Option<Write>) {
        let copy = value.clone();
        let portable = self.codec.is_some();
        let store = || self.cache.store_local(&self.key, copy, self.ttl, portable);
        let (inserted, dropped) = self.cache.flights().invalidate(&self.key, store);
        drop(dropped);
        let tier = self.cache.shared_for(&self.key, self.codec);
        match inserted {
            Inserted::Stored(lifetime) => {
                let seal = |(tier, codec): (&crate::shared::SharedTier, _)| {
                    tier.seal(&self.key, codec, value, lifetime)
                };
                (true, tier.map(seal))
            }
            Inserted::Rejected(_) | Inserted::Ephemeral => (false, tier.map(|_| Write::Evict)),
        }
    }
}

//! `foyer`, whose in-memory cache is a crate of its own. Its `get_or_fetch` is async and made for its disk tier, so a blocking caller
//! has a lookup and an insertion. S3-FIFO is the policy that locks least on a hit. With 64 shards instead of its 8, there is little to
//! wait for.

use foyer_memory::{Cache, CacheBuilder, EvictionConfig, S3FifoConfig};

use crate::contender::Contender;
use crate::shapes::Shape;

const SHARDS: usize = 64;

pub(crate) struct Foyer<S: Shape>(Cache<S::Key, S::Value>);

impl<S: Shape> Foyer<S> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(
            CacheBuilder::new(capacity.max(SHARDS))
                .with_shards(SHARDS)
                .with_eviction_config(EvictionConfig::from(S3FifoConfig::default()))
                .build(),
        )
    }
}

impl<S: Shape> Contender<S> for Foyer<S> {
    #[inline]
    fn get(&self, key: &S::Key) -> S::Value {
        match self.0.get(&S::borrow(key)) {
            Some(entry) => entry.value().clone(),
            None => self
                .0
                .insert(key.clone(), S::load(S::borrow(key)))
                .value()
                .clone(),
        }
    }

    #[inline]
    fn put(&self, key: &S::Key, value: S::Value) -> bool {
        self.0.insert(key.clone(), value);
        true
    }
}

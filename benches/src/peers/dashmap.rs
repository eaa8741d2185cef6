//! `dashmap`: a concurrent map and nothing else. It knows no lifetime, no bound and no shared load. A hit looks up the borrowed key by
//! its hash, through the interface for that (`raw-api`).
//!
//! This is the cost of a cache on a map whose shards are each behind one lock: see `scale`.

use std::hash::BuildHasher;

use dashmap::DashMap;
use equivalent::Equivalent;

use crate::contender::Contender;
use crate::shapes::Shape;

pub(crate) struct Dashmap<S: Shape>(DashMap<S::Key, S::Value, foldhash::fast::RandomState>);

impl<S: Shape> Dashmap<S> {
    pub(crate) fn new() -> Self {
        Self(DashMap::default())
    }

    #[inline]
    fn look(&self, key: S::Borrowed<'_>) -> Option<S::Value> {
        let hash = self.0.hasher().hash_one(key);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "dashmap takes its own hashes so"
        )]
        let shard = self.0.determine_shard(hash as usize);
        let shard = self.0.shards()[shard].read();
        let found = shard.get(hash, |(other, _)| key.equivalent(other));
        found.map(|(_, value)| value.get().clone())
    }
}

impl<S: Shape> Contender<S> for Dashmap<S> {
    #[inline]
    fn get(&self, key: &S::Key) -> S::Value {
        let borrowed = S::borrow(key);
        if let Some(value) = self.look(borrowed) {
            return value;
        }
        let value = S::load(borrowed);
        self.0.insert(key.clone(), value.clone());
        value
    }

    #[inline]
    fn put(&self, key: &S::Key, value: S::Value) -> bool {
        self.0.insert(key.clone(), value);
        true
    }
}

//! The [`Backend`] trait: each operation of the store, over the blocking connections or the async ones.

use std::sync::Arc;
use std::time::Duration;

use super::Redis;
use super::owners::Owners;
use super::servers::Kind;
use super::store::{Store, Wanted};
use super::watch::Watch;
use crate::backend::{
    Backend, BackendFuture, BackendResult, Changes, Lease, Lookup, Mark, Payload,
};
use crate::io::{self, at_once};
use crate::key::Key;
use crate::scope::Scope;
use crate::sync::lock;

/// The part of a scope that spans all nodes of a cluster.
const EVERYWHERE: u32 = u32::MAX;

impl Redis {
    /// The owners of the slots, if this is a cluster.
    fn owners(&self) -> Option<&Owners> {
        let servers = &self.settings.servers;
        (servers.kind == Kind::Cluster).then_some(&servers.owners)
    }
}

impl Backend for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn check(&self) -> crate::Result<()> {
        io::check_limits("Redis", self.settings.timeout, self.settings.load_limit)
    }

    fn bind(&mut self, name: &str) {
        self.store = Arc::new(Store::new(name, self.settings.load_limit));
    }

    fn watch(&self, changes: Changes) -> bool {
        let watch = Watch {
            servers: Arc::new(self.settings.servers.clone()),
            store: Arc::clone(&self.store),
            io: Arc::clone(&self.own),
            changes,
        };
        let watching = watch.begin().ok();
        let begun = watching.is_some();
        *lock(&self.watching) = watching;
        begun
    }

    /// In a cluster, a number for the owning node; 0 while it is unknown.
    fn part(&self, key: &Key) -> u32 {
        let of = |owners: &Owners| owners.part(self.store.names.entry(key).0.slot());
        self.owners().map_or(0, of)
    }

    fn part_of_scope(&self, scope: &Scope) -> u32 {
        let of = |owners: &Owners| match &self.store.names.scope(scope)[..] {
            [bucket] => owners.part(bucket.slot()),
            _ => EVERYWHERE,
        };
        self.owners().map_or(0, of)
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        at_once(self.store.get(&self.blocking, key, Wanted::Lifetime))
    }

    fn get_value(&self, key: &Key) -> BackendResult<Lookup> {
        at_once(self.store.get(&self.blocking, key, Wanted::Value))
    }

    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        at_once(self.store.mark(&self.blocking, key))
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        at_once(self.store.set(&self.blocking, key, payload))
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        at_once(self.store.fill(&self.blocking, key, payload, mark))
    }

    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        at_once(self.store.put(&self.blocking, key, payload, mark))
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        at_once(self.store.evict(&self.blocking, key))
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        at_once(self.store.evict_by_scope(&self.blocking, scope))
    }

    fn clear(&self) -> BackendResult<()> {
        at_once(self.store.clear(&self.blocking))
    }

    fn get_many(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        at_once(self.store.get_many(&self.blocking, keys, Wanted::Lifetime))
    }

    fn get_values(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        at_once(self.store.get_many(&self.blocking, keys, Wanted::Value))
    }

    fn set_many(&self, entries: &[(Key, Payload)]) -> BackendResult<()> {
        at_once(self.store.set_many(&self.blocking, entries))
    }

    fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> BackendResult<Vec<bool>> {
        at_once(self.store.fill_many(&self.blocking, entries))
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        at_once(self.store.lease(&self.blocking, key, span))
    }

    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        at_once(self.store.release(&self.blocking, key, mark, None))
    }

    fn release_to_all(&self, key: &Key, mark: &Mark, span: Duration) -> BackendResult<()> {
        at_once(self.store.release(&self.blocking, key, mark, Some(span)))
    }

    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        Box::pin(self.store.get(&*self.multiplexed, key, Wanted::Lifetime))
    }

    fn get_value_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        Box::pin(self.store.get(&*self.multiplexed, key, Wanted::Value))
    }

    fn mark_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Mark> {
        Box::pin(self.store.mark(&*self.multiplexed, key))
    }

    fn set_async<'a>(&'a self, key: &'a Key, payload: &'a Payload) -> BackendFuture<'a, ()> {
        Box::pin(async move {
            let io = self.multiplexed.in_time();
            self.store.set(&io, key, payload).await
        })
    }

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        Box::pin(self.store.fill(&*self.multiplexed, key, payload, mark))
    }

    fn put_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        Box::pin(self.store.put(&*self.multiplexed, key, payload, mark))
    }

    fn evict_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, bool> {
        Box::pin(self.store.evict(&*self.multiplexed, key))
    }

    fn evict_by_scope_async<'a>(&'a self, scope: &'a Scope) -> BackendFuture<'a, u64> {
        Box::pin(self.store.evict_by_scope(&*self.multiplexed, scope))
    }

    fn clear_async(&self) -> BackendFuture<'_, ()> {
        Box::pin(self.store.clear(&*self.multiplexed))
    }

    fn get_many_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        Box::pin(
            self.store
                .get_many(&*self.multiplexed, keys, Wanted::Lifetime),
        )
    }

    fn get_values_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        Box::pin(self.store.get_many(&*self.multiplexed, keys, Wanted::Value))
    }

    fn set_many_async<'a>(&'a self, entries: &'a [(Key, Payload)]) -> BackendFuture<'a, ()> {
        Box::pin(async move {
            let io = self.multiplexed.in_time();
            self.store.set_many(&io, entries).await
        })
    }

    fn fill_many_async<'a>(
        &'a self,
        entries: &'a [(Key, Payload, Mark)],
    ) -> BackendFuture<'a, Vec<bool>> {
        Box::pin(self.store.fill_many(&*self.multiplexed, entries))
    }

    fn lease_async<'a>(&'a self, key: &'a Key, span: Duration) -> BackendFuture<'a, Lease> {
        Box::pin(self.store.lease(&*self.multiplexed, key, span))
    }

    fn release_async<'a>(&'a self, key: &'a Key, mark: &'a Mark) -> BackendFuture<'a, ()> {
        Box::pin(self.store.release(&*self.multiplexed, key, mark, None))
    }

    fn release_to_all_async<'a>(
        &'a self,
        key: &'a Key,
        mark: &'a Mark,
        span: Duration,
    ) -> BackendFuture<'a, ()> {
        Box::pin(
            self.store
                .release(&*self.multiplexed, key, mark, Some(span)),
        )
    }
}

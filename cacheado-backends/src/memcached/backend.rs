//! [`Backend`]: the blocking and async form of each operation.

use std::time::Duration;

use memcache::exp::Router;

use super::Memcached;
use super::client::Way;
use super::names::Names;
use super::unexpected;
use crate::Backend;
use crate::backend::{BackendFuture, BackendResult, Lease, Lookup, Mark, Payload, Refused};
use crate::io::{at_once, check_limits};
use crate::key::Key;
use crate::scope::Scope;

/// The number of keys per exchange. The server stops reading while its answers are not read, and the client reads them only once all
/// commands are sent. So the commands, up to twice as many names of 250 bytes, must fit into the buffers in between.
const BATCH: usize = 256;

/// The only element of `several`, for one key.
fn one<T>(several: Vec<T>) -> BackendResult<T> {
    several.into_iter().next().ok_or_else(unexpected)
}

impl Memcached {
    async fn get_one(&self, way: Way, key: &Key) -> BackendResult<Lookup> {
        one(self.look(way, std::slice::from_ref(key)).await?)
    }

    pub(super) async fn mark_one(&self, way: Way, key: &Key) -> BackendResult<Mark> {
        one(self.marks(way, std::slice::from_ref(key)).await?)
    }

    async fn fill_one(
        &self,
        way: Way,
        key: &Key,
        payload: &Payload,
        mark: &Mark,
    ) -> BackendResult<bool> {
        one(self.fill_all(way, &[(key, payload, mark)]).await?)
    }

    async fn get_several(&self, way: Way, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        let mut looked = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            looked.extend(self.look(way, keys).await?);
        }
        Ok(looked)
    }

    /// Stores the entries. A refused one does not keep the others from being stored.
    async fn set_several(&self, way: Way, entries: &[(Key, Payload)]) -> BackendResult<()> {
        let mut all = Ok(());
        for entries in entries.chunks(BATCH) {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, payload)| (key, payload))
                .collect();
            match self.set_all(way, &entries).await {
                Err(refused) if refused.is::<Refused>() => all = Err(refused),
                stored => stored?,
            }
        }
        all
    }

    async fn fill_several(
        &self,
        way: Way,
        entries: &[(Key, Payload, Mark)],
    ) -> BackendResult<Vec<bool>> {
        let mut all = Ok(Vec::with_capacity(entries.len()));
        for entries in entries.chunks(BATCH) {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, payload, mark)| (key, payload, mark))
                .collect();
            match self.fill_all(way, &entries).await {
                Err(refused) if refused.is::<Refused>() => all = Err(refused),
                filled => {
                    let filled = filled?;
                    all = all.map(|all| [all, filled].concat());
                }
            }
        }
        all
    }

    /// A bit for each server that has one of `names`, modulo the number of bits.
    fn servers_of<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> u32 {
        let servers = self.client.servers();
        let bit = |name: &str| 1_u32 << (servers.route(name.as_bytes(), &[]) % 32);
        names.into_iter().map(bit).fold(0, |all, bit| all | bit)
    }

    /// Evicts a scope. Returns 0: the number of entries is unknown.
    async fn evict_scope_uncounted(&self, way: Way, scope: &Scope) -> BackendResult<u64> {
        self.evict_scope(way, scope).await.map(|()| 0)
    }
}

/// The two forms of each operation: they pass the [`Way`] first, then the operation's own arguments.
macro_rules! blocking {
    ($this:ident.$operation:ident($($argument:expr),*)) => {
        at_once($this.$operation($this.client.blocking(), $($argument),*))
    };
}

macro_rules! awaiting {
    ($this:ident.$operation:ident($($argument:expr),*)) => {
        Box::pin(async move {
            $this.client.await_within($this.$operation(Way::Async, $($argument),*)).await
        })
    };
}

impl Backend for Memcached {
    fn name(&self) -> &'static str {
        "memcached"
    }

    fn check(&self) -> crate::Result<()> {
        check_limits("Memcached", self.client.limit(), self.load_limit)
    }

    fn bind(&mut self, name: &str) {
        self.names = Names::of(name);
        self.server_marks = self.names.of_servers(self.client.servers());
    }

    /// The servers that have the entry or its marks: all of them are asked for it.
    fn part(&self, key: &Key) -> u32 {
        let places = self.places([key]);
        self.servers_of(places.names())
    }

    fn part_of_scope(&self, scope: &Scope) -> u32 {
        self.servers_of([&*self.names.mark(scope)])
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        blocking!(self.get_one(key))
    }

    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        blocking!(self.mark_one(key))
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        blocking!(self.set_all(&[(key, payload)]))
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        blocking!(self.fill_one(key, payload, mark))
    }

    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        blocking!(self.put_one(key, payload, mark))
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        blocking!(self.evict_one(key))
    }

    /// Always 0: the number of entries in a scope is unknown here.
    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        blocking!(self.evict_scope_uncounted(scope))
    }

    fn clear(&self) -> BackendResult<()> {
        blocking!(self.evict_scope(&Scope::global()))
    }

    fn get_many(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        blocking!(self.get_several(keys))
    }

    fn set_many(&self, entries: &[(Key, Payload)]) -> BackendResult<()> {
        blocking!(self.set_several(entries))
    }

    fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> BackendResult<Vec<bool>> {
        blocking!(self.fill_several(entries))
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        blocking!(self.claim(key, span))
    }

    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        blocking!(self.give_back(key, mark, None))
    }

    fn release_to_all(&self, key: &Key, mark: &Mark, span: Duration) -> BackendResult<()> {
        blocking!(self.give_back(key, mark, Some(span)))
    }

    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        awaiting!(self.get_one(key))
    }

    fn mark_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Mark> {
        awaiting!(self.mark_one(key))
    }

    fn set_async<'a>(&'a self, key: &'a Key, payload: &'a Payload) -> BackendFuture<'a, ()> {
        awaiting!(self.set_all(&[(key, payload)]))
    }

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        awaiting!(self.fill_one(key, payload, mark))
    }

    fn put_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        awaiting!(self.put_one(key, payload, mark))
    }

    fn evict_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, bool> {
        awaiting!(self.evict_one(key))
    }

    fn evict_by_scope_async<'a>(&'a self, scope: &'a Scope) -> BackendFuture<'a, u64> {
        awaiting!(self.evict_scope_uncounted(scope))
    }

    fn clear_async(&self) -> BackendFuture<'_, ()> {
        awaiting!(self.evict_scope(&Scope::global()))
    }

    fn get_many_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        awaiting!(self.get_several(keys))
    }

    fn set_many_async<'a>(&'a self, entries: &'a [(Key, Payload)]) -> BackendFuture<'a, ()> {
        awaiting!(self.set_several(entries))
    }

    fn fill_many_async<'a>(
        &'a self,
        entries: &'a [(Key, Payload, Mark)],
    ) -> BackendFuture<'a, Vec<bool>> {
        awaiting!(self.fill_several(entries))
    }

    fn lease_async<'a>(&'a self, key: &'a Key, span: Duration) -> BackendFuture<'a, Lease> {
        awaiting!(self.claim(key, span))
    }

    fn release_async<'a>(&'a self, key: &'a Key, mark: &'a Mark) -> BackendFuture<'a, ()> {
        awaiting!(self.give_back(key, mark, None))
    }

    fn release_to_all_async<'a>(
        &'a self,
        key: &'a Key,
        mark: &'a Mark,
        span: Duration,
    ) -> BackendFuture<'a, ()> {
        awaiting!(self.give_back(key, mark, Some(span)))
    }
}

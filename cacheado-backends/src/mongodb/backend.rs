//! The [`Backend`] trait: each operation of the store, awaited by blocking the caller's thread or asynchronously.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::MongoDb;
use super::notices;
use super::parts;
use super::runtime;
use super::store::Store;
use crate::backend::{
    Backend, BackendFuture, BackendResult, Changes, Lease, Lookup, Mark, Payload,
};
use crate::error::Error;
use crate::io::check_limits;
use crate::key::Key;
use crate::scope::Scope;

impl MongoDb {
    /// Runs `operation` on the driver's runtime and blocks until it is done.
    fn wait<T, F>(&self, operation: impl FnOnce(Arc<Store>) -> F) -> BackendResult<T>
    where
        T: Send + 'static,
        F: Future<Output = BackendResult<T>> + Send + 'static,
    {
        self.wait_for(1, operation)
    }

    /// [`wait`](Self::wait) with the limit of `trips` round trips.
    fn wait_for<T, F>(
        &self,
        trips: u32,
        operation: impl FnOnce(Arc<Store>) -> F,
    ) -> BackendResult<T>
    where
        T: Send + 'static,
        F: Future<Output = BackendResult<T>> + Send + 'static,
    {
        let limit = self.timeout.saturating_mul(trips);
        let store = self.store()?;
        let done = runtime::wait(limit, operation(Arc::clone(&store)));
        self.current.note(&store, self.timeout, &done);
        done
    }

    /// Runs `operation` on the driver's runtime without blocking. It runs to its end even if the caller drops the future: aborting it
    /// would cost its connection.
    fn run<'a, T, F>(
        &'a self,
        operation: impl FnOnce(Arc<Store>) -> F + Send + 'a,
    ) -> BackendFuture<'a, T>
    where
        T: Send + 'static,
        F: Future<Output = BackendResult<T>> + Send + 'static,
    {
        self.run_for(1, operation)
    }

    /// [`run`](Self::run) with the limit of `trips` round trips.
    fn run_for<'a, T, F>(
        &'a self,
        trips: u32,
        operation: impl FnOnce(Arc<Store>) -> F + Send + 'a,
    ) -> BackendFuture<'a, T>
    where
        T: Send + 'static,
        F: Future<Output = BackendResult<T>> + Send + 'static,
    {
        let limit = self.timeout.saturating_mul(trips);
        Box::pin(async move {
            let store = self.store()?;
            let operation = operation(Arc::clone(&store));
            let task = runtime::handle()?.spawn(runtime::within(limit, operation));
            let done = task.await;
            let done = done.unwrap_or_else(|_| Err("the operation panicked".into()));
            self.current.note(&store, self.timeout, &done);
            done
        })
    }
}

/// `operation` on the entry of `key`. The name is made on the calling thread and not where the driver runs: that of a long key takes a
/// while, and would delay all users of the driver on that thread.
fn by_id<F>(
    key: &Key,
    operation: impl FnOnce(Arc<Store>, String) -> F,
) -> impl FnOnce(Arc<Store>) -> F {
    |store| {
        let id = store.id(key);
        operation(store, id)
    }
}

impl Backend for MongoDb {
    fn name(&self) -> &'static str {
        "mongodb"
    }

    fn check(&self) -> crate::Result<()> {
        // the longer name of the two collections
        let changes = notices::collection(&self.collection);
        let is_special = changes.starts_with('.') || changes.starts_with("system.");
        let length = self.database.len() + ".".len() + changes.len();
        let names = [
            (
                "database",
                &self.database,
                "/\\. \"$\0",
                self.database.len() <= 63,
                "63 bytes at most",
            ),
            (
                "collection",
                &self.collection,
                "$\0",
                length <= 255 && !is_special,
                "246 bytes at most together with that of the database, and not `system`",
            ),
        ];
        for (what, name, forbidden, fits, limit) in names {
            if name.is_empty() || !fits || name.contains(|it| forbidden.contains(it)) {
                return Err(Error::config(
                    format!("MongoDb::{what}({name:?})"),
                    format!(
                        "MongoDB takes no such name for a {what}: give one of letters, digits and `_`, {limit}"
                    ),
                ));
            }
        }
        check_limits("MongoDb", self.timeout, self.load_limit)
    }

    fn bind(&mut self, name: &str) {
        name.clone_into(&mut self.cache);
    }

    /// True, also without a replica set: then nothing is ever covered.
    fn watch(&self, changes: Changes) -> bool {
        let Ok(store) = self.store() else {
            return false;
        };
        if self.changes.set(changes.clone()).is_err() {
            return false;
        }
        self.listen(&store, &changes);
        true
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.wait(by_id(key, Store::get))
    }

    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        self.wait(by_id(key, Store::mark))
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.wait(by_id(key, |store, id| {
            store.set(id, key.clone(), payload.clone())
        }))
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.wait(by_id(key, |store, id| {
            store.fill(id, payload.clone(), mark.clone())
        }))
    }

    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.wait(by_id(key, |store, id| {
            store.put(id, key.clone(), payload.clone(), mark.clone())
        }))
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.wait(by_id(key, |store, id| store.evict(id, key.clone())))
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.wait_for(parts::MOST, |store| store.evict_by_scope(scope.clone()))
    }

    fn clear(&self) -> BackendResult<()> {
        self.wait_for(parts::MOST, Store::clear)
    }

    fn get_many(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        self.wait(|store| {
            let ids = keys.iter().map(|key| store.id(key)).collect();
            store.get_many(ids)
        })
    }

    fn set_many(&self, entries: &[(Key, Payload)]) -> BackendResult<()> {
        self.wait(|store| {
            let named =
                |(key, payload): &(Key, Payload)| (store.id(key), key.clone(), payload.clone());
            let named = entries.iter().map(named).collect();
            store.set_many(named)
        })
    }

    fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> BackendResult<Vec<bool>> {
        self.wait(|store| {
            let named = |(key, payload, mark): &(Key, Payload, Mark)| {
                (store.id(key), payload.clone(), mark.clone())
            };
            let named = entries.iter().map(named).collect();
            store.fill_many(named)
        })
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        self.wait(by_id(key, move |store, id| store.lease(id, span)))
    }

    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        self.wait(by_id(key, |store, id| {
            store.release(id, mark.clone(), None)
        }))
    }

    fn release_to_all(&self, key: &Key, mark: &Mark, span: Duration) -> BackendResult<()> {
        self.wait(by_id(key, move |store, id| {
            store.release(id, mark.clone(), Some(span))
        }))
    }

    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        self.run(by_id(key, Store::get))
    }

    fn mark_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Mark> {
        self.run(by_id(key, Store::mark))
    }

    fn set_async<'a>(&'a self, key: &'a Key, payload: &'a Payload) -> BackendFuture<'a, ()> {
        self.run(by_id(key, |store, id| {
            store.set(id, key.clone(), payload.clone())
        }))
    }

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        self.run(by_id(key, |store, id| {
            store.fill(id, payload.clone(), mark.clone())
        }))
    }

    fn put_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        self.run(by_id(key, |store, id| {
            store.put(id, key.clone(), payload.clone(), mark.clone())
        }))
    }

    fn evict_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, bool> {
        self.run(by_id(key, |store, id| store.evict(id, key.clone())))
    }

    fn evict_by_scope_async<'a>(&'a self, scope: &'a Scope) -> BackendFuture<'a, u64> {
        self.run_for(parts::MOST, |store| store.evict_by_scope(scope.clone()))
    }

    fn clear_async(&self) -> BackendFuture<'_, ()> {
        self.run_for(parts::MOST, Store::clear)
    }

    fn get_many_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        self.run(|store| {
            let ids = keys.iter().map(|key| store.id(key)).collect();
            store.get_many(ids)
        })
    }

    fn set_many_async<'a>(&'a self, entries: &'a [(Key, Payload)]) -> BackendFuture<'a, ()> {
        self.run(|store| {
            let named =
                |(key, payload): &(Key, Payload)| (store.id(key), key.clone(), payload.clone());
            let named = entries.iter().map(named).collect();
            store.set_many(named)
        })
    }

    fn fill_many_async<'a>(
        &'a self,
        entries: &'a [(Key, Payload, Mark)],
    ) -> BackendFuture<'a, Vec<bool>> {
        self.run(|store| {
            let named = |(key, payload, mark): &(Key, Payload, Mark)| {
                (store.id(key), payload.clone(), mark.clone())
            };
            let named = entries.iter().map(named).collect();
            store.fill_many(named)
        })
    }

    fn lease_async<'a>(&'a self, key: &'a Key, span: Duration) -> BackendFuture<'a, Lease> {
        self.run(by_id(key, move |store, id| store.lease(id, span)))
    }

    fn release_async<'a>(&'a self, key: &'a Key, mark: &'a Mark) -> BackendFuture<'a, ()> {
        self.run(by_id(key, |store, id| {
            store.release(id, mark.clone(), None)
        }))
    }

    fn release_to_all_async<'a>(
        &'a self,
        key: &'a Key,
        mark: &'a Mark,
        span: Duration,
    ) -> BackendFuture<'a, ()> {
        self.run(by_id(key, move |store, id| {
            store.release(id, mark.clone(), Some(span))
        }))
    }
}

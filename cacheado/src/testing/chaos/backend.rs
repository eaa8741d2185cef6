//! The operations, each with what may go wrong in it.

use std::thread;
use std::time::Duration;

use cacheado_backends::backend::{
    BackendFuture, BackendResult, Changes, Lease, Lookup, Mark, Payload, Refused,
};
use cacheado_backends::{Backend, Clock, Key, Scope};

use super::faults::End;
use super::{Chaos, spoil};
use crate::waiting::timer::Timer;

impl<B: Backend> Chaos<B> {
    fn run<T>(&self, ask: impl FnOnce(&B) -> BackendResult<T>) -> BackendResult<T> {
        let fate = self.handle.0.faults.fate();
        if let Some(delay) = fate.delay {
            thread::sleep(delay);
        }
        match fate.end {
            End::Well => ask(&self.inner),
            End::Refused => refused(),
            End::Fails { done } => {
                if done {
                    // the outcome is lost
                    drop(ask(&self.inner));
                }
                outage()
            }
        }
    }

    /// As [`run`](Self::run), without blocking.
    fn start<'a, T: 'a>(
        &'a self,
        ask: impl FnOnce(&'a B) -> BackendFuture<'a, T> + Send + 'a,
    ) -> BackendFuture<'a, T> {
        Box::pin(async move {
            let fate = self.handle.0.faults.fate();
            if let Some(delay) = fate.delay {
                wait(delay).await;
            }
            match fate.end {
                End::Well => ask(&self.inner).await,
                End::Refused => refused(),
                End::Fails { done } => {
                    if done {
                        drop(ask(&self.inner).await);
                    }
                    outage()
                }
            }
        })
    }

    fn spoiled(&self, key: &Key, found: Lookup) -> Lookup {
        let state = &self.handle.0;
        spoil::spoiled(found, key, &state.faults, &state.seen)
    }

    fn all_spoiled(&self, keys: &[Key], found: Vec<Lookup>) -> Vec<Lookup> {
        let pairs = keys.iter().zip(found);
        pairs.map(|(key, found)| self.spoiled(key, found)).collect()
    }
}

fn outage<T>() -> BackendResult<T> {
    Err("the shared tier is out, as `Chaos` was told".into())
}

fn refused<T>() -> BackendResult<T> {
    Err(Refused::new("the shared tier would not, as `Chaos` was told").into())
}

async fn wait(delay: Duration) {
    let clock = Clock::default();
    let end = Clock::deadline(clock.now(), Some(delay));
    Timer::new(&clock, end).await;
}

impl<B: Backend> Backend for Chaos<B> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn check(&self) -> cacheado_backends::Result<()> {
        self.inner.check()
    }

    fn bind(&mut self, name: &str) {
        self.inner.bind(name);
    }

    fn watch(&self, changes: Changes) -> bool {
        let handle = self.handle();
        handle.0.line.open(changes);
        let lossy = Changes::new(move |change| handle.0.line.report(change, &handle.0.faults));
        self.inner.watch(lossy)
    }

    fn part(&self, key: &Key) -> u32 {
        self.inner.part(key)
    }

    fn part_of_scope(&self, scope: &Scope) -> u32 {
        self.inner.part_of_scope(scope)
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        let found = self.run(|inner| inner.get(key))?;
        Ok(self.spoiled(key, found))
    }

    fn get_value(&self, key: &Key) -> BackendResult<Lookup> {
        let found = self.run(|inner| inner.get_value(key))?;
        Ok(self.spoiled(key, found))
    }

    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        self.run(|inner| inner.mark(key))
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.run(|inner| inner.set(key, payload))
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.run(|inner| inner.fill(key, payload, mark))
    }

    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.run(|inner| inner.put(key, payload, mark))
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.run(|inner| inner.evict(key))
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.run(|inner| inner.evict_by_scope(scope))
    }

    fn clear(&self) -> BackendResult<()> {
        self.run(Backend::clear)
    }

    fn get_many(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        let found = self.run(|inner| inner.get_many(keys))?;
        Ok(self.all_spoiled(keys, found))
    }

    fn get_values(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        let found = self.run(|inner| inner.get_values(keys))?;
        Ok(self.all_spoiled(keys, found))
    }

    fn set_many(&self, entries: &[(Key, Payload)]) -> BackendResult<()> {
        self.run(|inner| inner.set_many(entries))
    }

    fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> BackendResult<Vec<bool>> {
        self.run(|inner| inner.fill_many(entries))
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        self.run(|inner| inner.lease(key, span))
    }

    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        self.run(|inner| inner.release(key, mark))
    }

    fn release_to_all(&self, key: &Key, mark: &Mark, span: Duration) -> BackendResult<()> {
        self.run(|inner| inner.release_to_all(key, mark, span))
    }

    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        let found = self.start(move |inner| inner.get_async(key));
        Box::pin(async move { Ok(self.spoiled(key, found.await?)) })
    }

    fn get_value_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        let found = self.start(move |inner| inner.get_value_async(key));
        Box::pin(async move { Ok(self.spoiled(key, found.await?)) })
    }

    fn mark_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Mark> {
        self.start(move |inner| inner.mark_async(key))
    }

    fn set_async<'a>(&'a self, key: &'a Key, payload: &'a Payload) -> BackendFuture<'a, ()> {
        self.start(move |inner| inner.set_async(key, payload))
    }

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        self.start(move |inner| inner.fill_async(key, payload, mark))
    }

    fn put_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        self.start(move |inner| inner.put_async(key, payload, mark))
    }

    fn evict_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, bool> {
        self.start(move |inner| inner.evict_async(key))
    }

    fn evict_by_scope_async<'a>(&'a self, scope: &'a Scope) -> BackendFuture<'a, u64> {
        self.start(move |inner| inner.evict_by_scope_async(scope))
    }

    fn clear_async(&self) -> BackendFuture<'_, ()> {
        self.start(Backend::clear_async)
    }

    fn get_many_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        let found = self.start(move |inner| inner.get_many_async(keys));
        Box::pin(async move { Ok(self.all_spoiled(keys, found.await?)) })
    }

    fn get_values_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        let found = self.start(move |inner| inner.get_values_async(keys));
        Box::pin(async move { Ok(self.all_spoiled(keys, found.await?)) })
    }

    fn set_many_async<'a>(&'a self, entries: &'a [(Key, Payload)]) -> BackendFuture<'a, ()> {
        self.start(move |inner| inner.set_many_async(entries))
    }

    fn fill_many_async<'a>(
        &'a self,
        entries: &'a [(Key, Payload, Mark)],
    ) -> BackendFuture<'a, Vec<bool>> {
        self.start(move |inner| inner.fill_many_async(entries))
    }

    fn lease_async<'a>(&'a self, key: &'a Key, span: Duration) -> BackendFuture<'a, Lease> {
        self.start(move |inner| inner.lease_async(key, span))
    }

    fn release_async<'a>(&'a self, key: &'a Key, mark: &'a Mark) -> BackendFuture<'a, ()> {
        self.start(move |inner| inner.release_async(key, mark))
    }

    fn release_to_all_async<'a>(
        &'a self,
        key: &'a Key,
        mark: &'a Mark,
        span: Duration,
    ) -> BackendFuture<'a, ()> {
        self.start(move |inner| inner.release_to_all_async(key, mark, span))
    }
}

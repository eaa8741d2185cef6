//! A store whose operations are points of a load, and the reports of changes it receives.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use cacheado::{Key, Scope};
use cacheado_backends::Backend;
use cacheado_backends::backend::{
    BackendFuture, BackendResult, Change, Changes, Lease, Lookup, Mark, Payload,
};
use cacheado_tests::servers::wait_until;

/// The points that a load passes; at one of them an action runs.
#[derive(Default)]
pub struct Points {
    left: AtomicUsize,
    happens: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Points {
    pub fn set(&self, left: usize, happens: impl FnOnce() + Send + 'static) {
        *self.happens.lock().unwrap() = Some(Box::new(happens));
        self.left.store(left, Ordering::SeqCst);
    }

    pub fn pass(&self) {
        let happens = match self.left.load(Ordering::SeqCst) {
            0 => self.happens.lock().unwrap().take(),
            left => {
                self.left.store(left - 1, Ordering::SeqCst);
                None
            }
        };
        if let Some(happens) = happens {
            happens();
        }
    }
}

/// The reports of other processes' changes, and whether they are held back.
#[derive(Default)]
pub struct News {
    late: bool,
    to: OnceLock<Changes>,
    kept: Mutex<Vec<Change>>,
    pub heard: AtomicUsize,
}

impl News {
    pub fn new(late: bool) -> Self {
        Self {
            late,
            ..Self::default()
        }
    }

    fn hear(&self, change: Change) {
        if self.late && change != Change::Covered {
            self.kept.lock().unwrap().push(change);
        } else {
            self.to.get().unwrap().report(change);
        }
        self.heard.fetch_add(1, Ordering::SeqCst);
    }

    pub fn let_through(&self) {
        for change in self.kept.lock().unwrap().drain(..) {
            self.to.get().unwrap().report(change);
        }
    }

    /// Waits until at least this many reports were received.
    pub fn wait_for(&self, least: usize) {
        let heard = || self.heard.load(Ordering::SeqCst) >= least;
        assert!(wait_until(Duration::from_secs(20), heard));
    }
}

/// A store that passes a point before and after each operation.
pub struct Passing<B> {
    pub inner: B,
    pub points: Arc<Points>,
    pub news: Arc<News>,
}

impl<B: Backend> Passing<B> {
    fn pass<T>(&self, ask: impl FnOnce(&B) -> T) -> T {
        self.points.pass();
        let answer = ask(&self.inner);
        self.points.pass();
        answer
    }

    fn pass_async<'a, T>(
        &'a self,
        ask: impl FnOnce(&'a B) -> BackendFuture<'a, T> + Send + 'a,
    ) -> BackendFuture<'a, T> {
        Box::pin(async move {
            self.points.pass();
            let answer = ask(&self.inner).await;
            self.points.pass();
            answer
        })
    }
}

impl<B: Backend> Backend for Passing<B> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn bind(&mut self, name: &str) {
        self.inner.bind(name);
    }

    fn watch(&self, changes: Changes) -> bool {
        self.news.to.set(changes).unwrap();
        let news = Arc::clone(&self.news);
        self.inner.watch(Changes::new(move |it| news.hear(it)))
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.pass(|it| it.get(key))
    }

    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        self.pass(|it| it.mark(key))
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.inner.set(key, payload)
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.pass(|it| it.fill(key, payload, mark))
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.inner.evict(key)
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.inner.evict_by_scope(scope)
    }

    fn clear(&self) -> BackendResult<()> {
        self.inner.clear()
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        self.pass(|it| it.lease(key, span))
    }

    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        self.pass(|it| it.release(key, mark))
    }

    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        self.pass_async(|it| it.get_async(key))
    }

    fn mark_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Mark> {
        self.pass_async(|it| it.mark_async(key))
    }

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        self.pass_async(|it| it.fill_async(key, payload, mark))
    }

    fn evict_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, bool> {
        self.inner.evict_async(key)
    }

    fn lease_async<'a>(&'a self, key: &'a Key, span: Duration) -> BackendFuture<'a, Lease> {
        self.pass_async(move |it| it.lease_async(key, span))
    }

    fn release_async<'a>(&'a self, key: &'a Key, mark: &'a Mark) -> BackendFuture<'a, ()> {
        self.pass_async(|it| it.release_async(key, mark))
    }
}

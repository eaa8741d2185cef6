//! The mark of a load in the shared tier, and the claim that it may hold among all processes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use cacheado_backends::backend::{Lease, Mark};
use cacheado_backends::{Key, Result};

use super::Load;
use crate::background::handed::Task;
use crate::cache::Cache;
use crate::shared::SharedTier;
use crate::sync::thread;
use crate::way::Way;

/// What identifies a load in the shared tier.
#[derive(Default)]
pub(super) struct Claim {
    pub(super) mark: Option<Mark>,
    /// The claim held among all processes under this mark, if there is one.
    pub(super) held: Option<Box<Held>>,
}

impl Claim {
    pub(super) fn unclaimed(mark: Option<Mark>) -> Self {
        Self { mark, held: None }
    }

    /// The mark of a claim held among all processes. Another process may have stored the value and ended its claim between the lookup
    /// and this claim, so the value is looked up once more.
    pub(super) fn leased(&self) -> Option<&Mark> {
        self.mark.as_ref().filter(|_| self.held.is_some())
    }

    pub(super) fn is_over(&mut self, released: &Result<()>) {
        if let Some(held) = &mut self.held {
            held.is_over(released);
        }
    }

    /// The claim that `lease` grants; `None` if another process holds it.
    pub(super) fn of(load: &Load, lease: Result<Lease>, mark: Option<Mark>) -> Option<Self> {
        match lease {
            Ok(Lease::Granted(mark)) => Some(Self {
                held: Some(Box::new(Held::new(&load.cache, &load.key, mark.clone()))),
                mark: Some(mark),
            }),
            Ok(Lease::Taken) => None,
            Ok(Lease::Unsupported) | Err(_) => Some(Self::unclaimed(mark)),
        }
    }
}

/// A claim that is being requested without blocking. If the caller goes away meanwhile, the request is awaited in the background and
/// the claim that it grants is given back: nobody else knows its mark.
pub(super) struct Asked {
    cache: Cache,
    key: Key,
    /// `None` once it was answered.
    answer: Option<Pin<Box<dyn Future<Output = Result<Lease>> + Send>>>,
}

impl Asked {
    pub(super) fn new(load: &Load, span: Duration) -> Self {
        let (cache, key) = (load.cache.clone(), load.key.clone());
        let answer = async move {
            match cache.shared() {
                Some(tier) => tier.lease(Way::Async, &key, span).await,
                None => Ok(Lease::Unsupported),
            }
        };
        Self {
            cache: load.cache.clone(),
            key: load.key.clone(),
            answer: Some(Box::pin(answer)),
        }
    }
}

impl Future for Asked {
    type Output = Result<Lease>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Lease>> {
        let Some(answer) = &mut self.answer else {
            return Poll::Pending;
        };
        let answer = ready!(answer.as_mut().poll(cx));
        self.answer = None;
        Poll::Ready(answer)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Some(answer) = self.answer.take() else {
            return;
        };
        let (cache, key) = (self.cache.clone(), self.key.clone());
        let give_back = async move {
            if let Ok(Lease::Granted(mark)) = answer.await {
                drop(Held::new(&cache, &key, mark));
            }
        };
        let task = Task::alone(self.cache.flights().timeout(), give_back);
        // if it can't run anywhere, the claim expires by itself
        drop(self.cache.background().spawn(task, false));
    }
}

/// A claim held among all processes. It is given back if the load ends before the shared tier was told, by a panic or with its caller.
/// Otherwise it would hold up other processes until it expires.
pub(super) struct Held {
    cache: Cache,
    key: Key,
    mark: Option<Mark>,
    /// The load failed, or its value is not to be stored.
    failed: bool,
}

impl Held {
    fn new(cache: &Cache, key: &Key, mark: Mark) -> Self {
        Self {
            cache: cache.clone(),
            key: key.clone(),
            mark: Some(mark),
            failed: false,
        }
    }

    /// Records that the load has nothing to store. The claim is then given back so that others load side by side.
    pub(super) fn has_failed(&mut self) {
        self.failed = true;
    }

    /// Gives the claim back for a load that stores nothing in the shared tier. `to_all`: others are to load side by side, as after a
    /// failed load.
    pub(super) async fn give_back(&mut self, way: Way, tier: &SharedTier, to_all: bool) {
        if let Some(mark) = &self.mark {
            let to_all = to_all || self.failed;
            let released = tier.give_back(way, &self.key, mark, to_all).await;
            self.is_over(&released);
        }
    }

    /// Records that the shared tier was told of the load, which ends the claim.
    pub(super) fn is_over<T>(&mut self, told: &Result<T>) {
        if told.is_ok() {
            self.mark = None;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let (Some(mark), Some(tier)) = (self.mark.take(), self.cache.shared()) {
            let failed = self.failed || thread::panicking();
            tier.release_later(self.key.clone(), mark, failed);
        }
    }
}

//! `moka`: looked up by the borrowed key first, which saves a hit the owned key that `get_with` needs. Without a bound it keeps no
//! order, and without a lifetime it reads no clock.

use moka::{future, sync};

use crate::contender::{Contender, now};
use crate::shapes::Shape;

pub(crate) struct Moka<S: Shape>(sync::Cache<S::Key, S::Value>);

impl<S: Shape> Moka<S> {
    pub(crate) fn unbounded() -> Self {
        Self(sync::Cache::builder().build())
    }

    /// With its default policy, `TinyLFU`.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(sync::Cache::new(capacity as u64))
    }
}

impl<S: Shape> Contender<S> for Moka<S> {
    #[inline]
    fn get(&self, key: &S::Key) -> S::Value {
        match self.0.get(&S::borrow(key)) {
            Some(value) => value,
            None => self.0.get_with(key.clone(), || S::load(S::borrow(key))),
        }
    }

    #[inline]
    fn put(&self, key: &S::Key, value: S::Value) -> bool {
        self.0.insert(key.clone(), value);
        true
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}

/// The async version, unbounded.
pub(crate) struct MokaFuture<S: Shape>(future::Cache<S::Key, S::Value>);

impl<S: Shape> MokaFuture<S> {
    pub(crate) fn unbounded() -> Self {
        Self(future::Cache::builder().build())
    }
}

impl<S: Shape> Contender<S> for MokaFuture<S> {
    #[inline]
    fn get(&self, key: &S::Key) -> S::Value {
        now(async {
            match self.0.get(&S::borrow(key)).await {
                Some(value) => value,
                None => {
                    let load = async { S::load(S::borrow(key)) };
                    self.0.get_with(key.clone(), load).await
                }
            }
        })
    }

    #[inline]
    fn put(&self, key: &S::Key, value: S::Value) -> bool {
        now(self.0.insert(key.clone(), value));
        true
    }

    fn settle(&self) {
        now(self.0.run_pending_tasks());
    }
}

//! `mini-moka`, the sync version: a lookup and an insertion, because it has no `get_with`. It looks up by the owned key. The benchmark
//! passes one that it has, so that no hit allocates one.

use mini_moka::sync::Cache;

use crate::contender::Contender;
use crate::shapes::Shape;

pub(crate) struct MiniMoka<S: Shape>(Cache<S::Key, S::Value>);

impl<S: Shape> MiniMoka<S> {
    pub(crate) fn unbounded() -> Self {
        Self(Cache::builder().build())
    }

    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity as u64))
    }
}

impl<S: Shape> Contender<S> for MiniMoka<S> {
    #[inline]
    fn get(&self, key: &S::Key) -> S::Value {
        if let Some(value) = self.0.get(key) {
            return value;
        }
        let value = S::load(S::borrow(key));
        self.0.insert(key.clone(), value.clone());
        value
    }

    #[inline]
    fn put(&self, key: &S::Key, value: S::Value) -> bool {
        self.0.insert(key.clone(), value);
        true
    }
}

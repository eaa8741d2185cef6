//! `quick_cache`: looked up by the borrowed key first, which saves a hit the owned key.

use std::convert::Infallible;

use quick_cache::sync::Cache;

use crate::contender::Contender;
use crate::shapes::Shape;

pub(crate) struct QuickCache<S: Shape>(Cache<S::Key, S::Value>);

impl<S: Shape> QuickCache<S> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }
}

impl<S: Shape> Contender<S> for QuickCache<S> {
    #[inline]
    fn get(&self, key: &S::Key) -> S::Value {
        if let Some(value) = self.0.get(&S::borrow(key)) {
            return value;
        }
        let load = || Ok::<_, Infallible>(S::load(S::borrow(key)));
        match self.0.get_or_insert_with(key, load) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    #[inline]
    fn put(&self, key: &S::Key, value: S::Value) -> bool {
        self.0.insert(key.clone(), value);
        true
    }
}

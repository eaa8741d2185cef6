//! That a value which is there is loaded anew.

use cacheado_backends::{Key, Tick};

use super::Load;
use crate::cache::Cache;
use crate::value::ValueType;

/// That a value which is there is loaded anew. While it lives, nobody else does that.
pub(crate) struct Renewal {
    cache: Cache,
    key: Key,
    values: &'static ValueType,
    /// Which value it is.
    pub(super) stored_at: Tick,
    /// When that ends.
    pub(super) fresh_until: Tick,
}

impl Renewal {
    /// Of the value that was stored and ends then.
    pub(crate) fn new(load: &Load, stored_at: Tick, fresh_until: Tick) -> Self {
        Self {
            cache: load.cache.clone(),
            key: load.key.clone(),
            values: load.values,
            stored_at,
            fresh_until,
        }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.cache.store().peek_key(&self.key, |entry| {
            let age = self.values.age(entry);
            if let Some(age) = age.filter(|age| age.stored_at() == self.stored_at) {
                age.unclaim();
            }
        });
    }
}

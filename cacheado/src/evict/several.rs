//! Several evictions, none of which is lost if the caller goes away.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use cacheado_backends::{Key, Result};

use super::{evict_key, evict_local, in_drop};
use crate::cache::Cache;
use crate::way::Way;

/// Keys to evict one after the other. When this is dropped, the remaining keys are evicted from the process, and from the shared tier
/// as soon as possible.
pub(crate) struct Evictions<'a> {
    cache: &'a Cache,
    keys: Vec<Key>,
    from: From,
}

/// Where keys are evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Everywhere,
    SharedTier,
}

impl<'a> Evictions<'a> {
    /// From the process and from the shared tier.
    pub(crate) fn everywhere(cache: &'a Cache, keys: Vec<Key>) -> Self {
        let from = From::Everywhere;
        Self { cache, keys, from }
    }

    /// From the shared tier alone.
    pub(crate) fn from_shared(cache: &'a Cache, keys: Vec<Key>) -> Self {
        let from = From::SharedTier;
        Self { cache, keys, from }
    }

    /// Evicts the keys.
    ///
    /// # Errors
    ///
    /// The first failure of the shared tier. The other keys are evicted all the same.
    pub(crate) async fn run(mut self, way: Way) -> Result<()> {
        let mut result = Ok(());
        while let Some(key) = self.keys.last() {
            let evicted = match (self.from, self.cache.shared()) {
                (From::Everywhere, _) => evict_key(way, self.cache, key, true).await,
                (From::SharedTier, Some(tier)) => tier.evict(way, key).await,
                (From::SharedTier, None) => Ok(false),
            };
            self.keys.pop();
            result = result.and(evicted.map(drop));
        }
        result
    }
}

impl Drop for Evictions<'_> {
    fn drop(&mut self) {
        let mut panicked = Ok(());
        for key in self.keys.drain(..) {
            if self.from == From::Everywhere {
                // a rule that panics over one key does not keep the others
                let evict = AssertUnwindSafe(|| evict_local(self.cache, &key));
                panicked = panicked.and(catch_unwind(evict).map(drop));
            }
            if let Some(tier) = self.cache.shared() {
                tier.evict_later(&key);
            }
        }
        in_drop(|| panicked.unwrap_or_else(|panic| resume_unwind(panic)));
    }
}

/// A request that tells the shared tier the values of loads. If it is given up with its caller, its outcome is unknown. Then the keys
/// that an invalidation has `overtaken` are evicted again.
pub(crate) struct Filling<'a, F: Fn() -> Vec<Key>> {
    cache: &'a Cache,
    /// `None` once there is an answer.
    overtaken: Option<F>,
}

impl<'a, F: Fn() -> Vec<Key>> Filling<'a, F> {
    pub(crate) fn new(cache: &'a Cache, overtaken: F) -> Self {
        let overtaken = Some(overtaken);
        Self { cache, overtaken }
    }

    /// Records that there is an answer.
    pub(crate) fn over(mut self) {
        self.overtaken = None;
    }
}

impl<F: Fn() -> Vec<Key>> Drop for Filling<'_, F> {
    fn drop(&mut self) {
        if let Some(overtaken) = self.overtaken.take() {
            drop(Evictions::everywhere(self.cache, overtaken()));
        }
    }
}

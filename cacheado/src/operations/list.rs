//! Listing what there is.

use cacheado_backends::{Key, Result, Scope};

use super::{Begun, Operation, awaitable};
use crate::cache::Cache;

/// [`Cache::keys`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct Keys<'a> {
    cache: &'a Cache,
    scope: Scope,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(cache: &'a Cache) -> Self {
        Self {
            cache,
            scope: Scope::global(),
        }
    }

    /// Lists only the keys in `scope` and below it. Costs the same walk over all entries.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Returns the keys, in no order. Each prints with its scope, its function and its arguments.
    ///
    /// # Errors
    ///
    /// None at present: entries in the process can always be listed.
    pub fn run(self) -> Result<Vec<Key>> {
        let mut keys = self.cache.store().keys();
        keys.retain(|key| self.scope.contains(&key.scope()));
        Ok(keys)
    }
}

impl<'a> Operation<'a> for Keys<'a> {
    type Output = Result<Vec<Key>>;

    fn begin(self) -> Begun<'a, Result<Vec<Key>>> {
        Begun::Done(self.run())
    }
}

awaitable!(Keys<'a> -> Vec<Key>);

//! A backend with only the required operations.

use cacheado_backends::backend::{Backend, BackendResult, Lookup, Payload};
use cacheado_backends::{Key, Scope};

use crate::memory::Memory;

/// Has no marks, claims, reports or counts, and uses the default implementations for the rest.
pub struct Simple(pub Memory);

impl Backend for Simple {
    fn name(&self) -> &'static str {
        "simple"
    }

    fn bind(&mut self, name: &str) {
        self.0.bind(name);
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        Ok(self.0.get(key)?.hit().into())
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.0.set(key, payload)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.0.evict(key)
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.0.evict_by_scope(scope).map(|_| 0)
    }

    fn clear(&self) -> BackendResult<()> {
        self.0.clear()
    }
}

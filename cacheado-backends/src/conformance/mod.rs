//! A suite of checks of what the cache relies on in a backend, for any backend to run in its own tests.
//!
//! Each check runs twice, with the blocking operations and with those that return futures. It uses caches with names of its own, so it
//! can share the store with other users, and removes what it stored when it is done, also if it fails. The suite takes a few seconds,
//! most of them spent waiting for lifetimes to end.
//!
//! With the crate `cacheado` and its feature `conformance`, this module is `cacheado::backends::conformance`, the items of
//! `cacheado_backends::backend` are in `cacheado::backends`, and `Key` and `Scope` are in `cacheado` itself.
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//! use std::time::Instant;
//!
//! use cacheado_backends::backend::{Backend, BackendResult, Lookup, Payload};
//! use cacheado_backends::conformance::Suite;
//! use cacheado_backends::{Key, Scope};
//!
//! type Entries = HashMap<(String, Key), (Payload, Instant)>;
//!
//! /// A map that several caches share.
//! #[derive(Clone, Default)]
//! struct Shared {
//!     cache: String,
//!     entries: Arc<Mutex<Entries>>,
//! }
//!
//! /// What is stored, with what is left of its lifetime.
//! fn live((payload, stored): &(Payload, Instant)) -> Option<Payload> {
//!     let Some(lifetime) = payload.lifetime else { return Some(payload.clone()) };
//!     let left = lifetime.checked_sub(stored.elapsed()).filter(|left| !left.is_zero())?;
//!     Some(Payload { lifetime: Some(left), ..payload.clone() })
//! }
//!
//! impl Backend for Shared {
//!     fn name(&self) -> &str {
//!         "shared map"
//!     }
//!     fn bind(&mut self, name: &str) {
//!         self.cache = name.to_owned();
//!     }
//!     fn get(&self, key: &Key) -> BackendResult<Lookup> {
//!         let entries = self.entries.lock().unwrap();
//!         Ok(entries.get(&(self.cache.clone(), key.clone())).and_then(live).into())
//!     }
//!     fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
//!         let entry = (payload.clone(), Instant::now());
//!         self.entries.lock().unwrap().insert((self.cache.clone(), key.clone()), entry);
//!         Ok(())
//!     }
//!     fn evict(&self, key: &Key) -> BackendResult<bool> {
//!         let removed = self.entries.lock().unwrap().remove(&(self.cache.clone(), key.clone()));
//!         Ok(removed.as_ref().and_then(live).is_some())
//!     }
//!     fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
//!         let mut removed = 0;
//!         self.entries.lock().unwrap().retain(|(cache, key), entry| {
//!             let goes = *cache == self.cache && scope.contains(&key.scope());
//!             removed += u64::from(goes && live(entry).is_some());
//!             !goes
//!         });
//!         Ok(removed)
//!     }
//!     fn clear(&self) -> BackendResult<()> {
//!         self.evict_by_scope(&Scope::global()).map(drop)
//!     }
//! }
//!
//! // in a #[test]: without what this backend has not
//! let store = Shared::default();
//! Suite::new(|| store.clone()).marks(false).leases(false).watch(false).run();
//! ```

mod bench;
mod bulk;
mod entries;
mod executor;
mod keys;
mod leases;
mod lifetimes;
mod marks;
mod names;
mod races;
mod scopes;
mod suite;
mod threads;
mod values;
mod watching;

pub use executor::Task;
pub use suite::{Check, Suite};

//! The runtime vocabulary of [cacheado](https://docs.rs/cacheado): keys, scopes and entries, the in-process store, and the traits that
//! extend a cache, [`Rule`] and [`Backend`].
//!
//! Applications depend on the crate `cacheado`, which re-exports what they need of this one; the examples use its names. A crate that
//! only provides a rule or a backend can depend on this one alone.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "shared")]
pub mod address;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod entry;
#[doc(hidden)]
pub mod envelope;
mod error;
#[cfg(any(feature = "memcached", feature = "mongodb", feature = "redis"))]
mod io;
mod key;
#[cfg(feature = "memcached")]
pub mod memcached;
pub mod memory;
#[cfg(feature = "mongodb")]
pub mod mongodb;
#[cfg(feature = "redis")]
pub mod redis;
pub mod rule;
pub mod rules;
#[cfg(any(feature = "mongodb", feature = "redis"))]
mod said;
mod scope;
#[cfg(feature = "shared")]
mod secret;
mod shape;
mod sync;

pub mod backend;

pub use backend::Backend;
pub use clock::{Clock, Listener, ManualClock, NEVER, Tick};
pub use entry::{Entry, Held, Kind, NewEntry, OldValue};
pub use error::{Error, Result};
pub use key::{Key, Probe, Space, SpaceSpec, leaves_nothing_out, serialized_size};
pub use rule::Rule;
pub use scope::{Hierarchy, HierarchyBuilder, IdText, Level, LevelDef, Scope, ScopeId};
#[cfg(feature = "shared")]
pub use secret::SecretKey;
pub use shape::{Outline, outline};

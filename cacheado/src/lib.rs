#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod aging;
mod arity;
mod background;
mod batch;
mod builder;
mod cache;
mod call;
mod context;
mod counters;
mod default;
mod evict;
mod flight;
mod function;
pub mod guide;
mod ids;
mod in_process;
mod ledger;
mod lifetime;
mod load;
pub mod operations;
mod outcome;
mod put;
mod repeats;
mod runtime;
mod shared;
mod stats;
mod sync;
mod tell;
pub mod testing;
mod value;
mod waiting;
mod way;
mod weight;

/// For models: their time.
#[cfg(shuttle)]
#[doc(hidden)]
pub use sync::model as __model;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use cacheado_backends::{
    Backend, Clock, Error, Hierarchy, HierarchyBuilder, IdText, Key, Level, Result, Rule, Scope,
    ScopeId, Space, rule, rules,
};
pub use cacheado_macros::{
    bypass, cache, cache_evict, cache_impl, cache_put, evict, expire, peek, put, refresh, scopes,
};

pub use builder::CacheBuilder;
pub use cache::Cache;
pub use context::{LoadContext, Previous};
pub use default::default_cache;
pub use outcome::Storable;
pub use stats::{Counts, Stats};
pub use weight::Weighed;

/// The shared tiers. Any type that implements [`Backend`] can be one as well.
pub mod backends {
    pub use cacheado_backends::backend::{
        Backend, BackendFuture, BackendResult, Change, Changes, Lease, Lookup, Mark, Payload,
        Refused,
    };
    #[cfg(feature = "conformance")]
    pub use cacheado_backends::conformance;
    #[cfg(feature = "memcached")]
    pub use cacheado_backends::memcached::Memcached;
    #[cfg(feature = "mongodb")]
    pub use cacheado_backends::mongodb::MongoDb;
    #[cfg(feature = "redis")]
    pub use cacheado_backends::redis::Redis;
}

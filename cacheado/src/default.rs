//! The process-wide cache, for functions that name none.

use std::sync::OnceLock;

use cacheado_backends::{Error, Result};

use crate::builder::CacheBuilder;
use crate::cache::Cache;

static DEFAULT: OnceLock<Cache> = OnceLock::new();

/// The cache of every `#[cache]` function that names none. It is the one that was [installed](Cache::install), or else an unbounded
/// in-process cache that the first call of such a function, or of this one, creates. After that none can be installed.
///
/// ```
/// let stats = cacheado::default_cache().stats();
/// assert_eq!(stats.hits, 0);
/// ```
#[inline]
pub fn default_cache() -> &'static Cache {
    DEFAULT.get_or_init(CacheBuilder::build_plain)
}

pub(crate) fn install(cache: Cache) -> Result<()> {
    DEFAULT.set(cache).map_err(|_| Error::AlreadyInstalled)
}

//! The database as the rest of the program sees it: [`Db`], a cheap handle that combines the connections with the cache for the
//! answers.
//!
//! From the outside in: [`queries`] are the cached reads, and [`commands`] the writes that evict. Both use `rows`, which is plain SQL
//! and knows no cache. [`fill`] creates the file, `schema` its tables.

pub mod commands;
mod error;
pub mod fill;
pub mod model;
mod pool;
pub mod queries;
pub(crate) mod rows;
mod schema;

use std::path::Path;
use std::sync::Arc;

use cacheado::Cache;
use rusqlite::Connection;

pub use error::{Error, Result};
use pool::Pool;

/// A database file and the cache in front of it. Clones share both.
#[derive(Clone)]
pub struct Db {
    pool: Arc<Pool>,
    // Named by every `#[cache(cache = db.cache)]`. It is a field instead of the process-wide cache, so that one process can measure
    // the same functions with the cache off and on, and tests don't see each other's entries.
    pub(crate) cache: Cache,
}

impl Db {
    /// Opens a file that [`fill::ensure`] has created.
    ///
    /// # Errors
    /// If the file can't be opened, or is not a complete database of this program.
    pub fn open(path: &Path, cache: Cache) -> Result<Self> {
        let pool = Arc::new(Pool::open(path)?);
        Ok(Self { pool, cache })
    }

    /// The same database with another cache in front of it.
    #[must_use]
    pub fn with_cache(&self, cache: Cache) -> Self {
        Self {
            pool: Arc::clone(&self.pool),
            cache,
        }
    }

    /// The cache in front of this handle.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Reads on the calling thread, for lookups by index, which take microseconds.
    pub(crate) fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.pool.read(query)
    }

    /// Reads on a thread that may block, for queries that take long enough to hold up other requests.
    pub(crate) async fn read_off_thread<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = Arc::clone(&self.pool);
        tokio::task::spawn_blocking(move || pool.read(query)).await?
    }

    /// Writes on the calling thread, in one transaction that is rolled back on an error.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.pool.write(change)
    }

    /// Writes on a thread that may block, in one transaction.
    pub(crate) async fn write_off_thread<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = Arc::clone(&self.pool);
        tokio::task::spawn_blocking(move || pool.write(change)).await?
    }
}

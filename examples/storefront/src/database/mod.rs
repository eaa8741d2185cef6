//! The database as the rest of the program sees it: [`Db`], a cheap handle that joins the connections with the cache
//! that answers are kept in.
//!
//! From the outside in: [`queries`] are the cached reads and [`commands`] the writes that evict; both stand on `rows`,
//! which is plain SQL and knows of no cache. [`fill`] makes the file, `schema` its tables.

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
    // Named by every `#[cache(cache = db.cache)]`. A field and not the process-wide cache, so that one process can
    // measure the same functions with the cache off and on, and that tests don't see each other's entries.
    pub(crate) cache: Cache,
}

impl Db {
    /// Opens a file that [`fill::ensure`] has made.
    ///
    /// # Errors
    /// If the file can't be opened, or is no finished database of this program.
    pub fn open(path: &Path, cache: Cache) -> Result<Self> {
        let pool = Arc::new(Pool::open(path)?);
        Ok(Self { pool, cache })
    }

    /// The same database behind another cache.
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

    /// Reads on the calling thread. For look-ups by index, which take microseconds.
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

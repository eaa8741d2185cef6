//! Connections to one database file: any number for reading, one for writing, as in SQLite itself.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Error, Result, schema};

pub(super) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    writer: Mutex<Connection>,
}

impl Pool {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        // checked before anything else, because the file may belong to another program
        if !schema::is_complete(&Connection::open_with_flags(
            &path,
            OpenFlags::SQLITE_OPEN_READ_ONLY,
        )?) {
            return Err(Error::Foreign { path });
        }
        let writer = Mutex::new(connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?);
        Ok(Self {
            path,
            idle: Mutex::default(),
            writer,
        })
    }

    /// Runs `query` on a connection that can't write.
    ///
    /// Opens another one if all are in use. There are never more of them than reading threads.
    pub(super) fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = unpoisoned(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let answer = query(&connection);
        unpoisoned(&self.idle).push(connection);
        answer
    }

    /// Runs `change` in a transaction of its own, which is rolled back if it fails.
    pub(super) fn write<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut writer = unpoisoned(&self.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection> {
    // no mutex inside SQLite: a connection is used by one thread at a time here
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(32);
    // What a careful service would set. The measurement without a cache must not be slower than necessary: SQLite keeps pages of its
    // own, and reads the rest of the file through those of the operating system.
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384; PRAGMA mmap_size = 1073741824;",
    )?;
    Ok(connection)
}

/// A query that panicked leaves a list of connections or a rolled-back transaction behind. Both can still be used.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What can go wrong with the database.

use std::path::PathBuf;

/// The result of a query or a command.
pub type Result<T> = std::result::Result<T, Error>;

/// A query or a command that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tenant has no such thing. Another organization may have one, but the answer is the same.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// SQLite reported an error.
    #[error("the database refused")]
    Sqlite(#[from] rusqlite::Error),
    /// A file could not be created, moved or removed.
    #[error("can't write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file exists, but is not a database of this program, or is one of another version of it.
    #[error("{} is no database of this version of storefront: remove it, or name another with --database", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The task that ran the query panicked or was cancelled.
    #[error("the query was cut short")]
    CutShort(#[from] tokio::task::JoinError),
}

impl Error {
    /// Turns "no row" into [`Error::NotFound`], and keeps every other error.
    pub(crate) fn missing(what: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |error| match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NotFound(what),
            other => Self::Sqlite(other),
        }
    }
}

//! What can go wrong with the database.

use std::path::PathBuf;

/// The result of a query or a command.
pub type Result<T> = std::result::Result<T, Error>;

/// A query or a command that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tenant has no such thing. It may well exist in another organization: the answer is the same.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// SQLite refused.
    #[error("the database refused")]
    Sqlite(#[from] rusqlite::Error),
    /// A file could not be made, moved or removed.
    #[error("can't write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is there and is no database of this program, or one of another version of it.
    #[error("{} is no database of this version of storefront: remove it, or name another with --database", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The thread that ran the query died.
    #[error("the query was cut short")]
    CutShort(#[from] tokio::task::JoinError),
}

impl Error {
    /// Turns "no row" into [`Error::NotFound`]; everything else stays what it is.
    pub(crate) fn missing(what: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |error| match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NotFound(what),
            other => Self::Sqlite(other),
        }
    }
}

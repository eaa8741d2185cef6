//! Clearing the cache when a server brings back old data.

use ::redis::cmd;

use super::super::exchange::Exchange;
use super::super::reply;
use super::super::script::ask_one;
use super::Store;
use crate::backend::{BackendResult, Refused};

/// How long the note of a clear stays, in milliseconds. A process that was not connected for longer clears once more.
const NOTED: u64 = 86_400_000;

impl Store {
    /// Clears the cache because a server began the run `run` with data of some earlier time. Does nothing if another process has
    /// cleared it already.
    pub(in super::super) async fn clear_after(
        &self,
        io: &impl Exchange,
        run: &str,
    ) -> BackendResult<()> {
        let note = self.names.cleared(run);
        let mut get = cmd("GET");
        get.arg(note);
        if reply::bytes(ask_one(io, get).await?)?.is_some() {
            return Ok(());
        }
        tracing::warn!("a server began again without its latest changes: the cache is cleared");
        self.clear(io).await?;
        let mut set = cmd("SET");
        set.arg(note).arg("").arg("PX").arg(NOTED);
        match ask_one(io, set).await {
            // a full server: other processes clear too
            Err(error) if !error.is::<Refused>() => Err(error),
            _ => Ok(()),
        }
    }
}

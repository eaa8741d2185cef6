//! Clearing what a server has brought back.

use ::redis::cmd;

use super::super::exchange::Exchange;
use super::super::reply;
use super::super::script::ask_one;
use super::Store;
use crate::backend::{BackendResult, Refused};

/// How long it is noted that somebody has, in milliseconds: a process that has not heard for longer clears once more.
const NOTED: u64 = 86_400_000;

impl Store {
    /// Clears the cache, as a server began the life `run` with what it had at some time before; unless somebody has by now.
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
            // a full server: others clear too
            Err(error) if !error.is::<Refused>() => Err(error),
            _ => Ok(()),
        }
    }
}

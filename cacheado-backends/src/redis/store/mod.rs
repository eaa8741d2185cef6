//! The store's operations: the commands each sends and how it reads the answers. Each is written once, for blocking and async use.

mod evict;
mod lease;
mod read;
mod renew;
mod streak;
mod write;

use std::time::Duration;

pub(super) use self::read::Wanted;
use self::streak::Streak;
use super::names::Names;
use super::nonce::Nonces;
use crate::backend::Change;

/// The maximum number of keys per round trip.
const BATCH: usize = 1000;

/// One cache's entries in the servers.
pub(super) struct Store {
    pub(super) names: Names,
    pub(super) nonces: Nonces,
    /// The longest time a load may take for its value to be stored.
    pub(super) load_limit: Duration,
    streak: Streak,
}

impl Store {
    /// The entries of the cache called `name`.
    pub(super) fn new(name: &str, load_limit: Duration) -> Self {
        Self {
            names: Names::new(name),
            nonces: Nonces::new(),
            load_limit,
            streak: Streak::default(),
        }
    }

    /// How long marks live, in milliseconds. Every load has seen the root's mark. When that expires after this span, the loads that
    /// saw it are no longer stored. Each other mark lives at least as long as the root's, so by the server's own clock it outlives all
    /// loads that it outdates. Without a root mark there is no such load, and a set leaves no mark.
    fn span(&self) -> u64 {
        milliseconds(self.load_limit.saturating_mul(2))
    }

    /// The message that announces `change`: the sender's id, then the change. A change that can't be encoded is sent as no bytes,
    /// which receivers read as [`Change::All`].
    fn message(&self, change: &Change) -> Vec<u8> {
        let change = change.to_bytes().unwrap_or_default();
        [&self.nonces.id().to_le_bytes()[..], &change].concat()
    }
}

/// In milliseconds, as the server and its scripts take them: not zero, and no more than Lua represents exactly.
fn milliseconds(span: Duration) -> u64 {
    let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    span.clamp(1, 1 << 52)
}

//! What the operations ask the servers and make of the answers. Each is written once, for blocking and async use.

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

/// How many keys one round trip is for at most.
const BATCH: usize = 1000;

/// One cache's entries in the servers.
pub(super) struct Store {
    pub(super) names: Names,
    pub(super) nonces: Nonces,
    /// How long a load may take whose value is stored.
    pub(super) load_limit: Duration,
    streak: Streak,
}

impl Store {
    /// Those of the cache that is called `name`.
    pub(super) fn new(name: &str, load_limit: Duration) -> Self {
        Self {
            names: Names::new(name),
            nonces: Nonces::new(),
            load_limit,
            streak: Streak::default(),
        }
    }

    /// How long marks live, in milliseconds. The root's mark, which every load has seen, ends after this span, and with it the loads that
    /// saw it: what they found is not stored. So each other mark, which lives as long as the root's at least, outlives, by the server's own
    /// clock, all the loads that it outdates. Where the root has no mark, there is no such load, and a set leaves none.
    fn span(&self) -> u64 {
        milliseconds(self.load_limit.saturating_mul(2))
    }

    /// `change` as others are told of it: who tells, and what. A change that can't be written is told as nothing, which is read as
    /// everything.
    fn message(&self, change: &Change) -> Vec<u8> {
        let change = change.to_bytes().unwrap_or_default();
        [&self.nonces.id().to_le_bytes()[..], &change].concat()
    }
}

/// As the server and its scripts take it: not zero, and no more than a number of Lua holds exactly.
fn milliseconds(span: Duration) -> u64 {
    let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    span.clamp(1, 1 << 52)
}

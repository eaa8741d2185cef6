//! The thread that sends evictions from the outbox: one per tier, while there is something to send.

use std::sync::Weak;
use std::thread;
use std::time::Duration;

use cacheado_backends::backend::BackendResult;

use super::SharedTier;
use super::guarded::guarded;
use super::outbox::{Eviction, Turn};
use crate::way::{Way, blocking};

/// The first wait after a failure, and the longest. It grows only while the breaker is open, when the store fails other callers too.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Starts sending what is in the outbox of `tier`.
pub(super) fn begin(tier: &Weak<SharedTier>) {
    if cfg!(shuttle) {
        // a model's threads end with the model
        return;
    }
    let sender = Weak::clone(tier);
    let thread = thread::Builder::new().name("cacheado-replay".to_owned());
    let spawned = thread.spawn(move || send_all(&sender));
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread to send evictions with that could not be sent");
        stop(tier);
    }
}

fn stop(tier: &Weak<SharedTier>) {
    if let Some(tier) = tier.upgrade() {
        tier.outbox.stop_sending();
    }
}

fn send_all(tier: &Weak<SharedTier>) {
    let mut wait = WAITS.0;
    // the cache may be dropped meanwhile
    while let Some(tier) = tier.upgrade() {
        let Some((eviction, turn)) = tier.outbox.next() else {
            return;
        };
        let sent = blocking(|way| guarded(tier.send(way, &eviction)));
        if tier.note_sent(Way::Blocking, eviction, turn, sent) {
            wait = WAITS.0;
            continue;
        }
        if tier.breakers.of(Way::Blocking).are_closed() {
            wait = WAITS.0;
        }
        drop(tier);
        thread::sleep(wait);
        wait = (2 * wait).min(WAITS.1);
    }
}

impl SharedTier {
    /// The part of the store that `eviction` concerns.
    fn part_of(&self, eviction: &Eviction) -> u32 {
        match eviction {
            Eviction::Key(key) => self.backend.part(&self.outside(key)),
            Eviction::Scope(scope) => self.backend.part_of_scope(&self.outside_scope(scope)),
            Eviction::All => self.whole(),
        }
    }

    /// Sends `eviction` even if the breaker is open: somebody must ask.
    async fn send(&self, way: Way, eviction: &Eviction) -> BackendResult<()> {
        let via = self.via(way);
        match eviction {
            Eviction::Key(key) => via.evict(&self.outside(key)).await.map(drop),
            Eviction::Scope(scope) => via
                .evict_by_scope(&self.outside_scope(scope))
                .await
                .map(drop),
            Eviction::All => via.clear().await,
        }
    }

    /// Records the outcome of sending `eviction` at its `turn`. Returns whether it was sent.
    fn note_sent(&self, way: Way, eviction: Eviction, turn: Turn, sent: BackendResult<()>) -> bool {
        match sent {
            Ok(()) => {
                let part = || self.part_of(&eviction);
                self.breakers.of(way).answered(part);
                self.outbox.sent(&eviction, turn);
                true
            }
            Err(error) => {
                tracing::debug!(%error, "an eviction could still not be sent");
                self.outbox.not_sent(eviction, turn);
                false
            }
        }
    }

    /// Tries to send what the thread would send next, for a cache without that thread. Returns whether there was something.
    pub(crate) async fn send_next(&self) -> bool {
        let Some((eviction, turn)) = self.outbox.next() else {
            return false;
        };
        let sent = guarded(self.send(Way::Async, &eviction)).await;
        self.note_sent(Way::Async, eviction, turn, sent);
        true
    }
}

//! Gives back the claims of loads that store nothing in the shared tier. For loads that ended without an opportunity to do so, a
//! thread does it while there are any.

use std::thread;

use cacheado_backends::backend::Mark;
use cacheado_backends::{Key, Result};

use super::SharedTier;
use crate::load::patience::FOR_ALL;
use crate::sync::{Mutex, lock};
use crate::way::{Way, blocking};

/// Claims to give back.
#[derive(Default)]
pub(super) struct Releases(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    claims: Vec<Ended>,
    /// A thread is giving claims back.
    busy: bool,
}

/// The claim of a load that has ended.
struct Ended {
    key: Key,
    mark: Mark,
    failed: bool,
}

impl Releases {
    /// The next claim to give back. On `None` the thread ends.
    fn next(&self) -> Option<Ended> {
        let mut waiting = lock(&self.0);
        let next = waiting.claims.pop();
        waiting.busy = next.is_some();
        next
    }
}

impl SharedTier {
    /// Gives the claim `mark` back: to the next one that asks, or to all.
    pub(crate) async fn give_back(
        &self,
        way: Way,
        key: &Key,
        mark: &Mark,
        to_all: bool,
    ) -> Result<()> {
        if to_all {
            self.release_to_all(way, key, mark, FOR_ALL).await
        } else {
            self.release(way, key, mark).await
        }
    }

    /// Gives the claim `mark` back from a separate thread. A claim that can't be given back expires by itself.
    pub(crate) fn release_later(&self, key: Key, mark: Mark, failed: bool) {
        let mut waiting = lock(&self.releases.0);
        waiting.claims.push(Ended { key, mark, failed });
        if std::mem::replace(&mut waiting.busy, true) || cfg!(shuttle) {
            return;
        }
        drop(waiting);
        // the cache may be dropped meanwhile
        let Some(tier) = self.this.upgrade() else {
            return;
        };
        let thread = thread::Builder::new().name("cacheado-release".to_owned());
        let spawned = thread.spawn(move || release_all(&tier));
        if let Err(error) = spawned {
            tracing::debug!(%error, "no thread to give claims back with");
            let mut waiting = lock(&self.releases.0);
            waiting.claims.clear();
            waiting.busy = false;
        }
    }
}

fn release_all(tier: &SharedTier) {
    while let Some(Ended { key, mark, failed }) = tier.releases.next() {
        let _ = blocking(|way| tier.give_back(way, &key, &mark, failed));
    }
}

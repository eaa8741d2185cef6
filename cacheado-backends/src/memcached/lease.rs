//! Claims on loads among processes: a key that only one can add. Its number is the claim's, and is in the mark of the load.
//!
//! Whoever is granted one renews the stub under the entry as well, so that the number in the mark of an owner before is over: one
//! whose claim has ended stores nothing, however late it comes. A value that is there is written again as it is, for the same reason: it
//! may only stand in for the one that is to be loaded, or be none that the caller can read.

use std::time::{Duration, Instant};

use memcache::exp::{Delete, Op, OpResult, Set};

use super::client::Way;
use super::look::Found;
use super::mark::LoadMark;
use super::{Memcached, VALUE, unexpected};
use crate::backend::{BackendResult, Lease, Mark};
use crate::key::Key;

/// How often it is tried anew because something else was under the entry by then.
const ATTEMPTS: usize = 3;

impl Memcached {
    /// Claims the load of `key`.
    pub(super) async fn claim(&self, way: Way, key: &Key, span: Duration) -> BackendResult<Lease> {
        let name = self.names.lease(key);
        // the server counts seconds from when its clock last ticked, so the first may be over at once
        let span = span
            .as_secs()
            .saturating_add(1 + u64::from(span.subsec_nanos() > 0));
        let add = Set::new(&name, []).add().return_cas();
        let add = add.ttl_raw(
            u32::try_from(span)
                .unwrap_or(u32::MAX)
                .min(super::MOST_SECONDS),
        );
        let answers = self.client.exchange(way, vec![add.into()]).await?;
        let lease = match answers.first() {
            Some(OpResult::Mutation(added)) if added.applied() => {
                added.cas.ok_or_else(unexpected)?
            }
            Some(OpResult::Mutation(_)) => return Ok(Lease::Taken),
            _ => return Err(unexpected()),
        };
        if let Some(mark) = self.renumber(way, key, lease).await? {
            return Ok(Lease::Granted(mark));
        }
        // others write there all the time: whoever looks again finds what they wrote
        let end = Delete::new(&name).compare_cas(lease);
        self.client.exchange(way, vec![end.into()]).await?;
        Ok(Lease::Taken)
    }

    /// Gives what is under `key` a new number, for the load whose claim is `lease`; if no value counts there, by a new stub. `None` if
    /// others were faster each time.
    async fn renumber(&self, way: Way, key: &Key, lease: u64) -> BackendResult<Option<Mark>> {
        let places = self.places([key]);
        let [place] = &places.entries[..] else {
            return Err(unexpected());
        };
        for _ in 0..ATTEMPTS {
            let sent = Instant::now();
            let commands = [Op::from(self.probe(&place.name, true))]
                .into_iter()
                .chain(Self::reads(&places));
            let mut answers = self
                .client
                .exchange(way, commands.collect())
                .await?
                .into_iter();
            let Some(OpResult::Get(item)) = answers.next() else {
                return Err(unexpected());
            };
            let nonces = self.heard(&places, answers, sent)?;
            let nonces = self.complete(way, &places, nonces).await?;
            let generation = place.generation(&nonces).ok_or_else(unexpected)?;
            let now = self.clock.now(sent);
            let renewed = match Self::judge(&item, Some(generation), &now) {
                Found::Live(payload) => {
                    let cas = item.item.cas.unwrap_or(0);
                    let same = Set::new(&place.name, item.value.unwrap_or_default());
                    let same = same.client_flags(VALUE).compare_cas(cas).return_cas();
                    let same = same.ttl_raw(self.seconds(payload.lifetime, &now));
                    self.replace(way, vec![same.into()]).await?
                }
                Found::Stub { cas, .. } | Found::Dead { cas } => {
                    self.renew(way, [(&place.name, cas)].into_iter()).await?
                }
            };
            if let Some(&cas) = renewed.first().filter(|&&cas| cas != 0) {
                return Ok(Some(
                    LoadMark {
                        cas,
                        generation,
                        lease,
                    }
                    .mark(sent),
                ));
            }
        }
        Ok(None)
    }

    /// Gives back the claim in `mark`.
    pub(super) async fn give_back(&self, way: Way, key: &Key, mark: &Mark) -> BackendResult<()> {
        if let Some(end) = LoadMark::of(mark).and_then(|mark| self.let_go(key, mark)) {
            self.client.exchange(way, vec![end]).await?;
        }
        Ok(())
    }

    /// The command that ends the claim in `mark`, if there is one; another's stays.
    pub(super) fn let_go(&self, key: &Key, mark: LoadMark) -> Option<Op> {
        (mark.lease != 0).then(|| {
            Delete::new(self.names.lease(key))
                .compare_cas(mark.lease)
                .into()
        })
    }
}

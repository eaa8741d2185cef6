//! Claims of loads among processes: a key that only one process can add. Its item number identifies the claim, and is in the load's
//! mark.
//!
//! A process that is granted a claim also renumbers the item under the entry's name. So the number in the mark of an earlier owner is
//! outdated: once its claim has ended, that load stores nothing, however late. For the same reason a value that is there is rewritten
//! unchanged: it may only be standing in for the one to be loaded, or be unreadable to the caller.
//!
//! A claim that is open to anybody has special client flags.

use std::time::{Duration, Instant};

use memcache::exp::{Delete, Get, Op, OpResult, Set};

use super::client::Way;
use super::look::Found;
use super::mark::LoadMark;
use super::{Memcached, VALUE, unexpected};
use crate::backend::{BackendResult, Lease, Mark};
use crate::key::Key;

/// How many times renumbering is tried if the item has changed in the meantime.
const ATTEMPTS: usize = 3;

/// The client flags of a claim that is open to anybody.
const ANYBODY: u32 = 0xA11;

impl Memcached {
    /// Claims the load of `key`.
    pub(super) async fn claim(&self, way: Way, key: &Key, span: Duration) -> BackendResult<Lease> {
        let name = self.names.lease(key);
        let add = Set::new(&name, []).add().return_cas();
        let commands = vec![add.ttl_raw(seconds(span)).into(), Get::new(&name).into()];
        let answers = self.client.exchange(way, commands).await?;
        let lease = match &answers[..] {
            [OpResult::Mutation(added), _] if added.applied() => {
                added.cas.ok_or_else(unexpected)?
            }
            [_, OpResult::Get(found)] if found.client_flags == Some(ANYBODY) => {
                return self.mark_one(way, key).await.map(Lease::Granted);
            }
            [OpResult::Mutation(_), _] => return Ok(Lease::Taken),
            _ => return Err(unexpected()),
        };
        if let Some(mark) = self.renumber(way, key, lease).await? {
            return Ok(Lease::Granted(mark));
        }
        // others write there all the time: the next lookup finds what they wrote
        let end = Delete::new(&name).compare_cas(lease);
        self.client.exchange(way, vec![end.into()]).await?;
        Ok(Lease::Taken)
    }

    /// Gives the item under `key` a new number, for the load with claim `lease`. If there is no value that counts, puts a new stub
    /// there. `None` if others were faster each time.
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
            let renewed = match Self::judge(&place.name, &item, Some(generation), &now) {
                Found::Live(payload) => {
                    let cas = item.item.cas.unwrap_or(0);
                    let same = Set::new(&place.name, item.value.unwrap_or_default());
                    let same = same.client_flags(VALUE).compare_cas(cas).return_cas();
                    let same = same.ttl_raw(self.seconds(payload.lifetime, &now));
                    self.replace(way, vec![same.into()]).await?
                }
                Found::Stub { cas, .. } | Found::Dead { cas } | Found::Foreign { cas } => {
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

    /// Gives back the claim in `mark`. `to_all`: for how long anybody may load from now on.
    pub(super) async fn give_back(
        &self,
        way: Way,
        key: &Key,
        mark: &Mark,
        to_all: Option<Duration>,
    ) -> BackendResult<()> {
        let Some(mark) = LoadMark::of(mark).filter(|mark| mark.lease != 0) else {
            return Ok(());
        };
        let end = match to_all {
            None => self.let_go(key, mark),
            Some(span) => {
                let open = Set::new(self.names.lease(key), []).client_flags(ANYBODY);
                let open = open.compare_cas(mark.lease).ttl_raw(seconds(span));
                Some(open.into())
            }
        };
        self.client.exchange(way, end.into_iter().collect()).await?;
        Ok(())
    }

    /// The command that ends the claim in `mark`, if it has one. Another process's claim stays.
    pub(super) fn let_go(&self, key: &Key, mark: LoadMark) -> Option<Op> {
        (mark.lease != 0).then(|| {
            Delete::new(self.names.lease(key))
                .compare_cas(mark.lease)
                .into()
        })
    }
}

/// Rounds `span` up and adds one: the server counts from its last tick, so the first second may be over at once.
fn seconds(span: Duration) -> u32 {
    let seconds = span
        .as_secs()
        .saturating_add(1 + u64::from(span.subsec_nanos() > 0));
    u32::try_from(seconds)
        .unwrap_or(u32::MAX)
        .min(super::MOST_SECONDS)
}

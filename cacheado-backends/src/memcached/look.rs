//! Lookups and the marks of loads.

use std::sync::Arc;
use std::time::Instant;

use memcache::exp::{Get, GetResult, Meta, Op, OpResult, Set};

use super::client::Way;
use super::clock::Now;
use super::header::{Generation, Header};
use super::mark::LoadMark;
use super::{Memcached, VALUE, unexpected};
use crate::backend::{BackendResult, Lookup, Mark, Payload};
use crate::key::Key;

/// What is under the name of an entry.
pub(super) enum Found {
    /// A value that counts.
    Live(Payload),
    /// A value evicted with a scope: loads that began before that are outdated.
    Dead { cas: u64 },
    /// Something that another client wrote or copied from another name, or an incomplete value.
    Foreign { cas: u64 },
    /// A stub, which stands for the loads under way, or an expired value, which serves as one.
    Stub { cas: u64, lasts: Lasts },
}

/// How many seconds the server keeps an item; `None`: without an end.
type Lasts = Option<u64>;

impl Memcached {
    /// Looks up each of `keys`.
    ///
    /// Takes one round trip, and one more to write what is missing: marks, and stubs in place of values that no longer count. Keys for
    /// which another process was faster to replace such a value are looked up once more.
    pub(super) async fn look(&self, way: Way, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        self.look_up(way, keys, true).await
    }

    /// The marks of `keys`, whatever is stored under them.
    pub(super) async fn marks(&self, way: Way, keys: &[Key]) -> BackendResult<Vec<Mark>> {
        let looked = self.look_up(way, keys, false).await?;
        let marks = looked.into_iter().map(|looked| match looked {
            Lookup::Miss(mark) => mark,
            Lookup::Hit(_) => Mark::none(),
        });
        Ok(marks.collect())
    }

    async fn look_up(&self, way: Way, keys: &[Key], values: bool) -> BackendResult<Vec<Lookup>> {
        let (mut looked, outrun) = self.look_once(way, keys, values).await?;
        if !outrun.is_empty() {
            let keys: Vec<Key> = outrun.iter().map(|&nth| keys[nth].clone()).collect();
            let (again, _) = self.look_once(way, &keys, values).await?;
            for (nth, again) in outrun.into_iter().zip(again) {
                looked[nth] = again;
            }
        }
        Ok(looked)
    }

    /// One pass of [`look_up`](Self::look_up). Also returns the keys for which another process was faster to write a stub: their loads
    /// could not be stored.
    async fn look_once(
        &self,
        way: Way,
        keys: &[Key],
        values: bool,
    ) -> BackendResult<(Vec<Lookup>, Vec<usize>)> {
        let sent = Instant::now();
        let places = self.places(keys);
        let names = places.entries.iter().map(|place| &place.name);
        let commands = names
            .map(|name| self.probe(name, values).into())
            .chain(Self::reads(&places));
        let mut answers = self
            .client
            .exchange(way, commands.collect())
            .await?
            .into_iter();
        let items: Vec<_> = answers.by_ref().take(keys.len()).collect();
        let nonces = self.heard(&places, answers, sent)?;
        let nonces = self.complete(way, &places, nonces).await?;

        let now = self.clock.now(sent);
        let mut looked = Vec::with_capacity(keys.len());
        let (mut dead, mut ending) = (Vec::new(), Vec::new());
        let miss = |cas, generation| {
            let lease = 0;
            let mark = LoadMark {
                cas,
                generation,
                lease,
            };
            Lookup::Miss(mark.mark(sent))
        };
        for (nth, (item, place)) in items.into_iter().zip(&places.entries).enumerate() {
            let OpResult::Get(item) = item else {
                return Err(unexpected());
            };
            let generation = place.generation(&nonces).ok_or_else(unexpected)?;
            looked.push(
                match Self::judge(&place.name, &item, Some(generation), &now) {
                    Found::Live(payload) => Lookup::Hit(payload),
                    // an empty value does not decode, so it is counted; the load then asks for the mark
                    Found::Foreign { .. } => Lookup::Hit(Payload {
                        bytes: Arc::default(),
                        lifetime: None,
                    }),
                    Found::Stub { cas, lasts } => {
                        if lasts.is_some_and(|left| left <= self.load_seconds()) {
                            ending.push((&place.name, generation));
                        }
                        miss(cas, generation)
                    }
                    Found::Dead { cas } => {
                        dead.push((nth, &place.name, cas, generation));
                        Lookup::Miss(Mark::none())
                    }
                },
            );
        }
        let stubs = self
            .renew(way, dead.iter().map(|&(_, name, cas, _)| (name, cas)))
            .await?;
        let mut outrun = Vec::new();
        for ((nth, _, _, generation), cas) in dead.into_iter().zip(stubs) {
            looked[nth] = miss(cas, generation);
            if cas == 0 {
                outrun.push(nth);
            }
        }
        self.prolong(way, &ending, &now).await?;
        Ok((looked, outrun))
    }

    /// Reads an entry with its number. If there is none, the server adds a stub.
    pub(super) fn probe(&self, name: &str, value: bool) -> Get {
        let probe = Get::new(name)
            .meta(Meta::NONE.cas().ttl())
            .lease_ttl(self.stub_seconds());
        if value { probe } else { probe.without_value() }
    }

    /// Classifies `item`, found under `name`, in the current generation. Without one, no value counts.
    pub(super) fn judge(
        name: &str,
        item: &GetResult,
        generation: Option<Generation>,
        now: &Now,
    ) -> Found {
        let cas = item.item.cas.unwrap_or(0);
        let lasts = item.item.ttl.and_then(|left| left.try_into().ok());
        let value = match &item.value {
            Some(value) if item.client_flags == Some(VALUE) => value,
            Some(value) if !value.is_empty() => return Found::Foreign { cas },
            // not asked for, or a stub, or nothing, for which the server just added a stub
            _ => return Found::Stub { cas, lasts },
        };
        match Header::read(name, value) {
            None => Found::Foreign { cas },
            Some((header, bytes)) if Some(header.generation) == generation => {
                header.left(now).map_or(Found::Stub { cas, lasts }, |left| {
                    Found::Live(Payload {
                        bytes: bytes.into(),
                        lifetime: left,
                    })
                })
            }
            Some(_) => Found::Dead { cas },
        }
    }

    /// Makes the server keep the items under these names for the loads that begin now. Their numbers stay, for loads that began
    /// before.
    ///
    /// The server touches whatever is there. If that has become a value, which may live longer, a second touch sets its own expiry.
    async fn prolong(
        &self,
        way: Way,
        items: &[(&String, Generation)],
        now: &Now,
    ) -> BackendResult<()> {
        if items.is_empty() {
            return Ok(());
        }
        let touches = items.iter().map(|(name, _)| {
            let touch = Get::new(name).touch_raw(self.stub_seconds());
            Op::from(touch.meta(Meta::NONE.cas()))
        });
        let answers = self.client.exchange(way, touches.collect()).await?;
        let mut again = Vec::new();
        for ((name, generation), answer) in items.iter().zip(answers) {
            let OpResult::Get(item) = answer else {
                return Err(unexpected());
            };
            if let Found::Live(payload) = Self::judge(name, &item, Some(*generation), now) {
                let seconds = self.seconds(payload.lifetime, now);
                again.push(Get::new(name).touch_raw(seconds).without_value().into());
            }
        }
        if !again.is_empty() {
            self.client.exchange(way, again).await?;
        }
        Ok(())
    }

    /// Replaces the items with these names and numbers by stubs. Returns the numbers of the stubs: 0 where the item had changed.
    pub(super) async fn renew<'n>(
        &self,
        way: Way,
        items: impl Iterator<Item = (&'n String, u64)>,
    ) -> BackendResult<Vec<u64>> {
        let stub = |(name, cas)| {
            let stub = Set::new(name, []).ttl_raw(self.stub_seconds());
            Op::from(stub.compare_cas(cas).return_cas())
        };
        self.replace(way, items.map(stub).collect()).await
    }

    /// Writes items in place of those with the numbers they name. Returns their new numbers: 0 where the item had changed.
    pub(super) async fn replace(&self, way: Way, items: Vec<Op>) -> BackendResult<Vec<u64>> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.client.exchange(way, items).await?;
        let numbers = answers.into_iter().map(|answer| match answer {
            OpResult::Mutation(stored) if stored.applied() => Ok(stored.cas.unwrap_or(0)),
            OpResult::Mutation(_) => Ok(0),
            _ => Err(unexpected()),
        });
        numbers.collect()
    }
}

//! Storing and evicting.

use std::time::{Duration, Instant};

use memcache::exp::{Delete, Get, Op, OpResult, Set};

use super::client::Way;
use super::clock::{self, Now};
use super::header::{Generation, Header};
use super::look::Found;
use super::mark::LoadMark;
use super::{MOST_SECONDS, Memcached, VALUE, unexpected};
use crate::backend::{BackendResult, Mark, Payload, Refused};
use crate::key::Key;
use crate::scope::Scope;

impl Memcached {
    /// Stores each of `entries`, replacing what was there.
    ///
    /// Takes one round trip unless one of their scopes was evicted since this process last saw its mark.
    pub(super) async fn set_all(
        &self,
        way: Way,
        entries: &[(&Key, &Payload)],
    ) -> BackendResult<()> {
        let places = self.places(entries.iter().map(|(key, _)| *key));
        let (small, large): (Vec<usize>, Vec<usize>) =
            (0..entries.len()).partition(|&nth| entries[nth].1.bytes.len() <= self.max_value_bytes);
        let mut left = small;
        let mut nonces = self.recalled(&places);
        // no older value may stay where a value is too large to be stored
        let mut evictions: Vec<Op> = large
            .iter()
            .map(|&nth| Delete::new(&places.entries[nth].name).into())
            .collect();
        loop {
            let sent = Instant::now();
            let now = self.clock.now(sent);
            let written: Vec<_> = left
                .iter()
                .map(|&nth| places.entries[nth].generation(&nonces))
                .collect();
            let sets = left.iter().zip(&written).filter_map(|(&nth, &generation)| {
                let set =
                    self.item(&places.entries[nth].name, entries[nth].1, generation?, &now)?;
                Some(Op::from(set))
            });
            let mut commands: Vec<_> = sets.collect();
            commands.append(&mut evictions);
            let stored = commands.len();
            commands.extend(Self::reads(&places));
            let answers = self.client.exchange(way, commands).await?;
            let heard = self.heard(&places, answers.into_iter().skip(stored), sent)?;
            nonces = self.complete(way, &places, heard).await?;
            // the ones stored in an outdated generation
            let mut again = Vec::new();
            for (&nth, written) in left.iter().zip(written) {
                if written.is_none() || written != places.entries[nth].generation(&nonces) {
                    again.push(nth);
                }
            }
            if again.is_empty() {
                break;
            }
            left = again;
        }
        large
            .first()
            .map_or(Ok(()), |&nth| Err(self.too_large(entries[nth].1)))
    }

    /// Stores each of `entries` whose key was neither evicted nor set since its mark. Returns which ones.
    pub(super) async fn fill_all(
        &self,
        way: Way,
        entries: &[(&Key, &Payload, &Mark)],
    ) -> BackendResult<Vec<bool>> {
        let sent = Instant::now();
        let now = self.clock.now(sent);
        let places = self.places(entries.iter().map(|(key, ..)| *key));
        let mut commands = Vec::new();
        // for each entry, the index of its answer, and the generation that it is stored in
        let mut stores = Vec::with_capacity(entries.len());
        let mut large = None;
        for ((key, payload, mark), place) in entries.iter().zip(&places.entries) {
            let late = mark.age() > self.load_limit;
            let mark = LoadMark::of(mark);
            let mut store = None;
            if payload.bytes.len() > self.max_value_bytes {
                large = Some(self.too_large(payload));
            } else if let Some(mark) = mark.filter(|mark| mark.cas != 0 && !late)
                && let Some(set) = self.item(&place.name, payload, mark.generation, &now)
            {
                store = Some((commands.len(), mark.generation));
                commands.push(set.compare_cas(mark.cas).into());
            }
            stores.push(store);
            commands.extend(mark.and_then(|mark| self.let_go(key, mark)));
        }
        let told = commands.len();
        commands.extend(Self::reads(&places));
        let answers = self.client.exchange(way, commands).await?;
        let (answers, marks) = answers.split_at(told);
        let nonces = self.heard(&places, marks.iter().cloned(), sent)?;
        if let Some(large) = large {
            return Err(large);
        }
        // a value stored in an outdated generation does not count
        let filled = stores
            .into_iter()
            .zip(&places.entries)
            .map(|(store, place)| {
                store.is_some_and(|(nth, generation)| {
                    applied(&answers[nth]) && place.generation(&nonces) == Some(generation)
                })
            });
        Ok(filled.collect())
    }

    /// [`fill_all`](Self::fill_all) for one entry. If it is not stored, removes what is there.
    pub(super) async fn put_one(
        &self,
        way: Way,
        key: &Key,
        payload: &Payload,
        mark: &Mark,
    ) -> BackendResult<bool> {
        let filled = self.fill_all(way, &[(key, payload, mark)]).await;
        if !matches!(filled.as_deref(), Ok([true])) {
            self.evict_one(way, key).await?;
        }
        Ok(filled?.first() == Some(&true))
    }

    /// Removes what is under `key`. Returns whether that counted.
    pub(super) async fn evict_one(&self, way: Way, key: &Key) -> BackendResult<bool> {
        let sent = Instant::now();
        let places = self.places([key]);
        let [place] = &places.entries[..] else {
            return Err(unexpected());
        };
        // a plain read, without leaving a stub, which would be removed at once
        let commands = [
            Get::new(&place.name).into(),
            Delete::new(&place.name).into(),
        ];
        let commands = commands.into_iter().chain(Self::reads(&places));
        let mut answers = self
            .client
            .exchange(way, commands.collect())
            .await?
            .into_iter();
        let Some(OpResult::Get(item)) = answers.next() else {
            return Err(unexpected());
        };
        let nonces = self.heard(&places, answers.skip(1), sent)?;
        let (generation, now) = (place.generation(&nonces), self.clock.now(sent));
        let found = Self::judge(&place.name, &item, generation, &now);
        Ok(matches!(found, Found::Live(_)))
    }

    /// Evicts everything in `scope` and below it.
    pub(super) async fn evict_scope(&self, way: Way, scope: &Scope) -> BackendResult<()> {
        let mark = self.names.mark(scope);
        let nonce = clock::nonce();
        let write = Self::write(&mark, scope.level().depth() == 0, nonce);
        let answers = self.client.exchange(way, vec![write.into()]).await?;
        if !answers.iter().all(applied) {
            return Err(unexpected());
        }
        self.remembered.insert(&mark, nonce);
        Ok(())
    }

    /// The item that holds `payload`. `None` if the value is too long for a header.
    fn item(
        &self,
        name: &str,
        payload: &Payload,
        generation: Generation,
        now: &Now,
    ) -> Option<Set> {
        let header = Header::new(payload.lifetime, now.moment(), generation);
        let mut set = Set::new(name, []).client_flags(VALUE);
        set.value = header.write(name, &payload.bytes)?;
        Some(set.ttl_raw(self.seconds(payload.lifetime, now)))
    }

    /// The item expiry for memcached of a value that lives for `lifetime` from now. The header decides whether the value counts; the
    /// item stays longer for the loads that began during its lifetime and know its number. Memcached may drop it up to a second early.
    pub(super) fn seconds(&self, lifetime: Option<Duration>, now: &Now) -> u32 {
        // memcached's value for "until evicted"
        const NEVER: u32 = 0;
        let Some(lifetime) = lifetime else {
            return NEVER;
        };
        let span = lifetime.as_secs().saturating_add(self.load_seconds() + 2);
        let date = if span <= u64::from(MOST_SECONDS) {
            Some(span)
        } else {
            now.date_in(span)
        };
        // beyond memcached's last date
        let known = date.filter(|&date| date <= u64::from(clock::HORIZON));
        known.and_then(|date| date.try_into().ok()).unwrap_or(NEVER)
    }

    fn too_large(&self, payload: &Payload) -> Box<dyn std::error::Error + Send + Sync> {
        let (len, most) = (payload.bytes.len(), self.max_value_bytes);
        Refused::new(format!("the value has {len} bytes, and {most} is the most")).into()
    }
}

/// Whether a write was done.
fn applied(answer: &OpResult) -> bool {
    matches!(answer, OpResult::Mutation(done) if done.applied())
}

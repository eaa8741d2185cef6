//! The operations of the backend.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cacheado_backends::backend::{
    Backend, BackendFuture, BackendResult, Change, Changes, Lease, Lookup, Mark, Payload,
};
use cacheado_backends::{Key, Scope};

use super::{ANYBODY, BETWEEN, Claim, Memory, Watcher, What, end_claim, read};
use crate::flaw::Flaw;
use crate::name::Place;

impl Backend for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn bind(&mut self, name: &str) {
        self.cache = match self.flaw {
            Some(Flaw::IgnoresNames) => String::new(),
            Some(Flaw::IgnoresCaseOfNames) => name.to_lowercase(),
            Some(Flaw::KeepsToTheInstance) => format!("{name} {}", self.instance),
            _ => name.to_owned(),
        };
    }

    fn watch(&self, changes: Changes) -> bool {
        self.held().watchers.push(Watcher {
            instance: self.instance,
            cache: self.cache.clone(),
            changes: changes.clone(),
        });
        changes.report(Change::Covered);
        true
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        let name = self.name_of(key);
        let mut held = self.held();
        let found = held.entries.get(&name).and_then(|entry| self.live(entry));
        if found.is_none() && self.has(Flaw::MarksEndWithLifetimes) {
            held.history.push(What::Entry(name));
        }
        Ok(match found {
            Some(payload) => Lookup::Hit(payload),
            None if self.has(Flaw::FindsWhatIsNotThere) => Lookup::Hit(Payload {
                bytes: Arc::default(),
                lifetime: None,
            }),
            None => Lookup::Miss(Self::mark_in(&held, 0)),
        })
    }

    fn get_value(&self, key: &Key) -> BackendResult<Lookup> {
        let found = self.get(key)?;
        let mut held = self.held();
        Ok(match found {
            Lookup::Miss(_) if self.has(Flaw::MarksNoneAlone) => Lookup::Miss(Mark::none()),
            Lookup::Hit(payload) if self.has(Flaw::KeepsTheFirstAlone) => {
                let first = held.found_alone.entry(self.name_of(key));
                Lookup::Hit(first.or_insert(payload).clone())
            }
            found => found,
        })
    }

    fn mark(&self, _key: &Key) -> BackendResult<Mark> {
        Ok(Self::mark_in(&self.held(), 0))
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        let name = self.name_of(key);
        if self.has(Flaw::StoresInTwoSteps) {
            let half = payload.bytes.len() / 2;
            let first = Payload {
                bytes: payload.bytes[..half].into(),
                lifetime: payload.lifetime,
            };
            self.store(&mut self.held(), &name, &first);
            sleep(BETWEEN);
        }
        self.store(&mut self.held(), &name, payload);
        self.note_set(key, name);
        Ok(())
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        let payload = self.endless_if(Flaw::FillsForEver, payload);
        Ok(self.fill_named(&self.name_of(key), &payload, mark))
    }

    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        let name = self.name_of(key);
        let mut held = self.held();
        let stands = match self.flaw {
            Some(Flaw::PutsNever) => false,
            Some(Flaw::PutsInAnyCase) => true,
            _ => self.stands(&held, &name, mark),
        };
        if stands {
            let payload = self.endless_if(Flaw::PutsForEver, payload);
            self.store(&mut held, &name, &payload);
        } else {
            held.entries.remove(&name);
        }
        drop(held);
        match self.flaw {
            Some(Flaw::RefusedPutsLeaveMarks) if !stands => self.tell(&Change::Key(key.clone())),
            Some(Flaw::TellsNoRefusedPuts) if !stands => {
                self.held().history.push(What::Entry(name));
            }
            _ => self.note_set(key, name),
        }
        Ok(stands)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        let name = self.name_of(key);
        let mut held = self.held();
        let entry = held.entries.get(&name);
        let alive = entry.is_some_and(|entry| self.live(entry).is_some());
        if entry.is_some() && !alive && self.has(Flaw::EvictingTheExpiredLeavesMarks) {
            return Ok(false);
        }
        if self.has(Flaw::EvictsInTwoSteps) {
            drop(held);
            sleep(BETWEEN);
            held = self.held();
        }
        if !self.has(Flaw::EvictsNothing) {
            held.entries.remove(&name);
        }
        held.history.push(What::Entry(name));
        drop(held);
        if !self.has(Flaw::TellsNoEvictions) {
            self.tell(&Change::Key(key.clone()));
        }
        Ok(alive)
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        let place = Place::of(&self.cache, scope, self.flaw);
        let mut held = self.held();
        let mut removed = 0;
        held.entries.retain(|name, entry| {
            let goes = place.contains(&name.place, self.flaw);
            if let Some(Flaw::EvictsAtMost(most)) = self.flaw
                && removed >= most
            {
                return true;
            }
            if goes && (self.live(entry).is_some() || self.has(Flaw::CountsExpired)) {
                let overwritten = self.has(Flaw::CountsOverwritten);
                removed += if overwritten { entry.stores } else { 1 };
            }
            !goes
        });
        if !self.has(Flaw::ScopesLeaveMarks) {
            held.history.push(What::Place(place));
        }
        drop(held);
        self.tell(&Change::Scope(scope.clone()));
        Ok(removed)
    }

    fn clear(&self) -> BackendResult<()> {
        let place = Place::of(&self.cache, &Scope::global(), self.flaw);
        let mut held = self.held();
        held.entries
            .retain(|name, _| !place.contains(&name.place, self.flaw));
        if !self.has(Flaw::ClearingLeavesMarks) {
            held.history.push(What::Place(place));
        }
        drop(held);
        if self.has(Flaw::LosesAllAfterClearing) {
            self.lost.store(true, Ordering::Relaxed);
        }
        if !self.has(Flaw::TellsNoClearing) {
            self.tell(&Change::All);
        }
        Ok(())
    }

    fn get_many(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        let mut found: Vec<Lookup> = keys
            .iter()
            .map(|key| self.get(key))
            .collect::<Result<_, _>>()?;
        for (key, found) in keys.iter().zip(&mut found) {
            let held = self.held();
            let stored = held.entries.get(&self.name_of(key));
            let stored = stored.map(|entry| entry.payload.clone());
            match (self.flaw, &*found, stored) {
                (Some(Flaw::ReadsManyExpired), Lookup::Miss(_), Some(stored))
                | (Some(Flaw::LeavesAllOfMany), Lookup::Hit(_), Some(stored)) => {
                    *found = Lookup::Hit(stored);
                }
                (Some(Flaw::MarksNoneOfMany), Lookup::Miss(_), _) => {
                    *found = Lookup::Miss(Mark::none());
                }
                _ => {}
            }
        }
        if self.has(Flaw::ReadsManyBackwards) {
            found.reverse();
        }
        Ok(found)
    }

    fn get_values(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        let found = keys.iter().map(|key| self.get_value(key));
        let mut found: Vec<Lookup> = found.collect::<Result<_, _>>()?;
        if self.has(Flaw::ReadsValuesBackwards) {
            found.reverse();
        }
        Ok(found)
    }

    fn set_many(&self, entries: &[(Key, Payload)]) -> BackendResult<()> {
        let count = if self.has(Flaw::StoresFirstOfMany) {
            1
        } else {
            entries.len()
        };
        let mut entries = entries.iter().take(count);
        entries.try_for_each(|(key, payload)| {
            self.set(key, &self.endless_if(Flaw::StoresManyForEver, payload))
        })
    }

    fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> BackendResult<Vec<bool>> {
        let filled = entries
            .iter()
            .enumerate()
            .map(|(nth, (key, payload, mark))| {
                let name = self.name_of(key);
                if self.has(Flaw::FillsFirstOfMany) && nth > 0 {
                    return true;
                }
                if self.has(Flaw::FillsManyInAnyCase) {
                    self.store(&mut self.held(), &name, payload);
                    return true;
                }
                let payload = self.endless_if(Flaw::FillsManyForEver, payload);
                self.fill_named(&name, &payload, mark)
            });
        Ok(filled.collect())
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        let name = self.name_of(key);
        let mut held = self.held();
        let now = Instant::now();
        if let Some(claim) = held.claims.get(&name)
            && !self.has(Flaw::ClaimsForAll)
        {
            let lasts = claim.until > now;
            if claim.owner == ANYBODY && (lasts || self.has(Flaw::GivesToAllForEver)) {
                return Ok(Lease::Granted(Self::mark_in(&held, ANYBODY)));
            }
            if lasts || self.has(Flaw::ClaimsNeverEnd) {
                return Ok(Lease::Taken);
            }
        }
        held.owners += 1;
        let claim = Claim {
            owner: held.owners,
            until: now + span,
        };
        let mark = Self::mark_in(&held, claim.owner);
        held.claims.insert(name, claim);
        Ok(Lease::Granted(mark))
    }

    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        let name = self.name_of(key);
        let mut held = self.held();
        match self.flaw {
            Some(Flaw::ReleasesNothing) => {}
            Some(Flaw::ReleasesForAnybody) => {
                held.claims.remove(&name);
            }
            _ => end_claim(&mut held, &name, read(mark).1),
        }
        Ok(())
    }

    fn release_to_all(&self, key: &Key, mark: &Mark, span: Duration) -> BackendResult<()> {
        if self.has(Flaw::GivesToNobodyElse) {
            return self.release(key, mark);
        }
        let mut held = self.held();
        let owner = read(mark).1;
        if let Some(claim) = held.claims.get_mut(&self.name_of(key))
            && (claim.owner == owner || self.has(Flaw::GivesWhatIsAnothers))
            && owner != ANYBODY
        {
            claim.owner = ANYBODY;
            claim.until = Instant::now() + span;
        }
        Ok(())
    }

    fn release_to_all_async<'a>(
        &'a self,
        key: &'a Key,
        mark: &'a Mark,
        span: Duration,
    ) -> BackendFuture<'a, ()> {
        Box::pin(ready(self.release_to_all(key, mark, span)))
    }

    fn set_async<'a>(&'a self, key: &'a Key, payload: &'a Payload) -> BackendFuture<'a, ()> {
        Box::pin(async move {
            if self.has(Flaw::YieldsToTheRuntime) {
                tokio::task::consume_budget().await;
            }
            self.set(key, payload)
        })
    }

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        if self.has(Flaw::FillsInAnyCaseAsync) {
            return Box::pin(async move { self.set_async(key, payload).await.map(|()| true) });
        }
        Box::pin(ready(self.fill(key, payload, mark)))
    }

    fn put_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        Box::pin(ready(self.put(key, payload, mark)))
    }

    fn evict_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, bool> {
        if self.has(Flaw::EvictsNothingAsync) {
            return Box::pin(ready(Ok(true)));
        }
        Box::pin(ready(self.evict(key)))
    }

    fn get_many_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        Box::pin(ready(self.get_many(keys)))
    }

    fn set_many_async<'a>(&'a self, entries: &'a [(Key, Payload)]) -> BackendFuture<'a, ()> {
        Box::pin(ready(self.set_many(entries)))
    }

    fn fill_many_async<'a>(
        &'a self,
        entries: &'a [(Key, Payload, Mark)],
    ) -> BackendFuture<'a, Vec<bool>> {
        Box::pin(ready(self.fill_many(entries)))
    }
}

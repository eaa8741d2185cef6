//! A backend in memory that does all there is to do, and one thing wrong if it is told to.

use std::collections::HashMap;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cacheado_backends::backend::{
    Backend, BackendFuture, BackendResult, Change, Changes, Lease, Lookup, Mark, Payload,
};
use cacheado_backends::{Key, Scope};

use crate::flaw::Flaw;
use crate::name::{Name, Place};

/// What instances share.
#[derive(Clone, Default)]
pub struct Store(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    entries: HashMap<Name, Entry>,
    /// All that was evicted and set since the beginning: a mark is how long it was.
    history: Vec<What>,
    claims: HashMap<Name, Claim>,
    watchers: Vec<Watcher>,
    instances: u64,
    owners: u64,
}

struct Entry {
    payload: Payload,
    stored: Instant,
    /// How often, since it was evicted.
    stores: u64,
}

#[derive(Clone)]
enum What {
    Entry(Name),
    Place(Place),
}

struct Claim {
    owner: u64,
    until: Instant,
}

struct Watcher {
    instance: u64,
    cache: String,
    changes: Changes,
}

/// One instance.
pub struct Memory {
    store: Store,
    cache: String,
    instance: u64,
    flaw: Option<Flaw>,
    /// What was worked on last.
    last: Mutex<Option<Name>>,
    lost: AtomicBool,
}

/// The time between two steps that should be one.
const BETWEEN: Duration = Duration::from_micros(200);

impl Memory {
    pub fn open(store: &Store, flaw: Option<Flaw>) -> Self {
        let mut held = store.0.lock().unwrap();
        held.instances += 1;
        Self {
            store: store.clone(),
            cache: String::new(),
            instance: held.instances,
            flaw,
            last: Mutex::default(),
            lost: AtomicBool::new(false),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.store.0.lock().unwrap()
    }

    fn name_of(&self, key: &Key) -> Name {
        let name = Name::of(&self.cache, key, self.flaw);
        if !self.has(Flaw::SharesKeys) {
            return name;
        }
        *self.last.lock().unwrap() = Some(name);
        sleep(BETWEEN);
        self.last.lock().unwrap().clone().unwrap()
    }

    /// What is left of `entry`; `None` if that is nothing.
    fn live(&self, entry: &Entry) -> Option<Payload> {
        let Some(lifetime) = entry.payload.lifetime else {
            return Some(entry.payload.clone());
        };
        let early = match self.flaw {
            Some(Flaw::NeverExpires) => return Some(entry.payload.clone()),
            Some(Flaw::TakesLongForDates) if lifetime > Duration::from_secs(30 * 86_400) => {
                return None;
            }
            Some(Flaw::ExpiresEarly(early)) => early,
            _ => Duration::ZERO,
        };
        let left = lifetime.checked_sub(entry.stored.elapsed() + early)?;
        let left = if self.has(Flaw::LeavesAll) {
            lifetime
        } else {
            left
        };
        let left = (!left.is_zero()).then_some(left)?;
        Some(Payload {
            bytes: Arc::clone(&entry.payload.bytes),
            lifetime: Some(left),
        })
    }

    fn store(&self, held: &mut Held, name: &Name, payload: &Payload) {
        let lost = match self.flaw {
            Some(Flaw::LosesGlobalEntries) => {
                Place::of(&self.cache, &Scope::global(), None) == name.place
            }
            Some(Flaw::LosesEmptyValues) => payload.bytes.is_empty(),
            Some(Flaw::KeepsTheFirstValue) => held.entries.contains_key(name),
            _ => self.lost.load(Ordering::Relaxed),
        };
        if lost {
            return;
        }
        let mut payload = payload.clone();
        if let Some(Flaw::CutsValues(len)) = self.flaw {
            payload.bytes = payload.bytes.iter().copied().take(len).collect();
        }
        let before = held.entries.get(name);
        if let (Some(before), true) = (before, self.has(Flaw::KeepsTheFirstLifetime)) {
            payload.lifetime = before.payload.lifetime;
        }
        let entry = Entry {
            payload,
            stored: Instant::now(),
            stores: before.map_or(0, |before| before.stores) + 1,
        };
        held.entries.insert(name.clone(), entry);
    }

    fn mark_in(held: &Held, owner: u64) -> Mark {
        let bytes = [held.history.len() as u64, owner].map(u64::to_le_bytes);
        Mark::new(bytes.concat(), Instant::now())
    }

    /// Whether what the mark was taken for may be stored: undisturbed, and by who holds the claim if it was claimed.
    fn stands(&self, held: &Held, name: &Name, mark: &Mark) -> bool {
        let (began, owner) = read(mark);
        let began = match self.flaw {
            Some(Flaw::MarksAreForEver) => 0,
            _ => began,
        };
        let mut since = held.history.iter().skip(began);
        let disturbed = match self.flaw {
            Some(Flaw::MarksAreOfTheStore) => since.next().is_some(),
            Some(Flaw::ClaimsOutdoEvictions) if owner > 0 => false,
            _ => since.any(|what| match what {
                What::Entry(other) => other == name,
                What::Place(place) => place.contains(&name.place, self.flaw),
            }),
        };
        let claim = held.claims.get(name);
        let owned = owner == 0
            || self.has(Flaw::IgnoresOwners)
            || claim.is_some_and(|claim| claim.owner == owner);
        !disturbed && owned
    }

    fn fill_named(&self, name: &Name, payload: &Payload, mark: &Mark) -> bool {
        let mut held = self.held();
        let stands = match self.flaw {
            Some(Flaw::FillsNever) => false,
            Some(Flaw::FillsInAnyCase) => true,
            _ => self.stands(&held, name, mark),
        };
        if self.has(Flaw::FillsInTwoSteps) {
            drop(held);
            sleep(BETWEEN);
            held = self.held();
        }
        if stands {
            self.store(&mut held, name, payload);
        }
        if !self.has(Flaw::ClaimsOutlastLoads) {
            end_claim(&mut held, name, read(mark).1);
        }
        stands
    }

    /// Reports a change to all other instances for the cache.
    fn tell(&self, change: &Change) {
        let changes: Vec<Changes> = {
            let held = self.held();
            let concerned = held.watchers.iter().filter(|watcher| {
                let cache = watcher.cache == self.cache || self.has(Flaw::TellsOfOtherCaches);
                let other = watcher.instance != self.instance || self.has(Flaw::TellsOneself);
                cache && other
            });
            concerned.map(|watcher| watcher.changes.clone()).collect()
        };
        for watcher in changes {
            watcher.report(change.clone());
        }
    }

    /// Notes and tells that `key` was set.
    fn note_set(&self, key: &Key, name: Name) {
        if !self.has(Flaw::SettingLeavesMarks) {
            self.held().history.push(What::Entry(name));
        }
        if !self.has(Flaw::TellsNoSets) {
            self.tell(&Change::Key(key.clone()));
        }
    }
}

/// How long the history was, and who claimed the load; 0 for nobody.
fn read(mark: &Mark) -> (usize, u64) {
    let (numbers, _) = mark.bytes().as_chunks::<8>();
    let number = |nth: usize| {
        numbers
            .get(nth)
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    (number(0) as usize, number(1))
}

fn end_claim(held: &mut Held, name: &Name, owner: u64) {
    if held
        .claims
        .get(name)
        .is_some_and(|claim| claim.owner == owner)
    {
        held.claims.remove(name);
    }
}

impl Backend for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn bind(&mut self, name: &str) {
        self.cache = match self.flaw {
            Some(Flaw::IgnoresNames) => String::new(),
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
        let held = self.held();
        let found = held.entries.get(&name).and_then(|entry| self.live(entry));
        Ok(match found {
            Some(payload) => Lookup::Hit(payload),
            None if self.has(Flaw::FindsWhatIsNotThere) => Lookup::Hit(Payload {
                bytes: Arc::default(),
                lifetime: None,
            }),
            None => Lookup::Miss(Self::mark_in(&held, 0)),
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
        Ok(self.fill_named(&self.name_of(key), payload, mark))
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
            self.store(&mut held, &name, payload);
        } else {
            held.entries.remove(&name);
        }
        drop(held);
        self.note_set(key, name);
        Ok(stands)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        let name = self.name_of(key);
        let mut held = self.held();
        let alive = held
            .entries
            .get(&name)
            .is_some_and(|entry| self.live(entry).is_some());
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
        if self.has(Flaw::ReadsManyBackwards) {
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
        entries.try_for_each(|(key, payload)| self.set(key, payload))
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
                self.fill_named(&name, payload, mark)
            });
        Ok(filled.collect())
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        let name = self.name_of(key);
        let mut held = self.held();
        let now = Instant::now();
        if let Some(claim) = held.claims.get(&name)
            && (claim.until > now || self.has(Flaw::ClaimsNeverEnd))
            && !self.has(Flaw::ClaimsForAll)
        {
            return Ok(Lease::Taken);
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

//! An in-memory backend with all operations, and one flaw if requested.

mod operations;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cacheado_backends::backend::{Change, Changes, Mark, Payload};
use cacheado_backends::{Key, Scope};

use crate::flaw::Flaw;
use crate::name::{Name, Place};

/// The state that instances share.
#[derive(Clone, Default)]
pub struct Store(Arc<Mutex<Held>>);

impl Store {
    /// The number of entries, of all caches.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().entries.len()
    }
}

#[derive(Default)]
struct Held {
    entries: HashMap<Name, Entry>,
    /// All evictions and sets since the beginning. A mark is a length of this history.
    history: Vec<What>,
    claims: HashMap<Name, Claim>,
    /// The first value that `get_value` found for each entry.
    found_alone: HashMap<Name, Payload>,
    watchers: Vec<Watcher>,
    instances: u64,
    owners: u64,
}

struct Entry {
    payload: Payload,
    stored: Instant,
    /// The number of stores since the last eviction.
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

/// One instance of the backend.
pub struct Memory {
    store: Store,
    cache: String,
    instance: u64,
    flaw: Option<Flaw>,
    /// The entry that was worked on last.
    last: Mutex<Option<Name>>,
    lost: AtomicBool,
}

/// The time between two steps that should be atomic.
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

    /// The remaining payload of `entry`, or `None` if it has expired.
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

    /// `payload` without a lifetime if the backend has `flaw`.
    fn endless_if(&self, flaw: Flaw, payload: &Payload) -> Payload {
        let mut payload = payload.clone();
        if self.has(flaw) {
            payload.lifetime = None;
        }
        payload
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

    /// Whether a value loaded under `mark` may be stored: nothing has invalidated it, and its claim, if any, is still held.
    fn stands(&self, held: &Held, name: &Name, mark: &Mark) -> bool {
        let (began, owner) = read(mark);
        let began = match self.flaw {
            Some(Flaw::MarksAreForEver) => 0,
            Some(Flaw::RemembersEvictions(most)) => {
                began.max(held.history.len().saturating_sub(most))
            }
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
        let outlasts = match self.flaw {
            Some(Flaw::ClaimsOutlastLoads) => true,
            Some(Flaw::ClaimsOutlastRefusals) => !stands,
            _ => false,
        };
        if !outlasts {
            end_claim(&mut held, name, read(mark).1);
        }
        stands
    }

    /// Reports a change to all other instances of this cache.
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

    /// Records and reports that `key` was set.
    fn note_set(&self, key: &Key, name: Name) {
        if !self.has(Flaw::SettingLeavesMarks) {
            self.held().history.push(What::Entry(name));
        }
        if !self.has(Flaw::TellsNoSets) {
            self.tell(&Change::Key(key.clone()));
        }
    }
}

/// The owner of a claim open to all; in a mark, the absence of a claim.
const ANYBODY: u64 = 0;

/// The history length and the owner of the claim in `mark`.
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

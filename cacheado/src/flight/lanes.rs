//! The loads of one cache, by key. The load that others may join is its lane's `current`. Loads that no caller joins stand beside it,
//! because an invalidation must reach them too: a refresh, a put, a waiter that went on alone, a leader that was overtaken, a load
//! that began before changes of other processes were reported reliably.

use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::{Key, Scope};
use hashbrown::HashTable;
use hashbrown::hash_table::{AbsentEntry, Entry, OccupiedEntry};

use super::under_way::Changing;
use super::{Boarding, Flight, FlightKind, Seat, Standing, Ticket};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::way::Way;

const SHARDS: usize = 16;

/// A shard shrinks its table only if the capacity exceeds eight times its length by more than this.
const SLACK: usize = 64;

/// The loads of one cache.
pub(crate) struct Flights {
    shards: [Mutex<Lanes>; SHARDS],
    /// The changes to many keys that are under way.
    pub(super) changing: Changing,
    /// How long waiters wait for a leader that is not polled.
    timeout: Duration,
}

/// The lanes of one shard, by the hashes that their keys carry.
#[derive(Default)]
struct Lanes {
    by_key: HashTable<Lane>,
    /// How many loads have begun.
    begun: u64,
    /// A finished flight that only its leader referenced. The next load reuses its allocation.
    spare: Option<Arc<Flight>>,
}

/// The loads of one key.
struct Lane {
    key: Key,
    current: Option<Arc<Flight>>,
    /// The current load has had a waiter.
    joined: bool,
    beside: Vec<Arc<Flight>>,
}

impl Flights {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            changing: Changing::default(),
            timeout,
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How many keys are being loaded.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| lock(shard).by_key.len())
            .sum()
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Lanes> {
        lock(&self.shards[(key.hash() >> 40) as usize % SHARDS])
    }

    fn ticket(self: &Arc<Self>, key: &Key, flight: Arc<Flight>) -> Ticket {
        Ticket::new(Arc::clone(self), key.clone(), flight)
    }

    /// Joins the load of `key` that is under way, or begins one. `way` says whether the caller is a thread or a future.
    pub(crate) fn board(self: &Arc<Self>, key: &Key, way: Way) -> Boarding {
        let mut lanes = self.shard(key);
        let lanes = &mut *lanes;
        let lane = lane_of(&mut lanes.by_key, key);
        if let Some(current) = &lane.current {
            lane.joined = true;
            return Boarding::Wait(Seat::take(self, key, current));
        }
        let flight = begin(&mut lanes.begun, lanes.spare.take(), FlightKind::Load, way);
        self.changing.reach(key, &flight);
        lane.join(&flight);
        lane.current = Some(Arc::clone(&flight));
        lane.joined = false;
        Boarding::Lead(self.ticket(key, flight))
    }

    /// Begins a load that no caller joins.
    pub(crate) fn beside(self: &Arc<Self>, key: &Key, kind: FlightKind, way: Way) -> Ticket {
        let mut lanes = self.shard(key);
        let lanes = &mut *lanes;
        let flight = begin(&mut lanes.begun, lanes.spare.take(), kind, way);
        self.changing.reach(key, &flight);
        let lane = lane_of(&mut lanes.by_key, key);
        lane.join(&flight);
        lane.beside.push(Arc::clone(&flight));
        self.ticket(key, flight)
    }

    /// Makes every load of `key` that began before discard its value, then runs `change` before another load can begin.
    pub(crate) fn invalidate<R>(&self, key: &Key, change: impl FnOnce() -> R) -> R {
        let mut lanes = self.shard(key);
        if let Some(lane) = lanes.remove(key) {
            lane.worsen(Standing::Outdated);
        }
        change()
    }

    /// Makes every load in `scope` and below it that began before discard its value.
    pub(super) fn invalidate_scope(&self, scope: &Scope) {
        for shard in &self.shards {
            let mut lanes = lock(shard);
            lanes.by_key.retain(|lane| {
                let hit = scope.contains(&lane.key.scope());
                if hit {
                    lane.worsen(Standing::Outdated);
                }
                !hit
            });
            lanes.trim();
        }
    }

    /// Applies `standing` to all loads under way, and lets no new caller join them. Later changes still reach them.
    pub(super) fn part_with(&self, standing: Standing) {
        for shard in &self.shards {
            for lane in &mut lock(shard).by_key {
                lane.worsen(standing);
                lane.beside.extend(lane.current.take());
            }
        }
    }

    /// Removes `flight` from its lane and leaves the others. Returns whether it may have waiters.
    pub(super) fn deregister(&self, key: &Key, flight: &Arc<Flight>) -> bool {
        let mut lanes = self.shard(key);
        let lanes = &mut *lanes;
        // after an invalidation the lane may be gone, or be a new one
        let Ok(mut found) = find_in(&mut lanes.by_key, key) else {
            return true;
        };
        let lane = found.get_mut();
        let mut joined = true;
        if lane.is_led_by(flight) {
            joined = lane.joined;
            let over = lane.current.take();
            if !joined {
                lanes.spare = over;
            }
        } else {
            lane.beside.retain(|other| !Arc::ptr_eq(other, flight));
        }
        if lane.current.is_none() && lane.beside.is_empty() {
            found.remove();
            lanes.trim();
        }
        joined
    }

    /// Moves `flight` beside the lane if it is current, so that another load can lead.
    pub(super) fn overtake(&self, key: &Key, flight: &Arc<Flight>) {
        let mut lanes = self.shard(key);
        if let Ok(mut found) = lanes.find(key)
            && found.get().is_led_by(flight)
        {
            let lane = found.get_mut();
            lane.beside.extend(lane.current.take());
        }
    }

    /// Makes the loads of `key` that began before `flight` store nothing any more, because its value is newer. Puts are not affected.
    pub(super) fn supersede(&self, key: &Key, flight: &Flight) {
        let mut lanes = self.shard(key);
        let Ok(lane) = lanes.find(key) else { return };
        let is_older =
            |other: &&Arc<Flight>| other.kind == FlightKind::Load && other.number < flight.number;
        for older in lane.get().all().filter(is_older) {
            lock(&older.state).superseded = true;
        }
    }

    /// Makes all other loads of `key` discard their values, and lets no new caller join them. Then runs `put` before another load can
    /// begin, and returns its result.
    pub(super) fn supplant<R>(
        &self,
        key: &Key,
        flight: &Arc<Flight>,
        put: impl FnOnce() -> R,
    ) -> R {
        let mut lanes = self.shard(key);
        let lane = lane_of(&mut lanes.by_key, key);
        for other in lane.all().filter(|other| !Arc::ptr_eq(other, flight)) {
            lock(&other.state).worsen(Standing::Outdated);
        }
        // after an eviction `flight` is in no lane; it must be reachable again while the shared tier is told
        lane.current = None;
        lane.beside.clear();
        lane.beside.push(Arc::clone(flight));
        put()
    }
}

impl Lanes {
    fn find(&mut self, key: &Key) -> Result<OccupiedEntry<'_, Lane>, AbsentEntry<'_, Lane>> {
        find_in(&mut self.by_key, key)
    }

    fn remove(&mut self, key: &Key) -> Option<Lane> {
        let lane = self.find(key).ok()?.remove().0;
        self.trim();
        Some(lane)
    }

    /// Shrinks the table after a peak.
    fn trim(&mut self) {
        let many = self.by_key.len();
        if many * 8 + SLACK < self.by_key.capacity() {
            self.by_key.shrink_to(many * 2, |lane| lane.key.hash());
        }
    }
}

fn find_in<'a>(
    lanes: &'a mut HashTable<Lane>,
    key: &Key,
) -> Result<OccupiedEntry<'a, Lane>, AbsentEntry<'a, Lane>> {
    lanes.find_entry(key.hash(), |lane| lane.key == *key)
}

/// The lane of `key`, created if there is none.
fn lane_of<'a>(lanes: &'a mut HashTable<Lane>, key: &Key) -> &'a mut Lane {
    let is_it = |lane: &Lane| lane.key == *key;
    match lanes.entry(key.hash(), is_it, |lane| lane.key.hash()) {
        Entry::Occupied(lane) => lane.into_mut(),
        Entry::Vacant(place) => {
            let lane = Lane {
                key: key.clone(),
                current: None,
                joined: false,
                beside: Vec::new(),
            };
            place.insert(lane).into_mut()
        }
    }
}

/// Begins a load numbered after the `begun` ones. It reuses `spare` if nothing else references that.
fn begin(begun: &mut u64, spare: Option<Arc<Flight>>, kind: FlightKind, way: Way) -> Arc<Flight> {
    *begun += 1;
    if let Some(mut spare) = spare
        && let Some(flight) = Arc::get_mut(&mut spare)
    {
        flight.begin(*begun, kind, way);
        return spare;
    }
    let mut flight = Flight::default();
    flight.begin(*begun, kind, way);
    Arc::new(flight)
}

impl Lane {
    fn all(&self) -> impl Iterator<Item = &Arc<Flight>> {
        self.current.iter().chain(&self.beside)
    }

    fn is_led_by(&self, flight: &Arc<Flight>) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| Arc::ptr_eq(current, flight))
    }

    /// Marks `flight`, which is about to enter the lane, and the flights in it as accompanied.
    fn join(&self, flight: &Flight) {
        let mut others = self.all();
        if let Some(other) = others.next() {
            lock(&flight.state).accompanied = true;
            if others.next().is_none() {
                // if there are two or more, they have been marked already
                lock(&other.state).accompanied = true;
            }
        }
    }

    fn worsen(&self, standing: Standing) {
        for flight in self.all() {
            lock(&flight.state).worsen(standing);
        }
    }
}

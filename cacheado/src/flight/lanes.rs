//! The loads of one cache, by key. The one that others may join is its lane's `current`; loads that nobody joins (a refresh, a
//! put, a waiter that went on alone, a leader that was overtaken) stand beside it, since an invalidation must reach them too.

use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::{Key, Scope};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::{Boarding, Flight, FlightKind, Seat, Ticket};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};

const SHARDS: usize = 16;

/// The loads of one cache.
pub(crate) struct Flights {
    shards: [Mutex<Lanes>; SHARDS],
    next: AtomicU64,
    /// How long a leader that is not polled is waited for.
    timeout: Duration,
}

/// The lanes of one shard, by the hashes that their keys have already.
#[derive(Default)]
struct Lanes(HashTable<Lane>);

/// The loads of one key.
struct Lane {
    key: Key,
    current: Option<Arc<Flight>>,
    beside: Vec<Arc<Flight>>,
}

impl Flights {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            next: AtomicU64::new(0),
            timeout,
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How many keys are being loaded.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).0.len()).sum()
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Lanes> {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "taken modulo the number of shards"
        )]
        lock(&self.shards[(key.hash() >> 40) as usize % SHARDS])
    }

    fn flight(&self, kind: FlightKind, blocking: bool) -> Arc<Flight> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Flight::new(number, kind, blocking)
    }

    fn ticket(self: &Arc<Self>, key: &Key, flight: Arc<Flight>) -> Ticket {
        Ticket::new(Arc::clone(self), key.clone(), flight)
    }

    /// Joins the load of `key` that is under way, or begins one. `blocking`: the caller is a thread, not a future.
    pub(crate) fn board(self: &Arc<Self>, key: &Key, blocking: bool) -> Boarding {
        let mut lanes = self.shard(key);
        let lane = lanes.lane(key);
        if let Some(current) = &lane.current {
            return Boarding::Wait(Seat::take(self, key, current));
        }
        let flight = self.flight(FlightKind::Load, blocking);
        lane.join(&flight);
        lane.current = Some(Arc::clone(&flight));
        Boarding::Lead(self.ticket(key, flight))
    }

    /// Begins what nobody joins.
    pub(crate) fn beside(self: &Arc<Self>, key: &Key, kind: FlightKind, blocking: bool) -> Ticket {
        let flight = self.flight(kind, blocking);
        let mut lanes = self.shard(key);
        let lane = lanes.lane(key);
        lane.join(&flight);
        lane.beside.push(Arc::clone(&flight));
        self.ticket(key, flight)
    }

    /// Makes every load of `key` that began before forget its value, and then runs `change`, before any other can begin.
    pub(crate) fn invalidate<R>(&self, key: &Key, change: impl FnOnce() -> R) -> R {
        let mut lanes = self.shard(key);
        if let Some(lane) = lanes.remove(key) {
            lane.invalidate();
        }
        change()
    }

    /// The same for all keys in `scope` and below it.
    pub(crate) fn invalidate_scope(&self, scope: &Scope) {
        for shard in &self.shards {
            lock(shard).0.retain(|lane| {
                let hit = scope.contains(&lane.key.scope());
                if hit {
                    lane.invalidate();
                }
                !hit
            });
        }
    }

    /// Takes `flight` out of its lane, whose others stay.
    pub(super) fn deregister(&self, key: &Key, flight: &Arc<Flight>) {
        let mut lanes = self.shard(key);
        // after an invalidation the lane may be gone, or another's
        let Ok(mut found) = lanes.find(key) else {
            return;
        };
        let lane = found.get_mut();
        if lane.is_led_by(flight) {
            lane.current = None;
        }
        lane.beside.retain(|other| !Arc::ptr_eq(other, flight));
        if lane.current.is_none() && lane.beside.is_empty() {
            found.remove();
        }
    }

    /// Puts `flight` beside the lane, so that another can lead, if it still leads.
    pub(super) fn overtake(&self, key: &Key, flight: &Arc<Flight>) {
        let mut lanes = self.shard(key);
        if let Ok(mut found) = lanes.find(key)
            && found.get().is_led_by(flight)
        {
            let lane = found.get_mut();
            lane.beside.extend(lane.current.take());
        }
    }

    /// Makes the loads of `key` that began before `flight` forget their values: its own is newer. What is being put stays.
    pub(super) fn supersede(&self, key: &Key, flight: &Flight) {
        let mut lanes = self.shard(key);
        let Ok(lane) = lanes.find(key) else { return };
        let is_older =
            |other: &&Arc<Flight>| other.kind == FlightKind::Load && other.number < flight.number;
        for older in lane.get().all().filter(is_older) {
            lock(&older.state).valid = false;
        }
    }

    /// Makes all other loads of `key` forget their values, and nobody join them any more; then runs `put`, before any other can
    /// begin. Returns what `put` returned.
    pub(super) fn supplant<R>(
        &self,
        key: &Key,
        flight: &Arc<Flight>,
        put: impl FnOnce() -> R,
    ) -> R {
        let mut lanes = self.shard(key);
        let lane = lanes.lane(key);
        for other in lane.all().filter(|other| !Arc::ptr_eq(other, flight)) {
            lock(&other.state).valid = false;
        }
        // after an eviction it has no lane: it is to be reached again, while the shared tier is told
        lane.current = None;
        lane.beside.clear();
        lane.beside.push(Arc::clone(flight));
        put()
    }
}

impl Lanes {
    fn find(
        &mut self,
        key: &Key,
    ) -> Result<
        hashbrown::hash_table::OccupiedEntry<'_, Lane>,
        hashbrown::hash_table::AbsentEntry<'_, Lane>,
    > {
        self.0.find_entry(key.hash(), |lane| lane.key == *key)
    }

    fn remove(&mut self, key: &Key) -> Option<Lane> {
        self.find(key).ok().map(|found| found.remove().0)
    }

    /// The lane of `key`, which is made if there is none.
    fn lane(&mut self, key: &Key) -> &mut Lane {
        let is_it = |lane: &Lane| lane.key == *key;
        match self.0.entry(key.hash(), is_it, |lane| lane.key.hash()) {
            Entry::Occupied(lane) => lane.into_mut(),
            Entry::Vacant(place) => {
                let lane = Lane {
                    key: key.clone(),
                    current: None,
                    beside: Vec::new(),
                };
                place.insert(lane).into_mut()
            }
        }
    }
}

impl Lane {
    fn all(&self) -> impl Iterator<Item = &Arc<Flight>> {
        self.current.iter().chain(&self.beside)
    }

    fn is_led_by(&self, flight: &Arc<Flight>) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| Arc::ptr_eq(current, flight))
    }

    /// Tells `flight`, which is about to come in, and those that are in that they are not alone.
    fn join(&self, flight: &Flight) {
        let mut others = self.all();
        if let Some(other) = others.next() {
            lock(&flight.state).accompanied = true;
            if others.next().is_none() {
                // where there are two, both have been told
                lock(&other.state).accompanied = true;
            }
        }
    }

    fn invalidate(&self) {
        for flight in self.all() {
            lock(&flight.state).valid = false;
        }
    }
}

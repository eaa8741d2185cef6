//! An external store that is inside the process: the simplest shared tier, with marks, claims and reports. Each clone is another
//! client of the store, as another process would have.

use std::collections::HashMap;
use std::future::ready;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cacheado::backends::{
    Backend, BackendFuture, BackendResult, Change, Changes, Lease, Lookup, Mark, Payload, Refused,
};
use cacheado::testing::ManualClock;
use cacheado::{Cache, CacheBuilder, Key, Scope};

/// One client of a store.
pub struct Client {
    store: Arc<Store>,
    id: u64,
}

/// The state that all clients share.
#[derive(Default)]
pub struct Store {
    /// The time of the store and of all its caches.
    pub clock: ManualClock,
    /// The store can't be reached.
    pub down: AtomicBool,
    /// Clients that begin to watch are not told of changes.
    pub silent: AtomicBool,
    /// Of concurrent loads, the first one that is stored outdates the others, as in a store where an entry's number is its mark.
    pub first_wins: AtomicBool,
    /// The store refuses all requests.
    pub refuses: AtomicBool,
    /// Runs while the store evicts a scope or everything: the topmost entries are gone by then, and those below are not. Or runs after
    /// the store has evicted a key, before it answers.
    pub halfway: Mutex<Option<Hook>>,
    state: Mutex<State>,
    clients: AtomicU64,
}

/// Something that happens once.
pub type Hook = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    entries: HashMap<Key, Stored>,
    /// Incremented by everything that outdates loads. `keys` and `scopes` hold the last such number of each.
    generation: u64,
    keys: HashMap<Key, u64>,
    scopes: HashMap<Scope, u64>,
    leases: HashMap<Key, Owner>,
    owners: u64,
    listeners: Vec<(u64, Changes)>,
    asked: Vec<&'static str>,
}

struct Stored {
    bytes: Arc<[u8]>,
    until: Option<Duration>,
}

/// The owner of a claim that is open to everybody. In a mark, it means that there is no owner.
const ANYBODY: u64 = 0;

struct Owner {
    number: u64,
    until: Duration,
}

/// The owner that the mark names.
fn owner(mark: &Mark) -> u64 {
    let owner = mark.bytes().last_chunk().copied();
    owner.map_or(ANYBODY, u64::from_le_bytes)
}

impl State {
    fn is_current(&self, key: &Key, mark: &Mark) -> bool {
        let Some(generation) = mark.bytes().first_chunk() else {
            return false;
        };
        let since = u64::from_le_bytes(*generation);
        let owns = owner(mark) == ANYBODY || self.owns(key, mark);
        let old = |(scope, at): (&Scope, &u64)| *at > since && scope.contains(&key.scope());
        owns && self.keys.get(key).is_none_or(|at| *at <= since) && !self.scopes.iter().any(old)
    }

    /// Whether the claim is the mark's. Evictions don't end claims.
    fn owns(&self, key: &Key, mark: &Mark) -> bool {
        let owner = owner(mark);
        owner != ANYBODY && self.leases.get(key).is_some_and(|it| it.number == owner)
    }

    fn mark(&self, owner: u64) -> Mark {
        let bytes = [self.generation.to_le_bytes(), owner.to_le_bytes()].concat();
        Mark::new(bytes, Instant::now())
    }

    fn outdate(&mut self, key: &Key) {
        self.generation += 1;
        self.keys.insert(key.clone(), self.generation);
    }
}

impl Client {
    /// The first client of a new store.
    #[must_use]
    pub fn new() -> Self {
        let store = Arc::new(Store::default());
        Self { store, id: 0 }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The requests of all clients since the last call of this.
    pub fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().asked)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of all keys.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let ids = |key: &Key| key.scope().ids().map(str::to_owned).collect::<Vec<_>>();
        self.state().entries.keys().flat_map(ids).collect()
    }

    /// Cuts off the last byte of each entry.
    pub fn cut_short(&self) {
        for stored in self.state().entries.values_mut() {
            let len = stored.bytes.len().saturating_sub(1);
            stored.bytes = stored.bytes[..len].into();
        }
    }

    /// Loses all entries and all state, as if an operator had deleted them. Loads that began before are not stored.
    pub fn forget(&self) {
        let mut state = self.state();
        let generation = state.generation + 1;
        *state = State {
            generation,
            owners: state.owners,
            listeners: std::mem::take(&mut state.listeners),
            scopes: HashMap::from([(Scope::global(), generation)]),
            ..State::default()
        };
    }

    /// A builder for a cache of its own, as another process would have.
    pub fn builder(&self) -> CacheBuilder {
        let builder = Cache::builder().clock(self.store.clock.clone());
        builder.backend(self.clone())
    }

    /// A cache of its own, as another process would have.
    ///
    /// # Panics
    ///
    /// Never: the configuration is valid.
    #[must_use]
    pub fn cache(&self) -> Cache {
        self.builder().build().expect("it makes sense")
    }

    /// Reports `change` to all clients, as if it came from elsewhere.
    pub fn report(&self, change: &Change) {
        let listeners = self.state().listeners.clone();
        for (_, listener) in &listeners {
            listener.report(change.clone());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.store
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, what: &'static str) -> BackendResult<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.asked.push(what);
        if self.store.down.load(Ordering::SeqCst) {
            return Err("the wire is cut".into());
        }
        if self.store.refuses.load(Ordering::SeqCst) {
            return Err(Refused::new("no room").into());
        }
        Ok(state)
    }

    /// The rest of a lifetime that lasts `until` then, or without end; `None` if it is over.
    fn left(&self, until: Option<Duration>) -> Option<Option<Duration>> {
        let Some(until) = until else {
            return Some(None);
        };
        let left = until.checked_sub(self.store.clock.elapsed())?;
        (!left.is_zero()).then_some(Some(left))
    }

    fn insert(&self, state: &mut State, key: &Key, payload: &Payload) {
        let until = payload.lifetime.map(|it| self.store.clock.elapsed() + it);
        let bytes = Arc::clone(&payload.bytes);
        state.entries.insert(key.clone(), Stored { bytes, until });
    }

    /// Removes the entries in `scope`. Returns how many of them were live.
    fn remove<'a>(&'a self, mut state: MutexGuard<'a, State>, scope: &Scope) -> u64 {
        state.generation += 1;
        let generation = state.generation;
        state.scopes.insert(scope.clone(), generation);
        let Some(halfway) = self.halfway() else {
            return self.remove_if(&mut state, |key| scope.contains(&key.scope()));
        };
        let depth = |key: &Key| key.scope().ids().count();
        let gone = state
            .entries
            .keys()
            .filter(|key| scope.contains(&key.scope()));
        let highest = gone.map(depth).min().unwrap_or(0);
        let count = self.remove_if(&mut state, |key| {
            scope.contains(&key.scope()) && depth(key) == highest
        });
        drop(state);
        halfway();
        let below = |key: &Key| scope.contains(&key.scope()) && depth(key) > highest;
        count + self.remove_if(&mut self.state(), below)
    }

    fn halfway(&self) -> Option<Hook> {
        self.store.halfway.lock().expect("unpoisoned").take()
    }

    fn remove_if(&self, state: &mut State, is_it: impl Fn(&Key) -> bool) -> u64 {
        let gone = state.entries.extract_if(|key, _| is_it(key));
        gone.filter(|(_, it)| self.left(it.until).is_some()).count() as u64
    }

    /// Reports `change` to the other clients, in the form in which other processes get it.
    fn tell(&self, state: MutexGuard<'_, State>, change: &Change) {
        let listeners = state.listeners.clone();
        drop(state);
        let heard = change
            .to_bytes()
            .and_then(|bytes| Change::from_bytes(&bytes));
        let Some(heard) = heard else { return };
        for (_, listener) in listeners.iter().filter(|(id, _)| *id != self.id) {
            listener.report(heard.clone());
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Client {
    fn clone(&self) -> Self {
        let id = self.store.clients.fetch_add(1, Ordering::Relaxed) + 1;
        let store = Arc::clone(&self.store);
        Self { store, id }
    }
}

impl Backend for Client {
    fn name(&self) -> &'static str {
        "store"
    }

    fn watch(&self, changes: Changes) -> bool {
        if self.store.silent.load(Ordering::SeqCst) {
            return false;
        }
        changes.report(Change::Covered);
        self.state().listeners.push((self.id, changes));
        true
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        let state = self.begin("get")?;
        let stored = state.entries.get(key);
        let live = stored.and_then(|it| Some((Arc::clone(&it.bytes), self.left(it.until)?)));
        Ok(match live {
            Some((bytes, lifetime)) => Lookup::Hit(Payload { bytes, lifetime }),
            None => Lookup::Miss(state.mark(ANYBODY)),
        })
    }

    fn mark(&self, _: &Key) -> BackendResult<Mark> {
        Ok(self.begin("mark")?.mark(ANYBODY))
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        let mut state = self.begin("set")?;
        state.outdate(key);
        self.insert(&mut state, key, payload);
        self.tell(state, &Change::Key(key.clone()));
        Ok(())
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        let mut state = self.begin("fill")?;
        let current = state.is_current(key, mark);
        if state.owns(key, mark) {
            state.leases.remove(key);
        }
        if current {
            if self.store.first_wins.load(Ordering::SeqCst) {
                state.outdate(key);
            }
            self.insert(&mut state, key, payload);
        }
        Ok(current)
    }

    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        let mut state = self.begin("put")?;
        let current = state.is_current(key, mark);
        state.outdate(key);
        if current {
            self.insert(&mut state, key, payload);
        } else {
            state.entries.remove(key);
        }
        self.tell(state, &Change::Key(key.clone()));
        Ok(current)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        let mut state = self.begin("evict")?;
        state.outdate(key);
        let removed = state.entries.remove(key);
        self.tell(state, &Change::Key(key.clone()));
        if let Some(halfway) = self.halfway() {
            halfway();
        }
        Ok(removed.is_some_and(|it| self.left(it.until).is_some()))
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        let count = self.remove(self.begin("evict by scope")?, scope);
        self.tell(self.state(), &Change::Scope(scope.clone()));
        Ok(count)
    }

    fn clear(&self) -> BackendResult<()> {
        self.remove(self.begin("clear")?, &Scope::global());
        self.tell(self.state(), &Change::All);
        Ok(())
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        let mut state = self.begin("lease")?;
        let now = self.store.clock.elapsed();
        match state.leases.get(key).filter(|it| now < it.until) {
            Some(claim) if claim.number == ANYBODY => {
                return Ok(Lease::Granted(state.mark(ANYBODY)));
            }
            Some(_) => return Ok(Lease::Taken),
            None => {}
        }
        state.owners += 1;
        let number = state.owners;
        let until = now.saturating_add(span);
        state.leases.insert(key.clone(), Owner { number, until });
        Ok(Lease::Granted(state.mark(number)))
    }

    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        let mut state = self.begin("release")?;
        if state.owns(key, mark) {
            state.leases.remove(key);
        }
        Ok(())
    }

    fn release_to_all(&self, key: &Key, mark: &Mark, span: Duration) -> BackendResult<()> {
        let mut state = self.begin("release to all")?;
        let until = self.store.clock.elapsed().saturating_add(span);
        if state.owns(key, mark)
            && let Some(claim) = state.leases.get_mut(key)
        {
            claim.number = ANYBODY;
            claim.until = until;
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

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
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
}

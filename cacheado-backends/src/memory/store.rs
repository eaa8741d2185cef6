//! The store: the table, the index, the schedule and the rules, kept in step.
//!
//! Locks are taken in one order: policy, then a shard of the table, then a shard of the index. Values are dropped when no
//! lock is held, since dropping one runs the user's code.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;

use super::index::Index;
use super::sweeper::{self, Swept};
use super::table::Table;
use super::wheel::Expiry;
use crate::clock::{Clock, Listener, NEVER, Tick};
use crate::entry::{Entry, Making};
use crate::key::{Key, Probe, Space};
use crate::rule::{Admission, Candidate, Cause, Holdings, Reads, Rule, Verdict};
use crate::rules::Lru;
use crate::scope::Scope;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};

/// How often expired entries are looked for if no rule says otherwise.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How much of what has expired is removed under one lock.
const BATCH: usize = 256;

/// Told of each entry that goes, for statistics. Runs under the store's locks, so it only counts.
pub type Observer = Box<dyn Fn(&Key, Cause) + Send + Sync>;

/// The in-process tier.
pub struct Store {
    table: Table,
    index: Index,
    expiry: Expiry,
    clock: Clock,
    rules: Vec<Box<dyn Rule>>,
    /// What the rules together want to know of hits.
    reads: Reads,
    /// The bounds of single functions; its lock orders all writes that a rule or a bound has a say in.
    policy: Mutex<HashMap<u32, Bound>>,
    len: AtomicUsize,
    sweep_interval: Duration,
    observer: Observer,
}

/// A function's own bound: the least recently used of its entries makes room.
struct Bound {
    lru: Lru,
    len: usize,
}

/// What became of a value that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is in, for this long; `None`: until evicted.
    Stored(Option<Duration>),
    /// The rule of this name rejected it.
    Rejected(&'static str),
    /// Its lifetime came out as zero.
    Ephemeral,
}

/// How many live entries were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// All of them.
    pub entries: u64,
    /// Those that the shared tier can't have had.
    pub local: u64,
}

/// What a look-up found.
enum Found<R> {
    Live(R),
    Gone(Arc<Entry>, Cause),
}

/// Entries that have gone, to be dropped when no lock is held: dropping a value runs the user's code, which may come back to
/// the cache.
pub type Dropped = Vec<Arc<Entry>>;

impl Store {
    /// A store that takes its time from `clock`, asks `rules` in their order, and tells `observer` of each entry that goes.
    /// The rules must have been [checked](Rule::check).
    #[must_use]
    pub fn new(clock: Clock, rules: Vec<Box<dyn Rule>>, observer: Observer) -> Arc<Self> {
        let intervals = rules.iter().filter_map(|rule| rule.sweep_interval());
        let store = Arc::new(Self {
            table: Table::new(),
            index: Index::new(),
            expiry: Expiry::new(),
            reads: rules
                .iter()
                .map(|rule| rule.reads())
                .max()
                .unwrap_or(Reads::Ignore),
            sweep_interval: intervals.min().unwrap_or(SWEEP_INTERVAL),
            rules,
            policy: Mutex::new(HashMap::new()),
            len: AtomicUsize::new(0),
            observer,
            clock,
        });
        let weak = Arc::downgrade(&store);
        store.clock.listen(weak.clone() as Weak<dyn Listener>);
        if store.clock.runs() {
            sweeper::register(weak);
        }
        store
    }

    /// Gives the live entry that `probe` looks for to `read`; `None` if there is none.
    ///
    /// `read` runs while a part of the store is locked for reading: it must not call the store.
    #[inline]
    pub fn get<A, R>(
        &self,
        probe: &Probe<'_, A>,
        space: &Space,
        read: impl FnOnce(&Entry) -> R,
    ) -> Option<R>
    where
        A: Serialize + ?Sized,
    {
        self.find(probe.hash(), space, |key| probe.matches(key), read)
    }

    /// As [`get`](Self::get), by a key that is owned already.
    pub fn get_key<R>(&self, key: &Key, read: impl FnOnce(&Entry) -> R) -> Option<R> {
        self.find(key.hash(), key.space(), |other| other == key, read)
    }

    /// As [`get_key`](Self::get_key), without counting as a use of the entry.
    pub fn peek_key<R>(&self, key: &Key, read: impl FnOnce(&Entry) -> R) -> Option<R> {
        let now = self.clock.now();
        let peek = |entry: &Arc<Entry>| (!entry.is_expired(now)).then(|| read(entry));
        self.table
            .read(key.hash(), |other| other == key, peek)
            .flatten()
    }

    #[inline]
    fn find<R>(
        &self,
        hash: u64,
        space: &Space,
        is_it: impl Fn(&Key) -> bool,
        read: impl FnOnce(&Entry) -> R,
    ) -> Option<R> {
        let found = self.table.read(hash, is_it, |entry| {
            if entry.deadline() != NEVER && self.clock.has_reached(entry.deadline()) {
                return Found::Gone(Arc::clone(entry), Cause::Expired);
            }
            if self.reads != Reads::Ignore || space.max_items().is_some() {
                entry.touch(self.clock.stamp(self.clock.now()));
                if self.reads == Reads::Call && self.is_dropped(entry.key()) {
                    return Found::Gone(Arc::clone(entry), Cause::Rule);
                }
            }
            Found::Live(read(entry))
        })?;
        match found {
            Found::Live(result) => Some(result),
            Found::Gone(entry, cause) => {
                self.remove_exactly(&entry, cause);
                None
            }
        }
    }

    #[cold]
    fn is_dropped(&self, key: &Key) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.reads() == Reads::Call && rule.on_get(key) == Verdict::Drop)
    }

    /// Stores `value` under `key` for `lifetime` (`None`: until evicted), if the rules admit it. If they don't, an older
    /// entry of the key goes all the same: what was to replace it is newer.
    ///
    /// What it removes is returned, to be dropped by a caller that may hold locks of its own.
    pub fn insert<V: Send + Sync + 'static>(
        &self,
        key: Key,
        value: V,
        lifetime: Option<Duration>,
        portable: bool,
    ) -> (Inserted, Dropped) {
        let mut dropped = Dropped::new();
        let mut policy = self.policy_for(key.space());
        let now = self.clock.now();
        let stamp = self.clock.stamp(now);
        let making = |deadline| Making {
            deadline,
            used: stamp,
            weight: 1,
            portable,
        };
        let mut admitted = Ok(Admitted {
            lifetime,
            victims: Vec::new(),
        });
        if let Some(policy) = &mut policy {
            // what has expired takes no room from what lives
            self.remove_due(now, policy, &mut dropped);
            // nor is one of this very key replaced: the rules are to see it go
            let is_expired = |entry: &Arc<Entry>| entry.is_expired(now);
            if self
                .table
                .read(key.hash(), |other| *other == key, is_expired)
                == Some(true)
            {
                let is_it = |entry: &Arc<Entry>| *entry.key() == key && entry.is_expired(now);
                dropped.extend(self.take_out(key.hash(), is_it, Cause::Expired, Some(policy)));
            }
            admitted = self.admit(&key, stamp, lifetime, policy);
        }
        let admitted =
            admitted
                .map_err(Inserted::Rejected)
                .and_then(|admitted| match admitted.lifetime {
                    Some(Duration::ZERO) => Err(Inserted::Ephemeral),
                    _ => Ok(admitted),
                });
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refused) => {
                let is_it = |entry: &Arc<Entry>| *entry.key() == key;
                let policy = policy.as_deref_mut();
                dropped.extend(self.take_out(key.hash(), is_it, Cause::Rule, policy));
                dropped.push(Entry::new(key, making(now), value));
                return (refused, dropped);
            }
        };
        for victim in admitted.victims {
            let is_it = |entry: &Arc<Entry>| *entry.key() == victim;
            let policy = policy.as_deref_mut();
            dropped.extend(self.take_out(victim.hash(), is_it, Cause::Rule, policy));
        }
        // the largest duration there is stands for no end
        let lifetime = admitted
            .lifetime
            .filter(|lifetime| *lifetime != Duration::MAX);
        let deadline = Clock::deadline(now, lifetime);
        let space = key.space();
        let entry = Entry::new(key, making(deadline), value);
        let mut first_due = false;
        let old = self.table.insert(Arc::clone(&entry), |old| {
            match old {
                Some(old) => self.unlist(old),
                None => _ = self.len.fetch_add(1, Ordering::Relaxed),
            }
            self.index.seat(&entry);
            first_due = self.expiry.note(&entry);
        });
        match &old {
            None => {
                if let Some(bound) = policy
                    .as_mut()
                    .and_then(|policy| policy.get_mut(&space.id()))
                {
                    bound.len += 1;
                }
            }
            Some(old) if old.is_expired(now) => (self.observer)(old.key(), Cause::Expired),
            Some(_) => {}
        }
        drop(policy);
        dropped.extend(old);
        if first_due && self.clock.runs() {
            sweeper::wake();
        }
        (Inserted::Stored(lifetime), dropped)
    }

    /// Asks the function's bound and then the rules, in order.
    fn admit(
        &self,
        key: &Key,
        stamp: u64,
        lifetime: Option<Duration>,
        policy: &mut HashMap<u32, Bound>,
    ) -> Result<Admitted, &'static str> {
        let holdings = Present(&self.table);
        let mut candidate = Candidate {
            key,
            stamp,
            replaces: holdings.last_used(key).is_some(),
            lifetime,
            len: 0,
            victims: Vec::new(),
            holdings: &holdings,
        };
        if let Some(max_items) = key.space().max_items() {
            let bound = policy.entry(key.space().id()).or_insert_with(|| Bound {
                lru: Lru::new(max_items.get()),
                len: 0,
            });
            candidate.len = bound.len;
            bound.lru.on_set(&mut candidate);
        }
        candidate.len = self
            .len
            .load(Ordering::Relaxed)
            .saturating_sub(candidate.victims.len());
        for rule in &self.rules {
            if rule.on_set(&mut candidate) == Admission::Reject {
                return Err(rule.name());
            }
        }
        // a rule may have chosen the very entry that is replaced: that needs no eviction of its own
        candidate.victims.retain(|victim| victim != key);
        Ok(Admitted {
            lifetime: candidate.lifetime,
            victims: candidate.victims,
        })
    }

    /// Removes the entry of `key`. Returns it, to be dropped by a caller that may hold locks of its own, and whether it was
    /// live.
    pub fn remove(&self, key: &Key) -> Option<(Arc<Entry>, bool)> {
        let mut policy = self.policy_for(key.space());
        let now = self.clock.now();
        let cause = |entry: &Entry| {
            if entry.is_expired(now) {
                Cause::Expired
            } else {
                Cause::Evicted
            }
        };
        let is_it = |entry: &Arc<Entry>| entry.key() == key;
        let removed = self.take_out_as(key.hash(), is_it, cause, policy.as_deref_mut())?;
        let live = !removed.is_expired(now);
        Some((removed, live))
    }

    /// Removes `scope` and all below it. Returns how many live entries there were. Costs what it removes.
    pub fn remove_scope(&self, scope: &Scope) -> Removed {
        let now = self.clock.now();
        let mut removed = Removed::default();
        let mut policy = lock(&self.policy);
        let (dropped, others) = if scope.level().depth() == 0 {
            (self.drain(), Dropped::new())
        } else {
            // one that was replaced or removed meanwhile is not ours to count
            self.index.detach(scope).into_iter().partition(|entry| {
                let is_it = |other: &Arc<Entry>| Arc::ptr_eq(other, entry);
                let removed = self.table.remove(entry.key().hash(), is_it, |entry| {
                    self.shrink_by_one();
                    self.expiry.forget(entry);
                });
                removed.is_some()
            })
        };
        for entry in &dropped {
            let cause = if entry.is_expired(now) {
                Cause::Expired
            } else {
                Cause::Scope
            };
            if cause == Cause::Scope {
                removed += Removed::of(entry);
            }
            self.settle(entry, cause, Some(&mut policy));
        }
        drop(policy);
        drop((dropped, others));
        removed
    }

    /// Removes everything. Counts as neither evictions nor expirations.
    pub fn clear(&self) {
        let mut policy = lock(&self.policy);
        let dropped = self.drain();
        policy.clear();
        for rule in &self.rules {
            rule.on_clear();
        }
        drop(policy);
        drop(dropped);
    }

    /// The keys of the live entries, in no order.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let now = self.clock.now();
        let mut keys = Vec::new();
        self.table.for_each(|entry| {
            if !entry.is_expired(now) {
                keys.push(entry.key().clone());
            }
        });
        for rule in &self.rules {
            rule.on_keys(&mut keys);
        }
        keys
    }

    /// How many live entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.free_expired();
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are no live entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frees what has expired.
    pub fn free_expired(&self) {
        let now = self.clock.now();
        while self.expiry.is_due(now) {
            let mut dropped = Dropped::new();
            // held while what is due is neither scheduled nor removed yet, so that no write takes it for alive; and let go in
            // between, so that a thousand expiries at once are no long wait for one write
            let mut policy = lock(&self.policy);
            self.remove_due(now, &mut policy, &mut dropped);
            drop(policy);
        }
    }

    /// What is left of an entry's lifetime; `None` if it lives until evicted.
    #[must_use]
    pub fn remaining(&self, entry: &Entry) -> Option<Duration> {
        entry.remaining(self.clock.now())
    }

    fn drain(&self) -> Dropped {
        self.table.drain(|entry| {
            self.shrink_by_one();
            self.unlist(entry);
        })
    }

    /// Takes `entry` out of the lists that it is in beside the table.
    fn unlist(&self, entry: &Entry) {
        self.index.unseat(entry);
        self.expiry.forget(entry);
    }

    /// Counted under the lock of the entry's shard, so that the count is never ahead of the table, nor below zero.
    fn shrink_by_one(&self) {
        self.len.fetch_sub(1, Ordering::Relaxed);
    }

    /// The policy's lock, if a rule or a bound has a say in what happens to entries of `space`.
    fn policy_for(&self, space: &Space) -> Option<MutexGuard<'_, HashMap<u32, Bound>>> {
        (!self.rules.is_empty() || space.max_items().is_some()).then(|| lock(&self.policy))
    }

    /// Removes some of what is due.
    fn remove_due(&self, now: Tick, policy: &mut HashMap<u32, Bound>, dropped: &mut Dropped) {
        if !self.expiry.is_due(now) {
            return;
        }
        for due in self.expiry.take_due(now, BATCH) {
            let is_it = |entry: &Arc<Entry>| Arc::ptr_eq(entry, &due);
            let hash = due.key().hash();
            dropped.extend(self.take_out(hash, is_it, Cause::Expired, Some(policy)));
        }
    }

    /// Removes `entry`, if it is still there.
    #[cold]
    fn remove_exactly(&self, entry: &Arc<Entry>, cause: Cause) {
        let key = entry.key();
        let mut policy = self.policy_for(key.space());
        let is_it = |other: &Arc<Entry>| Arc::ptr_eq(other, entry);
        let removed = self.take_out(key.hash(), is_it, cause, policy.as_deref_mut());
        drop(policy);
        drop(removed);
    }

    fn take_out(
        &self,
        hash: u64,
        is_it: impl Fn(&Arc<Entry>) -> bool,
        cause: Cause,
        policy: Option<&mut HashMap<u32, Bound>>,
    ) -> Option<Arc<Entry>> {
        self.take_out_as(hash, is_it, |_| cause, policy)
    }

    fn take_out_as(
        &self,
        hash: u64,
        is_it: impl Fn(&Arc<Entry>) -> bool,
        cause: impl Fn(&Entry) -> Cause,
        policy: Option<&mut HashMap<u32, Bound>>,
    ) -> Option<Arc<Entry>> {
        let removed = self.table.remove(hash, is_it, |entry| {
            self.shrink_by_one();
            self.unlist(entry);
        })?;
        self.settle(&removed, cause(&removed), policy);
        Some(removed)
    }

    /// Tells everyone that `entry` is out of the table.
    fn settle(&self, entry: &Entry, cause: Cause, policy: Option<&mut HashMap<u32, Bound>>) {
        if let Some(bound) = policy.and_then(|policy| policy.get_mut(&entry.key().space().id())) {
            bound.len = bound.len.saturating_sub(1);
        }
        for rule in &self.rules {
            rule.on_evict(entry.key(), cause);
        }
        (self.observer)(entry.key(), cause);
    }
}

struct Admitted {
    lifetime: Option<Duration>,
    victims: Vec<Key>,
}

/// What is in the table. An entry that has expired is in it until it is removed, and takes room like any other.
struct Present<'a>(&'a Table);

impl Holdings for Present<'_> {
    fn last_used(&self, key: &Key) -> Option<u64> {
        self.0
            .read(key.hash(), |other| other == key, |entry| entry.used())
    }
}

impl Removed {
    fn of(entry: &Entry) -> Self {
        Self {
            entries: 1,
            local: u64::from(!entry.is_portable()),
        }
    }
}

impl std::ops::AddAssign for Removed {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.local += other.local;
    }
}

impl Listener for Store {
    fn advanced(&self) {
        self.free_expired();
    }
}

impl Swept for Store {
    fn sweep(&self) -> Option<Duration> {
        self.free_expired();
        self.expiry.next().map(|_| self.sweep_interval)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rules: Vec<_> = self.rules.iter().map(|rule| rule.name()).collect();
        f.debug_struct("Store")
            .field("len", &self.len.load(Ordering::Relaxed))
            .field("rules", &rules)
            .finish_non_exhaustive()
    }
}

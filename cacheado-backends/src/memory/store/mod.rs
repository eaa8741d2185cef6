//! The store: the table, the index, the schedule and the rules, kept in step.
//!
//! Look-ups and listings are here, what is put in in `insert`, what goes in `remove`. Locks are taken in one order: policy, then
//! a shard of the table, then a shard of the index or of the schedule. Values are dropped when no lock is held, since dropping
//! one runs the user's code.

mod insert;
mod remove;
#[cfg(all(test, not(shuttle)))]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;
use smallvec::SmallVec;

use super::index::Index;
use super::sweeper::{self, Swept};
use super::table::Table;
use super::wheel::Expiry;
use crate::clock::{Clock, Listener, NEVER, Tick, nanos};
use crate::entry::{Entry, MOST_HITS};
use crate::key::{Key, Probe, Space};
use crate::rule::{Cause, Reads, Resident, Rule, Verdict};
use crate::rules::Lru;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};

pub use insert::Inserted;
pub use remove::Removed;

/// How often expired entries are looked for if no rule says otherwise.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Told of each entry that goes, for statistics. Runs under the store's locks, so it only counts.
pub type Observer = Box<dyn Fn(&Key, Cause) + Send + Sync>;

/// The in-process tier.
pub struct Store {
    table: Table,
    index: Index,
    expiry: Expiry,
    clock: Clock,
    rules: Vec<Box<dyn Rule>>,
    watch: Watch,
    /// Its lock orders all writes that a rule or a function's bound has a say in.
    policy: Mutex<Policy>,
    len: AtomicUsize,
    /// How long copies of what the shared tier has live at most, in nanoseconds.
    copies_live: AtomicU64,
    sweep_interval: Duration,
    observer: Observer,
}

/// What the rules together want to know of hits.
#[derive(Default)]
struct Watch {
    /// How often each entry was hit, up to this.
    count: u8,
    /// When each was used last.
    stamp: bool,
    /// Some rule is to be called.
    call: bool,
}

impl Watch {
    fn of(rules: &[Box<dyn Rule>]) -> Self {
        let mut watch = Self::default();
        for rule in rules {
            match rule.reads() {
                Reads::Ignore => {}
                Reads::Count(most) => watch.count = watch.count.max(most.min(MOST_HITS)),
                Reads::Stamp => watch.stamp = true,
                // what is called may ask when an entry was used last
                Reads::Call => (watch.stamp, watch.call) = (true, true),
            }
        }
        watch
    }
}

/// What is decided with, under one lock.
#[derive(Default)]
struct Policy {
    /// The bounds of single functions, by the numbers of their spaces.
    bounds: HashMap<u32, Bound>,
    /// Room for those that the rules choose, kept from one insertion to the next.
    victims: Vec<Resident>,
}

/// A function's own bound: the least recently used of its entries makes room.
struct Bound {
    lru: Lru,
    len: usize,
}

impl Policy {
    /// The bound of the function of `space`, if it has one and was asked before.
    fn bound(&mut self, space: &Space) -> Option<&mut Bound> {
        space.max_items()?;
        self.bounds.get_mut(&space.id())
    }
}

/// What a look-up found.
enum Found<R> {
    Live(R),
    Gone(Arc<Entry>, Cause),
}

/// Entries that have gone, to be dropped when no lock is held: dropping a value runs the user's code, which may come back to
/// the cache. Mostly one or two, for which nothing is allocated.
pub type Dropped = SmallVec<[Arc<Entry>; 3]>;

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
            watch: Watch::of(&rules),
            sweep_interval: intervals.min().unwrap_or(SWEEP_INTERVAL),
            rules,
            policy: Mutex::default(),
            len: AtomicUsize::new(0),
            copies_live: AtomicU64::new(NEVER),
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
    pub fn get<A, R>(&self, probe: &Probe<'_, A>, read: impl FnOnce(&Entry) -> R) -> Option<R>
    where
        A: Serialize + ?Sized,
    {
        let is_it = |key: &Key| probe.matches(key);
        self.find(probe.hash(), is_it, |_| None, |entry, _| read(entry))
    }

    /// As [`get`](Self::get), for values that need a closer look from some moment on, before the end of their lifetime. `moment` says
    /// when, of an entry that has one, and `read` is told whether it has not come. Costs what `get` costs: the time is looked at once.
    #[inline]
    pub fn get_until<A, R>(
        &self,
        probe: &Probe<'_, A>,
        moment: impl Fn(&Entry) -> Option<Tick>,
        read: impl FnOnce(&Entry, bool) -> R,
    ) -> Option<R>
    where
        A: Serialize + ?Sized,
    {
        self.find(probe.hash(), |key| probe.matches(key), moment, read)
    }

    /// As [`get`](Self::get), by a key that is owned already.
    pub fn get_key<R>(&self, key: &Key, read: impl FnOnce(&Entry) -> R) -> Option<R> {
        let is_it = |other: &Key| other == key;
        self.find(key.hash(), is_it, |_| None, |entry, _| read(entry))
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
        is_it: impl Fn(&Key) -> bool,
        moment: impl Fn(&Entry) -> Option<Tick>,
        read: impl FnOnce(&Entry, bool) -> R,
    ) -> Option<R> {
        let found = self.table.read(hash, is_it, |entry| {
            let reached = |moment| moment != NEVER && self.clock.has_reached(moment);
            let moment = moment(entry);
            // a rule may have cut its lifetime to less
            let early = moment.is_some_and(|it| it <= entry.deadline() && !reached(it));
            if !early && reached(entry.deadline()) {
                return Found::Gone(Arc::clone(entry), Cause::Expired);
            }
            if self.watch.count > 0 {
                entry.count_hit(self.watch.count);
            }
            if entry.is_stamped() && self.stamp(entry) {
                return Found::Gone(Arc::clone(entry), Cause::Rule);
            }
            Found::Live(read(entry, early))
        })?;
        match found {
            Found::Live(result) => Some(result),
            Found::Gone(entry, cause) => {
                self.remove_exactly(&entry, cause);
                None
            }
        }
    }

    /// Notes when `entry` was used, and asks the rules that want to be called. Returns whether one of them drops it.
    fn stamp(&self, entry: &Entry) -> bool {
        entry.touch(self.clock.stamp(self.clock.now()));
        self.watch.call
            && self.rules.iter().any(|rule| {
                rule.reads() == Reads::Call && rule.on_get(entry.key()) == Verdict::Drop
            })
    }

    /// Has `entry`, unless its time is over, live until then. For the `read` of a look-up that found it: the part of the store that it is
    /// in is locked, so it is not taken out meanwhile.
    pub fn prolong(&self, entry: &Entry, until: Tick) {
        if entry.is_expired(self.clock.now()) {
            return;
        }
        entry.set_deadline(until);
        // what is noted of it already only has it looked at once more
        if self.expiry.note(entry) && self.clock.runs() {
            sweeper::wake();
        }
    }

    /// From here on, copies of what the shared tier has are kept for `span` at most, whatever their lifetimes; `None`: for all of
    /// these. What is in already stays.
    pub fn limit_copies(&self, span: Option<Duration>) {
        let span = span.map_or(NEVER, nanos);
        self.copies_live.store(span, Ordering::SeqCst);
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

    /// What is left of an entry's lifetime; `None` if it lives until evicted.
    #[must_use]
    pub fn remaining(&self, entry: &Entry) -> Option<Duration> {
        entry.remaining(self.clock.now())
    }

    /// The policy's lock, if a rule or a bound has a say in what happens to entries of `space`.
    fn policy_for(&self, space: &Space) -> Option<MutexGuard<'_, Policy>> {
        (!self.rules.is_empty() || space.max_items().is_some()).then(|| lock(&self.policy))
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

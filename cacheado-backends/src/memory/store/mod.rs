//! The store: the shards, the index, the schedule and the rules, kept in step.
//!
//! Look-ups and listings are here, what is put in in `insert`, what goes in `remove`. Locks are taken in one order: policy, then
//! a shard of the entries, then a shard of the index or of the schedule. With rules, whoever writes to a shard holds the policy's: a
//! rule may wait for a lock of its own while a shard is locked for reading, which another holds that looks at a shard in turn. Values are
//! dropped when no lock is held, since dropping one runs the user's code.

mod insert;
mod panic;
mod remove;
#[cfg(all(test, not(shuttle)))]
mod tests;

use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;
use smallvec::SmallVec;

use super::handle::Handle;
use super::index::Index;
use super::shards::Shards;
use super::sweeper::{self, Swept};
use super::table::Found as Typed;
use super::wheel::Expiry;
use crate::clock::{Clock, Listener, NEVER, Tick, nanos};
use crate::entry::{Entry, MOST_HITS, OldValue, Tie};
use crate::key::{Key, Probe, Seek, Space};
use crate::rule::{Cause, Reads, Rule, Verdict};
use crate::rules::Lru;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};

use panic::Panic;

pub use insert::Inserted;
pub use remove::Removed;

/// How often expired entries are looked for if no rule says otherwise.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Told of each entry that goes, for statistics. Runs under the store's locks, so it only counts.
pub type Observer = Box<dyn Fn(&Key, Cause) + Send + Sync>;

/// The in-process tier.
pub struct Store {
    entries: Shards,
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
    /// When each was hit last.
    stamp: bool,
    /// When each was used last, be it that it was stored.
    last_use: bool,
    /// Some rule is to be called.
    call: bool,
}

impl Watch {
    fn of(rules: &[Box<dyn Rule>]) -> Self {
        let mut watch = Self::default();
        for rule in rules {
            watch.last_use |= rule.asks_last_use();
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
    /// Who sits where, of a rule that gives seats.
    seats: Vec<Handle>,
    /// Room for the seats that are to be vacated, kept from one insertion to the next.
    victims: Vec<u32>,
    /// What a rule has panicked with first since the lock was taken.
    panicked: Option<Panic>,
}

/// A function's own bound: the least recently used of its entries makes room.
struct Bound {
    lru: Lru,
    len: usize,
}

impl Policy {
    /// The bound of the function of that `space`, if it has one and was asked before.
    fn bound(&mut self, space: u32) -> Option<&mut Bound> {
        if self.bounds.is_empty() {
            return None;
        }
        self.bounds.get_mut(&space)
    }
}

/// What a look-up found.
enum Found<R> {
    Live(R),
    Gone(Handle, Cause),
}

/// Values that have gone, to be dropped when no lock is held: dropping a value runs the user's code, which may come back to
/// the cache. Mostly one or two, for which nothing is allocated.
pub type Dropped = SmallVec<[OldValue; 3]>;

impl Store {
    /// A store that takes its time from `clock`, asks `rules` in their order, and tells `observer` of each entry that goes.
    /// The rules must have been [checked](Rule::check).
    #[must_use]
    pub fn new(clock: Clock, rules: Vec<Box<dyn Rule>>, observer: Observer) -> Arc<Self> {
        let intervals = rules.iter().filter_map(Rule::sweep_interval);
        let store = Arc::new(Self {
            entries: Shards::new(),
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

    /// Gives the live entry that `probe` looks for to `read`; `None` if there is none. Quickest if its value is a `V`.
    ///
    /// `read` runs while a part of the store is locked for reading: it must not call the store.
    #[inline]
    pub fn get<V, A, R>(&self, probe: &Probe<'_, A>, read: impl FnOnce(Entry<'_>) -> R) -> Option<R>
    where
        V: Send + Sync + 'static,
        A: Serialize + ?Sized,
    {
        self.get_until::<V, A, R>(probe, |_| None, |entry, _| read(entry))
    }

    /// As [`get`](Self::get), for values that need a closer look from some moment on, before the end of their lifetime. `moment` says
    /// when, of an entry that has one, and `read` is told whether it has not come. Costs what `get` costs: the time is looked at once.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "measured: a call of its own costs a hit a tenth more instructions"
    )]
    pub fn get_until<V, A, R>(
        &self,
        probe: &Probe<'_, A>,
        moment: impl Fn(Entry<'_>) -> Option<Tick>,
        read: impl FnOnce(Entry<'_>, bool) -> R,
    ) -> Option<R>
    where
        V: Send + Sync + 'static,
        A: Serialize + ?Sized,
    {
        let Some(shard) = self.entries.try_read(probe.head()) else {
            return self.get_otherwise(&{ *probe }, &moment, read);
        };
        let table = shard.get(probe.head().space_id() as usize)?;
        match table.look::<V, A>(probe) {
            Typed::Own(occupant, beside, slot) => {
                let entry = Entry::new(&occupant.meta, beside, &occupant.value, slot);
                // To let go of the lock does not panic. If the compiler had to see to what was found in case that it does, that would lie in memory.
                let found = ManuallyDrop::new(self.find(entry, &moment, read));
                drop(shard);
                match ManuallyDrop::into_inner(found) {
                    Found::Live(result) => Some(result),
                    Found::Gone(handle, cause) => {
                        self.remove_found(handle, &{ *probe }, cause);
                        None
                    }
                }
            }
            Typed::Nothing => None,
            Typed::Unclear => {
                drop(shard);
                self.get_otherwise(&{ *probe }, &moment, read)
            }
        }
    }

    /// The same, out of the way of a hit. In line: what a call returns lies in memory, and what a hit returns would lie there with it.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "it is a call of what is not")]
    fn get_otherwise<R>(
        &self,
        probe: &dyn Seek,
        moment: &dyn Fn(Entry<'_>) -> Option<Tick>,
        read: impl FnOnce(Entry<'_>, bool) -> R,
    ) -> Option<R> {
        let (mut read, mut result) = (Some(read), None);
        let mut read = |entry: Entry<'_>, early| {
            result = read.take().map(|read| read(entry, early));
        };
        self.get_slowly(probe, moment, &mut read);
        result
    }

    /// The same, whatever the type of the value and whoever reads or writes: compiled once.
    #[cold]
    #[inline(never)]
    fn get_slowly(
        &self,
        probe: &dyn Seek,
        moment: &dyn Fn(Entry<'_>) -> Option<Tick>,
        read: &mut dyn FnMut(Entry<'_>, bool),
    ) {
        let shard = self.entries.read(probe.head());
        let table = shard.get(probe.head().space_id() as usize);
        let entry = table.and_then(|table| table.entry(table.seek(probe)?));
        let found = entry.map(|entry| self.find(entry, moment, read));
        drop(shard);
        if let Some(Found::Gone(handle, cause)) = found {
            self.remove_found(handle, probe, cause);
        }
    }

    /// As [`get`](Self::get), by a key that is owned already.
    pub fn get_key<R>(&self, key: &Key, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
        let read = |entry: Entry<'_>| self.find(entry, |_| None, |entry, _| read(entry));
        match self.entries.read_key(key, read)? {
            Found::Live(result) => Some(result),
            Found::Gone(handle, cause) => {
                self.remove_found(handle, key, cause);
                None
            }
        }
    }

    /// As [`get`](Self::get), without counting as a use of the entry.
    pub fn peek<A, R>(&self, probe: &Probe<'_, A>, read: impl FnOnce(Entry<'_>) -> R) -> Option<R>
    where
        A: Serialize + ?Sized,
    {
        let now = self.clock.now();
        let shard = self.entries.read(probe.head());
        let table = shard.get(probe.head().space_id() as usize)?;
        let entry = table.entry(table.seek(probe)?)?;
        (!entry.is_expired(now)).then(|| read(entry))
    }

    /// As [`get_key`](Self::get_key), without counting as a use of the entry.
    pub fn peek_key<R>(&self, key: &Key, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
        // where there is none, the time is not asked for
        let is_over = |entry: Entry<'_>| entry.is_expired(self.clock.now());
        let peek = |entry: Entry<'_>| (!is_over(entry)).then(|| read(entry));
        self.entries.read_key(key, peek).flatten()
    }

    /// What a look-up that comes to `entry` finds.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "measured: a call of its own costs a hit a tenth more instructions"
    )]
    fn find<R>(
        &self,
        entry: Entry<'_>,
        moment: impl Fn(Entry<'_>) -> Option<Tick>,
        read: impl FnOnce(Entry<'_>, bool) -> R,
    ) -> Found<R> {
        let reached = |moment| moment != NEVER && self.clock.has_reached(moment);
        let moment = moment(entry);
        // a rule may have cut its lifetime to less
        let early = moment.is_some_and(|it| it <= entry.deadline() && !reached(it));
        if !early && reached(entry.deadline()) {
            return Found::Gone(entry.handle(), Cause::Expired);
        }
        if self.watch.count > 0 {
            entry.count_hit(self.watch.count);
        }
        if entry.is_stamped() && self.stamp(entry) {
            return Found::Gone(entry.handle(), Cause::Rule);
        }
        Found::Live(read(entry, early))
    }

    /// Notes when `entry` was used, and asks the rules that want to be called. Returns whether one of them drops it.
    #[cold]
    #[inline(never)]
    fn stamp(&self, entry: Entry<'_>) -> bool {
        entry.touch(self.clock.stamp(self.clock.now()));
        self.watch.call
            && self.rules.iter().any(|rule| {
                rule.reads() == Reads::Call && rule.on_get(entry.key()) == Verdict::Drop
            })
    }

    /// Has `entry`, which was stored at `stored_at`, live until then, unless its time is over or it is a copy that is kept for less. For the
    /// `read` of a look-up that found it: the part of the store that it is in is locked, so it is not taken out meanwhile.
    pub fn prolong(&self, entry: Entry<'_>, stored_at: Tick, until: Tick) {
        let mut until = until;
        if entry.meta().tie() != Tie::Own {
            let limit = self.copies_live.load(Ordering::SeqCst);
            until = until.min(stored_at.saturating_add(limit));
        }
        if entry.is_expired(self.clock.now()) || until <= entry.deadline() {
            return;
        }
        // it is noted anew once what is noted of it already comes: it may be prolonged many times until then
        entry.set_deadline(until);
    }

    /// Until when a copy may be kept that is made `now`.
    #[must_use]
    pub fn copies_end(&self, now: Tick) -> Tick {
        now.saturating_add(self.copies_live.load(Ordering::SeqCst))
    }

    /// From here on, copies of what the shared tier has are kept for `span` at most, whatever their lifetimes; `None`: for all of
    /// these. What is in already stays.
    pub fn limit_copies(&self, span: Option<Duration>) {
        let span = span.map_or(NEVER, nanos);
        self.copies_live.store(span, Ordering::SeqCst);
    }

    /// Whether copies are kept for a while only.
    #[inline]
    #[must_use]
    pub fn limits_copies(&self) -> bool {
        self.copies_live.load(Ordering::SeqCst) != NEVER
    }

    /// The keys of the live entries, in no order.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let now = self.clock.now();
        let mut keys = Vec::new();
        self.entries.for_each(|entry| {
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

    /// Notes that there are `more` entries than before, or fewer. Under the lock of a shard.
    fn count(&self, more: isize) {
        if self.rules.is_empty() {
            self.len.fetch_add(more.cast_unsigned(), Ordering::Relaxed);
        } else {
            // whoever writes holds the policy's lock as well
            let len = self.len.load(Ordering::Relaxed);
            self.len
                .store(len.wrapping_add_signed(more), Ordering::Relaxed);
        }
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
        let rules: Vec<_> = self.rules.iter().map(Rule::name).collect();
        f.debug_struct("Store")
            .field("len", &self.len.load(Ordering::Relaxed))
            .field("rules", &rules)
            .finish_non_exhaustive()
    }
}

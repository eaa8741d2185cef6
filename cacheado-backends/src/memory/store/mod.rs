//! The store keeps the shards, the scope index, the expiry schedule and the rules consistent.
//!
//! Lookups and listings are in this file, insertion is in `insert`, removal in `remove`. Locks are taken in one order: the policy,
//! then a shard of the entries, then a shard of the index or of the schedule. In a store with rules, every writer of a shard holds the
//! policy's lock. Otherwise there could be a deadlock: a rule may wait for a lock of its own while a shard is locked for reading, and
//! the holder of that lock may wait for a shard. Values are dropped outside all locks, because dropping one runs the user's code.

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

/// How often expired entries are swept if no rule says otherwise.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Called for each entry that is removed, for the statistics. It runs under the store's locks, so it only counts.
pub type Observer = Box<dyn Fn(&Key, Cause) + Send + Sync>;

/// The in-process tier.
pub struct Store {
    entries: Shards,
    index: Index,
    expiry: Expiry,
    clock: Clock,
    rules: Vec<Box<dyn Rule>>,
    watch: Watch,
    /// Its lock orders all writes that a rule or a function's `max_items` takes part in.
    policy: Mutex<Policy>,
    len: AtomicUsize,
    /// The longest lifetime of copies of shared entries, in nanoseconds.
    copies_live: AtomicU64,
    sweep_interval: Duration,
    observer: Observer,
}

/// What the rules together need to know about hits.
#[derive(Default)]
struct Watch {
    /// Hits are counted for each entry, up to this number; 0 if no rule needs them.
    count: u8,
    /// Each hit records its time.
    stamp: bool,
    /// Each entry records when it was last used. Being stored counts as a use.
    last_use: bool,
    /// A rule must be called on each hit.
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
                // a rule that is called may ask when an entry was last used
                Reads::Call => (watch.stamp, watch.call) = (true, true),
            }
        }
        watch
    }
}

/// The state by which evictions are decided, under one lock.
#[derive(Default)]
struct Policy {
    /// The bounds of functions with `max_items`, by the ids of their spaces.
    bounds: HashMap<u32, Bound>,
    /// The entry in each seat, for a rule that assigns seats.
    seats: Vec<Handle>,
    /// A buffer for the seats to vacate, reused by each insertion.
    victims: Vec<u32>,
    /// The first panic of a rule since the lock was taken.
    panicked: Option<Panic>,
}

/// The bound of one function: its least recently used entry makes room.
struct Bound {
    lru: Lru,
    len: usize,
}

impl Policy {
    /// The bound of the function with this `space`, if an insertion has created it.
    fn bound(&mut self, space: u32) -> Option<&mut Bound> {
        if self.bounds.is_empty() {
            return None;
        }
        self.bounds.get_mut(&space)
    }
}

/// The result of a lookup that reached an entry.
enum Found<R> {
    Live(R),
    Gone(Handle, Cause),
}

/// Removed values, to be dropped outside all locks: dropping a value runs the user's code, which may call the cache. There are mostly
/// one or two. Up to three need no allocation.
pub type Dropped = SmallVec<[OldValue; 3]>;

impl Store {
    /// A store that reads the time from `clock`, applies `rules` in order, and calls `observer` for each entry that is removed. The
    /// rules must have been [checked](Rule::check).
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

    /// Passes the live entry that `probe` looks for to `read`; `None` if there is none. Fastest if the value is a `V`.
    ///
    /// `read` runs while a part of the store is locked for reading, so it must not call the store.
    #[inline]
    pub fn get<V, A, R>(&self, probe: &Probe<'_, A>, read: impl FnOnce(Entry<'_>) -> R) -> Option<R>
    where
        V: Send + Sync + 'static,
        A: Serialize + ?Sized,
    {
        self.get_until::<V, A, R>(probe, |_| None, |entry, _| read(entry))
    }

    /// As [`get`](Self::get), for values that need attention from some moment before the end of their lifetime. `moment` returns that
    /// moment of an entry, if it has one. `read` receives true if the moment is still ahead. Costs the same as `get`: the time is read
    /// once.
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
                // releasing the lock does not panic; if the compiler had to prepare for dropping `found` in case of a panic, it would
                // keep `found` in memory
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

    /// As `get_until`, off the path of a usual hit. Inlined, because a call would return its result in memory, which would force the
    /// result of a hit into memory as well.
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

    /// As `get_until`, for values of any type, and for a shard that is locked by another thread. Not generic, so it is compiled once.
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

    /// As [`get`](Self::get), by an owned key.
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
        // the time is read only if there is an entry
        let is_over = |entry: Entry<'_>| entry.is_expired(self.clock.now());
        let peek = |entry: Entry<'_>| (!is_over(entry)).then(|| read(entry));
        self.entries.read_key(key, peek).flatten()
    }

    /// The result of a lookup that reached `entry`.
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
        // a rule may have shortened the lifetime
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

    /// Records that `entry` is used now, and calls the rules that want to be called on hits. Returns whether one of them drops the
    /// entry.
    #[cold]
    #[inline(never)]
    fn stamp(&self, entry: Entry<'_>) -> bool {
        entry.touch(self.clock.stamp(self.clock.now()));
        self.watch.call
            && self.rules.iter().any(|rule| {
                rule.reads() == Reads::Call && rule.on_get(entry.key()) == Verdict::Drop
            })
    }

    /// Extends the life of `entry`, which was stored at `stored_at`, to `until`, or less far if it is a copy whose lifetime is
    /// limited. An expired entry stays expired. To be called from the `read` of a lookup, where the shard is locked and the entry
    /// can't be removed meanwhile.
    pub fn prolong(&self, entry: Entry<'_>, stored_at: Tick, until: Tick) {
        let mut until = until;
        if entry.meta().tie() != Tie::Own {
            let limit = self.copies_live.load(Ordering::SeqCst);
            until = until.min(stored_at.saturating_add(limit));
        }
        if entry.is_expired(self.clock.now()) || until <= entry.deadline() {
            return;
        }
        // the entry is rescheduled only when the old deadline comes: it may be prolonged many times until then
        entry.set_deadline(until);
    }

    /// The latest deadline of a copy that is made `now`.
    #[must_use]
    pub fn copies_end(&self, now: Tick) -> Tick {
        now.saturating_add(self.copies_live.load(Ordering::SeqCst))
    }

    /// From now on, new copies of shared entries live for `span` at most, whatever their lifetimes; `None`: no such limit. Existing
    /// copies are not affected.
    pub fn limit_copies(&self, span: Option<Duration>) {
        let span = span.map_or(NEVER, nanos);
        self.copies_live.store(span, Ordering::SeqCst);
    }

    /// Whether copies live for a limited time only.
    #[inline]
    #[must_use]
    pub fn limits_copies(&self) -> bool {
        self.copies_live.load(Ordering::SeqCst) != NEVER
    }

    /// The keys of the live entries, in no particular order.
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

    /// Adds `more` to the number of entries. The caller holds the lock of a shard.
    fn count(&self, more: isize) {
        if self.rules.is_empty() {
            self.len.fetch_add(more.cast_unsigned(), Ordering::Relaxed);
        } else {
            // every writer holds the policy's lock as well
            let len = self.len.load(Ordering::Relaxed);
            self.len
                .store(len.wrapping_add_signed(more), Ordering::Relaxed);
        }
    }

    /// The policy's lock, if a rule or a bound takes part in writes to entries of `space`.
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

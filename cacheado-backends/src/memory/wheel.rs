//! The schedule of expiries: a hierarchical timing wheel (Varghese and Lauck, 1987; Caffeine's and tokio's are such, too).
//!
//! What is noted of an entry is its hash, in a slot of the level on whose scale its deadline is near: 64 slots of 17 ms, then 64 of
//! about a second, of a minute, and so on. When time comes to a slot, its entries are looked up in the table, and noted in finer
//! ones, each a few times in its life. So noting an entry and taking one out cost the same however many there are, and what
//! has gone leaves nothing behind.

use std::collections::BTreeSet;

use super::hashes::Hashes;
use super::table::{Table, Twins};
use crate::clock::{NEVER, Tick};
use crate::entry::Entry;
use crate::key::Hash32;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, lock};

const SHARDS: usize = 8;
const SLOTS: usize = 64;
/// The width of the finest slots, as a power of two of nanoseconds.
const FINEST: usize = 24;
/// What a level adds to that.
const DIGIT: usize = SLOTS.ilog2() as usize;
/// Enough for any tick: the coarsest slots are 2^60 ns wide.
const LEVELS: usize = 7;

/// Which entries are due when.
pub(super) struct Expiry {
    shards: [Mutex<Wheel>; SHARDS],
    /// Nothing is due before this.
    next: AtomicU64,
    /// Held while what is due is taken off, when `next` is not to be believed.
    taking: Mutex<()>,
}

impl Expiry {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            next: AtomicU64::new(NEVER),
            taking: Mutex::new(()),
        }
    }

    fn shard(&self, hash: Hash32) -> &Mutex<Wheel> {
        // the sets in the slots look at the lowest bits
        &self.shards[(hash.0 >> 24) as usize % SHARDS]
    }

    /// Notes when `entry` is due. Returns whether nothing was due before: whoever waits must be told.
    pub(super) fn note(&self, entry: &Entry) -> bool {
        let due = entry.deadline();
        if due == NEVER {
            return false;
        }
        let hash = entry.key().hash32();
        lock(self.shard(hash)).insert(due, hash);
        // most entries are due after others, which costs no write to what all threads share
        due < self.next.load(Ordering::Acquire)
            && self.next.fetch_min(due, Ordering::AcqRel) == NEVER
    }

    /// Takes out what was noted of `entry`, if it still is, and does not count for one of its `twins` as well.
    pub(super) fn forget(&self, entry: &Entry, twins: Twins<'_>) {
        let due = entry.deadline();
        if due == NEVER {
            return;
        }
        let hash = entry.key().hash32();
        let mut wheel = lock(self.shard(hash));
        let slot = wheel.slot(due);
        if !twins.any(|twin| wheel.slot(twin.deadline()) == slot) {
            wheel.remove(slot, hash);
        }
    }

    /// Whether something may be due.
    pub(super) fn is_due(&self, now: Tick) -> bool {
        self.next.load(Ordering::Acquire) <= now
    }

    /// When something may be due; `None` if nothing ever is.
    pub(super) fn next(&self) -> Option<Tick> {
        // while another thread takes what is due, `next` says nothing
        let _taking = lock(&self.taking);
        Some(self.next.load(Ordering::Acquire)).filter(|next| *next != NEVER)
    }

    /// The hashes of what is due, about `limit`, which are not noted any more. Locks shards of the `table` for reading, to see when
    /// those are due of which it is not known exactly.
    pub(super) fn take_due(&self, now: Tick, limit: usize, table: &Table) -> Vec<Hash32> {
        let mut due = Vec::new();
        let _taking = lock(&self.taking);
        if !self.is_due(now) {
            return due;
        }
        // set first: what is noted from here on lowers it again
        self.next.store(NEVER, Ordering::Release);
        for shard in &self.shards {
            let next = loop {
                let step = lock(shard).advance(now, limit, &mut due);
                match step {
                    Step::Reached(next) => break next,
                    // a shard of the table is always locked first. An entry that goes before it is noted again is not found
                    Step::Entered(hashes) => {
                        for hash in hashes.iter() {
                            table.read_all(hash, |entry| {
                                lock(shard).insert(entry.deadline(), hash);
                            });
                        }
                    }
                }
            };
            self.next.fetch_min(next, Ordering::AcqRel);
        }
        due
    }

    /// How many hashes are noted.
    #[cfg(test)]
    pub(super) fn noted(&self) -> usize {
        let count = |shard: &Mutex<Wheel>| {
            let wheel = lock(shard);
            let later = wheel.levels.iter().flat_map(|level| &level.slots);
            wheel.soon.len() + later.map(Hashes::len).sum::<usize>()
        };
        self.shards.iter().map(count).sum()
    }
}

/// Which entries are due when, of one shard.
#[derive(Default)]
struct Wheel {
    /// The time that it has come to.
    cursor: Tick,
    /// What is due in the finest slot that the cursor is in, or was due before, with the deadlines.
    soon: BTreeSet<(Tick, Hash32)>,
    levels: [Level; LEVELS],
}

#[derive(Default)]
struct Level {
    /// Made when it is first used.
    slots: Vec<Hashes>,
    /// Which slots hold something, by bits. They are all ahead of the one that the cursor is in.
    occupied: u64,
}

/// Where something is noted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Soon(Tick),
    Later { level: usize, nth: usize },
    Nowhere,
}

/// How far the cursor has come.
enum Step {
    /// To a slot, whose entries are to be noted anew.
    Entered(Hashes),
    /// As far as it goes now. Nothing is due before this.
    Reached(Tick),
}

/// How many bits of a tick tell nothing of the slot at `level`.
fn shift(level: usize) -> usize {
    FINEST + level * DIGIT
}

impl Wheel {
    /// Where something is noted that is due at `deadline`: at the level of the highest digit in which that differs from the
    /// cursor. So it stays in one slot until the cursor comes to that.
    fn slot(&self, deadline: Tick) -> Slot {
        let apart = (deadline ^ self.cursor) >> FINEST;
        if deadline == NEVER {
            return Slot::Nowhere;
        }
        if deadline <= self.cursor || apart == 0 {
            return Slot::Soon(deadline);
        }
        let level = apart.ilog2() as usize / DIGIT;
        #[allow(clippy::cast_possible_truncation, reason = "taken modulo the slots")]
        let nth = (deadline >> shift(level)) as usize % SLOTS;
        Slot::Later { level, nth }
    }

    fn insert(&mut self, deadline: Tick, hash: Hash32) {
        match self.slot(deadline) {
            Slot::Soon(deadline) => _ = self.soon.insert((deadline, hash)),
            Slot::Later { level, nth } => {
                let level = &mut self.levels[level];
                if level.slots.is_empty() {
                    level.slots.resize_with(SLOTS, Hashes::default);
                }
                level.slots[nth].insert(hash);
                level.occupied |= 1 << nth;
            }
            Slot::Nowhere => {}
        }
    }

    fn remove(&mut self, slot: Slot, hash: Hash32) {
        match slot {
            Slot::Soon(deadline) => _ = self.soon.remove(&(deadline, hash)),
            Slot::Later { level, nth } => {
                let level = &mut self.levels[level];
                let Some(slot) = level.slots.get_mut(nth) else {
                    return;
                };
                slot.remove(hash);
                if slot.is_empty() {
                    level.occupied &= !(1 << nth);
                }
            }
            Slot::Nowhere => {}
        }
    }

    /// Takes out what is due `now`, until there is `limit` of it, and goes on to the first slot before that which holds something.
    fn advance(&mut self, now: Tick, limit: usize, due: &mut Vec<Hash32>) -> Step {
        while let Some(first) = self.soon.first()
            && first.0 <= now
        {
            if due.len() >= limit {
                return Step::Reached(first.0);
            }
            due.extend(self.soon.pop_first().map(|(_, hash)| hash));
        }
        if let Some(first) = self.soon.first() {
            let next = first.0;
            self.cursor = self.cursor.max(now);
            return Step::Reached(next);
        }
        // what is at a finer level is due before all at coarser ones
        let finest = self.levels.iter().position(|level| level.occupied != 0);
        let Some(finest) = finest else {
            self.cursor = self.cursor.max(now);
            return Step::Reached(NEVER);
        };
        let level = &mut self.levels[finest];
        let nth = level.occupied.trailing_zeros();
        // the cursor's digits above this level are the slot's, too
        let row = (self.cursor >> shift(finest)) / SLOTS as u64;
        let begin = (row * SLOTS as u64 + u64::from(nth)) << shift(finest);
        if begin > now {
            self.cursor = self.cursor.max(now);
            return Step::Reached(begin);
        }
        self.cursor = begin;
        level.occupied &= !(1 << nth);
        Step::Entered(std::mem::take(&mut level.slots[nth as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::key::{Probe, Space};
    use crate::scope::{Level, Scope};

    fn entry(deadline: Tick, nth: u64) -> Arc<Entry> {
        let space = Space::programmatic(Level::global());
        let scope = Scope::global();
        let key = Probe::in_scope(space, &scope, &nth).and_then(|probe| probe.to_key());
        let entry = Entry::new(key.expect("a number serializes"), (), 1, true);
        entry.set_deadline(deadline);
        entry
    }

    /// Numbers that are spread over all scales.
    fn spread(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*seed >> 1) >> (*seed >> 58)
    }

    /// A table with entries in it, and when they are due.
    struct Schedule {
        table: Table,
        expiry: Expiry,
    }

    impl Schedule {
        fn new() -> Self {
            Self {
                table: Table::new(),
                expiry: Expiry::new(),
            }
        }

        fn insert(&self, entry: &Arc<Entry>) {
            self.table
                .insert(Arc::clone(entry), |entry, _| _ = self.expiry.note(entry));
        }

        fn remove(&self, entry: &Arc<Entry>) {
            let removed = |entry: &Entry, twins: Twins<'_>| self.expiry.forget(entry, twins);
            let is_it = |other: &Arc<Entry>| Arc::ptr_eq(other, entry);
            self.table.remove(entry.key().hash(), is_it, removed);
        }

        fn take_due(&self, now: Tick) -> Vec<Arc<Entry>> {
            let mut due = Vec::new();
            let hashes = self.expiry.take_due(now, 7, &self.table);
            let is_it = |entry: &Arc<Entry>| entry.is_expired(now);
            let removed = |entry: &Entry, twins: Twins<'_>| self.expiry.forget(entry, twins);
            self.table.remove_all(hashes, is_it, removed, &mut due);
            due
        }
    }

    #[test]
    fn what_is_due_comes_when_it_is_due_and_not_before() {
        let mut seed = 7;
        for _ in 0..200 {
            let schedule = Schedule::new();
            let mut left: Vec<Arc<Entry>> = (0..50).map(|n| entry(spread(&mut seed), n)).collect();
            for entry in &left {
                schedule.insert(entry);
            }
            let mut now = 0_u64;
            while !left.is_empty() {
                // some go otherwise
                if seed % 3 == 0
                    && let Some(gone) = left.pop()
                {
                    schedule.remove(&gone);
                }
                now = now.saturating_add(spread(&mut seed) >> 3);
                let mut due = Vec::new();
                while schedule.expiry.is_due(now) {
                    due.extend(schedule.take_due(now));
                }
                assert!(due.iter().all(|entry| entry.is_expired(now)));
                left.retain(|entry| !due.iter().any(|taken| Arc::ptr_eq(taken, entry)));
                assert!(left.iter().all(|entry| !entry.is_expired(now)), "at {now}");
                assert_eq!(schedule.expiry.noted(), left.len());
                let first = left.iter().map(|entry| entry.deadline()).min();
                let next = schedule.expiry.next();
                assert!(first.is_none() || next.is_some_and(|next| Some(next) <= first));
            }
            // what went otherwise left nothing behind
            assert!(schedule.take_due(NEVER - 1).is_empty());
            assert_eq!(schedule.expiry.next(), None);
        }
    }

    #[test]
    fn the_last_tick_before_never_is_like_any_other() {
        let schedule = Schedule::new();
        let last = entry(NEVER - 1, 0);
        assert!(schedule.expiry.note(&last));
        schedule.insert(&last);
        assert!(schedule.take_due(NEVER - 2).is_empty());
        assert_eq!(schedule.take_due(NEVER - 1).len(), 1);
        assert_eq!(schedule.expiry.next(), None);
    }
}

//! The schedule of expiries: a hierarchical timing wheel (Varghese and Lauck, 1987), as in Caffeine and tokio.
//!
//! An entry's handle is recorded in a slot of the level whose scale fits the distance to its deadline: 64 slots of 17 ms, then 64 of
//! about a second, of a minute, and so on. When time reaches a slot, the deadlines of its entries are read from the tables, and the
//! handles move to finer levels. A handle moves a few times in its entry's life. So the costs of adding and removing a handle do not
//! depend on the number of handles, and a removed entry leaves nothing behind.

use std::collections::BTreeSet;

use super::handle::Handle;
use super::handles::Handles;
use super::shards::Shards;
use crate::clock::{NEVER, Tick};
use crate::entry::Taken;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, lock};

const SHARDS: usize = 8;
const SLOTS: usize = 64;
/// The width of the finest slots in nanoseconds, as a power of two.
const FINEST: usize = 24;
/// What each level adds to that exponent.
const DIGIT: usize = SLOTS.ilog2() as usize;
/// Enough for any tick: the coarsest slots are 2^60 ns wide.
const LEVELS: usize = 7;

/// The schedule of all entries.
pub(super) struct Expiry {
    shards: [Mutex<Wheel>; SHARDS],
    /// Nothing is due before this.
    next: AtomicU64,
    /// Held while due entries are taken off the schedule. Meanwhile `next` is not reliable.
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

    fn shard(&self, handle: Handle) -> &Mutex<Wheel> {
        &self.shards[handle.shard() % SHARDS]
    }

    /// Schedules the entry at `handle` for `due`. Returns true if nothing was scheduled before. Then the caller must wake the sweeper.
    pub(super) fn note(&self, handle: Handle, due: Tick) -> bool {
        if due == NEVER {
            return false;
        }
        lock(self.shard(handle)).insert(due, handle);
        // most entries are due later than `next`, and for these no shared cache line is written
        due < self.next.load(Ordering::Acquire)
            && self.next.fetch_min(due, Ordering::AcqRel) == NEVER
    }

    /// Removes the entry at `handle`, which was scheduled for `due`, from the schedule.
    pub(super) fn forget(&self, handle: Handle, due: Tick) {
        if due == NEVER {
            return;
        }
        let mut wheel = lock(self.shard(handle));
        let slot = wheel.slot(due);
        wheel.remove(slot, handle);
    }

    /// As [`forget`](Self::forget), for entries that were removed from one shard together.
    pub(super) fn forget_all(&self, gone: &[Taken]) {
        let noted = |it: &&Taken| it.meta.deadline() != NEVER;
        let Some(first) = gone.iter().find(noted) else {
            return;
        };
        let mut wheel = lock(self.shard(first.handle()));
        if gone.len() > 1 {
            for taken in gone.iter().filter(noted) {
                wheel.touch(wheel.slot(taken.meta.deadline()), taken.handle());
            }
        }
        for taken in gone.iter().filter(noted) {
            let slot = wheel.slot(taken.meta.deadline());
            wheel.remove(slot, taken.handle());
        }
    }

    /// Whether an entry may be due.
    pub(super) fn is_due(&self, now: Tick) -> bool {
        self.next.load(Ordering::Acquire) <= now
    }

    /// The earliest time at which an entry may be due; `None` if nothing is scheduled.
    pub(super) fn next(&self) -> Option<Tick> {
        // while another thread takes due entries off, `next` is not reliable
        let _taking = lock(&self.taking);
        Some(self.next.load(Ordering::Acquire)).filter(|next| *next != NEVER)
    }

    /// Takes about `limit` due entries off the schedule and returns their handles. Locks shards of `entries` for reading, to read the
    /// deadlines of entries whose coarse slot the wheel has reached.
    pub(super) fn take_due(&self, now: Tick, limit: usize, entries: &Shards) -> Vec<Handle> {
        let mut due = Vec::new();
        let _taking = lock(&self.taking);
        if !self.is_due(now) {
            return due;
        }
        // reset first: entries that are scheduled from here on lower it again
        self.next.store(NEVER, Ordering::Release);
        for shard in &self.shards {
            let next = loop {
                let step = lock(shard).advance(now, limit, &mut due);
                match step {
                    Step::Reached(next) => break next,
                    // in the order of locks, a shard of the entries comes first; an entry that was removed meanwhile is not found
                    Step::Entered(handles) => {
                        for handle in handles.iter() {
                            entries.meta_at(handle, |meta| {
                                lock(shard).insert(meta.deadline(), handle);
                            });
                        }
                    }
                }
            };
            self.next.fetch_min(next, Ordering::AcqRel);
        }
        due
    }

    /// The number of scheduled entries.
    #[cfg(test)]
    pub(super) fn noted(&self) -> usize {
        let count = |shard: &Mutex<Wheel>| {
            let wheel = lock(shard);
            let later = wheel.levels.iter().flat_map(|level| &level.slots);
            wheel.soon.len() + later.map(Handles::len).sum::<usize>()
        };
        self.shards.iter().map(count).sum()
    }
}

/// The schedule of one shard.
#[derive(Default)]
struct Wheel {
    /// The time that the wheel has reached.
    cursor: Tick,
    /// The entries that are due in the finest slot at the cursor, or earlier, with their deadlines.
    soon: BTreeSet<(Tick, Handle)>,
    levels: [Level; LEVELS],
}

#[derive(Default)]
struct Level {
    /// Allocated on first use.
    slots: Vec<Handles>,
    /// A bit for each slot that is not empty. All of them are ahead of the cursor's slot.
    occupied: u64,
}

/// Where a deadline is recorded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Soon(Tick),
    Later { level: usize, nth: usize },
    Nowhere,
}

/// How far the cursor has moved.
enum Step {
    /// To a slot, whose entries must be rescheduled.
    Entered(Handles),
    /// As far as possible for now. Nothing is due before this tick.
    Reached(Tick),
}

/// The number of low bits of a tick that do not matter for the slot at `level`.
fn shift(level: usize) -> usize {
    FINEST + level * DIGIT
}

impl Wheel {
    /// The slot for `deadline`, at the level of the highest digit in which the deadline differs from the cursor. So an entry stays in
    /// its slot until the cursor reaches the slot.
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

    fn insert(&mut self, deadline: Tick, handle: Handle) {
        match self.slot(deadline) {
            Slot::Soon(deadline) => _ = self.soon.insert((deadline, handle)),
            Slot::Later { level, nth } => {
                let level = &mut self.levels[level];
                if level.slots.is_empty() {
                    level.slots.resize_with(SLOTS, Handles::default);
                }
                level.slots[nth].insert(handle);
                level.occupied |= 1 << nth;
            }
            Slot::Nowhere => {}
        }
    }

    /// Reads the memory that a removal will read; see [`touch`](super::handles::touch).
    fn touch(&self, slot: Slot, handle: Handle) {
        if let Slot::Later { level, nth } = slot
            && let Some(slot) = self.levels[level].slots.get(nth)
        {
            slot.touch(handle);
        }
    }

    fn remove(&mut self, slot: Slot, handle: Handle) {
        match slot {
            Slot::Soon(deadline) => _ = self.soon.remove(&(deadline, handle)),
            Slot::Later { level, nth } => {
                let level = &mut self.levels[level];
                let Some(slot) = level.slots.get_mut(nth) else {
                    return;
                };
                slot.remove(handle);
                if slot.is_empty() {
                    // there are thousands of slots, and spare capacity in each would add up
                    *slot = Handles::default();
                    level.occupied &= !(1 << nth);
                }
            }
            Slot::Nowhere => {}
        }
    }

    /// Moves the handles of entries that are due at `now` into `due`, until that holds `limit`. Once no more are due, advances the
    /// cursor to `now`, or only to the first non-empty slot on the way, which is then emptied.
    fn advance(&mut self, now: Tick, limit: usize, due: &mut Vec<Handle>) -> Step {
        while let Some(first) = self.soon.first()
            && first.0 <= now
        {
            if due.len() >= limit {
                return Step::Reached(first.0);
            }
            due.extend(self.soon.pop_first().map(|(_, handle)| handle));
        }
        if let Some(first) = self.soon.first() {
            let next = first.0;
            self.cursor = self.cursor.max(now);
            return Step::Reached(next);
        }
        // every entry at a finer level is due before all entries at coarser levels
        let finest = self.levels.iter().position(|level| level.occupied != 0);
        let Some(finest) = finest else {
            self.cursor = self.cursor.max(now);
            return Step::Reached(NEVER);
        };
        let level = &mut self.levels[finest];
        let nth = level.occupied.trailing_zeros();
        // above this level, the slot has the same digits as the cursor
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

    use crate::entry::{Meta, NO_SEAT, NewEntry, Tie};
    use crate::key::{Key, Probe, Space};
    use crate::scope::{Level, Scope};

    fn due(deadline: Tick, nth: u64) -> Due {
        let space = Space::programmatic(Level::global());
        let scope = Scope::global();
        let key = Probe::in_scope(space, &scope, &nth).and_then(|probe| probe.to_key());
        (key.expect("a number serializes"), deadline)
    }

    /// Pseudorandom numbers of all magnitudes.
    fn spread(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*seed >> 1) >> (*seed >> 58)
    }

    /// Entries and their schedule.
    struct Schedule {
        entries: Shards,
        expiry: Expiry,
    }

    /// The key and the deadline of an entry.
    type Due = (Key, Tick);

    impl Schedule {
        fn new() -> Self {
            Self {
                entries: Shards::new(),
                expiry: Expiry::new(),
            }
        }

        /// Returns whether nothing was scheduled before.
        fn insert(&self, (key, deadline): &Due) -> bool {
            let meta = Meta::new(key.clone(), *deadline, NO_SEAT, Tie::Copy, false);
            let mut entry = NewEntry::new(key.clone(), (), 1, true);
            let mut first = false;
            self.entries
                .insert(meta, None, &mut *entry.value, false, |handle, _| {
                    first = self.expiry.note(handle, *deadline);
                });
            first
        }

        fn remove(&self, (key, _): &Due) {
            self.entries.remove_key(key, |handle, meta| {
                self.expiry.forget(handle, meta.deadline());
            });
        }

        fn take_due(&self, now: Tick) -> Vec<Due> {
            let mut due: Vec<Taken> = Vec::new();
            let handles = self.expiry.take_due(now, 7, &self.entries);
            let removed = |gone: &[Taken]| self.expiry.forget_all(gone);
            self.entries
                .remove_all(handles, |_, meta| meta.is_expired(now), removed, &mut due);
            let due = due.into_iter().map(|taken| taken.meta);
            due.map(|meta| (meta.key.clone(), meta.deadline()))
                .collect()
        }
    }

    #[test]
    fn what_has_gone_leaves_no_room_behind() {
        let schedule = Schedule::new();
        // in slots of all levels but the coarsest, alone and with others
        let slots = (0..LEVELS - 1).flat_map(|level| (1..64_u64).map(move |nth| (level, nth)));
        let all: Vec<Due> = slots
            .flat_map(|(level, nth)| (0..=nth % 3).map(move |other| (nth << shift(level)) + other))
            .zip(0..)
            .map(|(deadline, nth)| due(deadline, nth))
            .collect();
        for entry in &all {
            schedule.insert(entry);
        }
        for entry in &all {
            schedule.remove(entry);
        }
        let room = schedule.expiry.shards.iter().map(|shard| {
            let wheel = lock(shard);
            let slots = wheel.levels.iter().flat_map(|level| &level.slots);
            slots.map(Handles::room).sum::<usize>()
        });
        assert_eq!(room.sum::<usize>(), 0);
    }

    #[test]
    fn what_is_due_comes_when_it_is_due_and_not_before() {
        let mut seed = 7;
        for _ in 0..200 {
            let schedule = Schedule::new();
            let mut left: Vec<Due> = (0..50).map(|n| due(spread(&mut seed), n)).collect();
            for entry in &left {
                schedule.insert(entry);
            }
            let mut now = 0_u64;
            while !left.is_empty() {
                // some entries are removed without expiring
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
                assert!(due.iter().all(|(_, deadline)| *deadline <= now));
                left.retain(|entry| !due.contains(entry));
                assert!(left.iter().all(|(_, deadline)| *deadline > now), "at {now}");
                assert_eq!(schedule.expiry.noted(), left.len());
                let first = left.iter().map(|(_, deadline)| *deadline).min();
                let next = schedule.expiry.next();
                assert!(first.is_none() || next.is_some_and(|next| Some(next) <= first));
            }
            // the entries that were removed without expiring left nothing behind
            assert_eq!(schedule.take_due(NEVER - 1).len(), 0);
            assert_eq!(schedule.expiry.next(), None);
        }
    }

    #[test]
    fn the_last_tick_before_never_is_like_any_other() {
        let schedule = Schedule::new();
        assert!(schedule.insert(&due(NEVER - 1, 0)));
        assert_eq!(schedule.take_due(NEVER - 2).len(), 0);
        assert_eq!(schedule.take_due(NEVER - 1).len(), 1);
        assert_eq!(schedule.expiry.next(), None);
    }
}

//! The schedule of expiries: a hierarchical timing wheel (Varghese and Lauck, 1987; Caffeine's is one too).
//!
//! An entry sits in a slot of the level on whose scale its deadline is near: 64 slots of 17 ms, then 64 of about a second, of a
//! minute, and so on. When time comes to a slot of a coarser level, its entries move to finer ones, each a few times in its
//! life. So noting an entry and taking one out cost the same however many there are, and what has gone leaves nothing behind.

use std::sync::Arc;

use super::roster::Roster;
use crate::clock::{NEVER, Tick};
use crate::entry::{Entry, Seat};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, lock};

const SHARDS: usize = 8;
const SLOTS: u32 = 64;
/// The width of the finest slots, as a power of two of nanoseconds.
const FINEST: u32 = 24;
/// Enough for any tick: the coarsest slots are 2^60 ns wide.
const LEVELS: u32 = 7;

/// Which entries are due when.
pub(super) struct Expiry {
    shards: [Mutex<Wheel>; SHARDS],
    /// Nothing is due before this.
    next: AtomicU64,
    /// Held while what is due is taken off, when `next` is not to be believed.
    taking: Mutex<()>,
}

fn seat(entry: &Entry) -> &Seat {
    &entry.due
}

impl Expiry {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            next: AtomicU64::new(NEVER),
            taking: Mutex::new(()),
        }
    }

    fn shard(&self, entry: &Entry) -> &Mutex<Wheel> {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "taken modulo the number of shards"
        )]
        &self.shards[(entry.key().hash() >> 32) as usize % SHARDS]
    }

    /// Notes when `entry` is due. Returns whether nothing was due before: whoever waits must be told.
    pub(super) fn note(&self, entry: &Arc<Entry>) -> bool {
        if entry.deadline() == NEVER {
            return false;
        }
        lock(self.shard(entry)).place(Arc::clone(entry));
        let due = entry.deadline();
        // most entries are due after others, which costs no write to what all threads share
        due < self.next.load(Ordering::Acquire)
            && self.next.fetch_min(due, Ordering::AcqRel) == NEVER
    }

    /// Takes `entry` out, if it is in.
    pub(super) fn forget(&self, entry: &Entry) {
        if entry.deadline() == NEVER {
            return;
        }
        let mut wheel = lock(self.shard(entry));
        if let Some((slot, place)) = entry.due.taken() {
            wheel.remove(slot, place);
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

    /// What is due, about `limit` of it, taken out.
    pub(super) fn take_due(&self, now: Tick, limit: usize) -> Vec<Arc<Entry>> {
        let mut due = Vec::new();
        let _taking = lock(&self.taking);
        if !self.is_due(now) {
            return due;
        }
        // set first: what is noted from here on lowers it again
        self.next.store(NEVER, Ordering::Release);
        for shard in &self.shards {
            let mut wheel = lock(shard);
            let all = wheel.advance(now, limit, &mut due);
            let next = if all { wheel.next() } else { now };
            self.next.fetch_min(next, Ordering::AcqRel);
        }
        due
    }
}

/// Which entries are due when, of one shard.
#[derive(Default)]
struct Wheel {
    /// All that was due before has been taken out. At each level, the slot that it is in and those before are empty, but for the
    /// finest level's, which has what is due in it.
    cursor: Tick,
    levels: [Level; LEVELS as usize],
}

#[derive(Default)]
struct Level {
    /// Made when it is first used.
    slots: Vec<Roster>,
    /// Which slots hold something, by bits.
    occupied: u64,
}

impl Level {
    fn slot(&mut self, slot: u32) -> &mut Roster {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS as usize, Roster::default);
        }
        &mut self.slots[slot as usize]
    }
}

/// How many bits of a tick tell nothing of the slot at `level`.
fn shift(level: u32) -> u32 {
    FINEST + level * SLOTS.ilog2()
}

/// The slot of `tick` at `level`.
#[allow(clippy::cast_possible_truncation, reason = "below the number of slots")]
fn slot_of(tick: Tick, level: u32) -> u32 {
    ((tick >> shift(level)) % u64::from(SLOTS)) as u32
}

impl Wheel {
    fn place(&mut self, entry: Arc<Entry>) {
        let at = entry.deadline().max(self.cursor);
        let near =
            |level: &u32| (at >> shift(*level)) - (self.cursor >> shift(*level)) < u64::from(SLOTS);
        // at the coarsest level everything is near
        let level = (0..LEVELS).find(near).unwrap_or(LEVELS - 1);
        let slot = slot_of(at, level);
        let row = &mut self.levels[level as usize];
        row.slot(slot).push(entry, level * SLOTS + slot, seat);
        row.occupied |= 1 << slot;
    }

    fn remove(&mut self, seat_number: u32, place: usize) -> Option<Arc<Entry>> {
        let (level, slot) = (seat_number / SLOTS, seat_number % SLOTS);
        let row = &mut self.levels[level as usize];
        let roster = row.slot(slot);
        let removed = roster.remove(place, seat);
        if roster.is_empty() {
            row.occupied &= !(1 << slot);
        }
        removed
    }

    /// Takes out what is due `now`, until there is `limit` of it. Returns whether that was all.
    fn advance(&mut self, now: Tick, limit: usize, due: &mut Vec<Arc<Entry>>) -> bool {
        loop {
            self.take_from_finest(now, limit, due);
            if due.len() >= limit {
                return false;
            }
            if self.cursor >= now {
                return true;
            }
            // what is in a slot of some level is due after that slot begins, so time jumps to where the next one of the finest
            // level that holds anything may begin
            let level = (0..LEVELS).find(|level| self.levels[*level as usize].occupied != 0);
            let width = level.map_or(0, |level| 1_u64 << shift(level));
            let next = (self.cursor / width.max(1))
                .saturating_add(1)
                .checked_mul(width);
            match next.filter(|next| *next > self.cursor && *next <= now) {
                Some(next) => self.enter(next),
                None => {
                    self.cursor = now;
                    return true;
                }
            }
        }
    }

    /// Takes out what is due in the finest slot that the cursor is in.
    fn take_from_finest(&mut self, now: Tick, limit: usize, due: &mut Vec<Arc<Entry>>) {
        let slot = slot_of(self.cursor, 0);
        let row = &mut self.levels[0];
        if row.occupied & (1 << slot) == 0 {
            return;
        }
        let roster = row.slot(slot);
        let places: Vec<usize> = roster
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.is_expired(now))
            .map(|(place, _)| place)
            .take(limit.saturating_sub(due.len()))
            .collect();
        // from the last one on, since the place of one that is taken out is filled by the last of all
        due.extend(
            places
                .into_iter()
                .rev()
                .filter_map(|place| roster.remove(place, seat)),
        );
        if roster.is_empty() {
            row.occupied &= !(1 << slot);
        }
    }

    /// Moves the cursor to `tick`, where a slot begins, and what is in coarser slots that begin there to finer ones.
    fn enter(&mut self, tick: Tick) {
        self.cursor = tick;
        for level in (1..LEVELS).rev() {
            let begins = tick.trailing_zeros() >= shift(level);
            let slot = slot_of(tick, level);
            let row = &mut self.levels[level as usize];
            if !begins || row.occupied & (1 << slot) == 0 {
                continue;
            }
            row.occupied &= !(1 << slot);
            let entries = std::mem::take(row.slot(slot)).dissolve(seat);
            for entry in entries {
                self.place(entry);
            }
        }
    }

    /// Nothing is due before this.
    fn next(&self) -> Tick {
        let first = |level: u32| {
            let row = &self.levels[level as usize];
            let current = slot_of(self.cursor, level);
            let ahead = row.occupied.rotate_right(current).trailing_zeros();
            (row.occupied != 0).then(|| {
                let slot = (self.cursor >> shift(level)) + u64::from(ahead);
                // the slot that the cursor is in is a few milliseconds: it need not be known better
                (slot << shift(level)).max(self.cursor.saturating_add(1))
            })
        };
        (0..LEVELS).filter_map(first).min().unwrap_or(NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn what_is_due_comes_when_it_is_due_and_not_before() {
        let mut seed = 7;
        for _ in 0..200 {
            let expiry = Expiry::new();
            let mut left: Vec<Arc<Entry>> = (0..50).map(|n| entry(spread(&mut seed), n)).collect();
            for entry in &left {
                expiry.note(entry);
            }
            let mut now = 0_u64;
            while !left.is_empty() {
                // some go otherwise
                if seed % 3 == 0
                    && let Some(gone) = left.pop()
                {
                    expiry.forget(&gone);
                }
                now = now.saturating_add(spread(&mut seed) >> 3);
                let mut due = Vec::new();
                while expiry.is_due(now) {
                    let taken = expiry.take_due(now, 7);
                    if taken.is_empty() {
                        break;
                    }
                    due.extend(taken);
                }
                assert!(due.iter().all(|entry| entry.is_expired(now)));
                left.retain(|entry| !due.iter().any(|taken| Arc::ptr_eq(taken, entry)));
                assert!(left.iter().all(|entry| !entry.is_expired(now)), "at {now}");
                let first = left.iter().map(|entry| entry.deadline()).min();
                assert!(first.is_none() || expiry.next().is_some_and(|next| Some(next) <= first));
            }
            // what went otherwise left nothing behind
            assert!(expiry.take_due(NEVER - 1, 7).is_empty());
            assert_eq!(expiry.next(), None);
        }
    }

    #[test]
    fn the_last_tick_before_never_is_like_any_other() {
        let expiry = Expiry::new();
        let last = entry(NEVER - 1, 0);
        assert!(expiry.note(&last));
        assert!(expiry.take_due(NEVER - 2, 10).is_empty());
        assert_eq!(expiry.take_due(NEVER - 1, 10).len(), 1);
        assert_eq!(expiry.next(), None);
    }
}

//! The schedule of expiries: what is due by when, so that freeing it needs no walk over the store.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::{NEVER, Tick};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, lock};

const SHARDS: usize = 8;

/// Which entry is due when. It holds neither key nor value, so what has gone otherwise is not kept alive by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) at: Tick,
    pub(super) hash: u64,
    pub(super) id: u64,
}

pub(super) struct Expiry {
    shards: [Mutex<Schedule>; SHARDS],
    /// Nothing is due before this.
    next: AtomicU64,
    /// Held while what is due is taken off, when `next` is not to be believed.
    taking: Mutex<()>,
}

struct Schedule {
    heap: BinaryHeap<Reverse<Due>>,
    /// At this many records, those of entries that have gone are dropped.
    limit: usize,
}

/// A schedule is not searched for records of the dead before it has this many.
const SLACK: usize = 256;

impl Expiry {
    pub(super) fn new() -> Self {
        let shard = |_| {
            Mutex::new(Schedule {
                heap: BinaryHeap::new(),
                limit: SLACK,
            })
        };
        Self {
            shards: std::array::from_fn(shard),
            next: AtomicU64::new(NEVER),
            taking: Mutex::new(()),
        }
    }

    /// Notes that an entry, which is in the store by now, is due. `alive` tells whether a noted entry is still there. Returns whether nothing was due
    /// before: whoever waits must be told.
    pub(super) fn note(&self, due: Due, alive: impl Fn(Due) -> bool) -> bool {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "taken modulo the number of shards"
        )]
        let shard = &self.shards[(due.hash >> 32) as usize % SHARDS];
        {
            let mut schedule = lock(shard);
            schedule.heap.push(Reverse(due));
            if schedule.heap.len() > schedule.limit {
                schedule.forget(alive);
            }
        }
        self.next.fetch_min(due.at, Ordering::AcqRel) == NEVER
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

    /// What is due, up to `limit` of it, taken off the schedule.
    pub(super) fn take_due(&self, now: Tick, limit: usize) -> Vec<Due> {
        let mut due = Vec::new();
        let _taking = lock(&self.taking);
        if !self.is_due(now) {
            return due;
        }
        // set first: what is noted from here on lowers it again
        self.next.store(NEVER, Ordering::Release);
        for shard in &self.shards {
            let mut schedule = lock(shard);
            let is_due = |Reverse(first): &Reverse<Due>| first.at <= now;
            while due.len() < limit && schedule.heap.peek().is_some_and(is_due) {
                due.extend(schedule.heap.pop().map(|Reverse(first)| first));
            }
            if let Some(Reverse(first)) = schedule.heap.peek() {
                self.next.fetch_min(first.at, Ordering::AcqRel);
            }
        }
        due
    }

    /// Drops the records of what is not `alive`.
    pub(super) fn forget(&self, alive: impl Fn(Due) -> bool) {
        for shard in &self.shards {
            lock(shard).forget(&alive);
        }
    }
}

impl Schedule {
    fn forget(&mut self, alive: impl Fn(Due) -> bool) {
        self.heap.retain(|Reverse(noted)| alive(*noted));
        self.heap.shrink_to_fit();
        self.limit = 2 * self.heap.len() + SLACK;
    }
}

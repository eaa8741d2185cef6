//! Counting without contention: each thread counts in its own cells, and reading adds them up.
//!
//! A cell has one writing thread at a time, which uses a plain load and store. No hit of one thread touches a cache line that a hit of
//! another thread writes. When a thread ends, its cells with their counts wait for the next thread. When a cache ends, its cells are
//! zeroed and wait for the next cache. So no cell is ever freed, and a thread can remember where it last counted.

use std::cell::{Cell as StdCell, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use cacheado_backends::{Key, Space};

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Hit,
    Miss,
    Load,
    Eviction,
    Expiration,
    BackendError,
    /// The shared tier was not asked, though it could have been.
    BackendSkip,
    KeyError,
    /// A call was answered with a value past its lifetime.
    StaleHit,
    /// A body ran in the background for a value that is still there.
    Refresh,
    /// A body failed while there was a stand-in.
    Failure,
    /// A caller stopped waiting for a body.
    Timeout,
}

/// Two cache lines, of which a hit touches only the first.
const EVENTS: usize = 16;

/// The counts of one function in one thread, by event.
#[repr(align(64))]
#[derive(Default)]
struct Cell([AtomicU64; EVENTS]);

impl Cell {
    /// Adds one. Only for the thread that owns the cell.
    #[inline]
    fn count(&self, event: Event) {
        let count = &self.0[event as usize];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// The counts of one function, by event.
pub(crate) type Tally = [u64; EVENTS];

/// The cells of one thread for one cache, by space. Bucket `n` has room for `FIRST << n` pages. A bucket and a page are created when a
/// space in them is first counted, so counting never moves a cell.
#[derive(Default)]
struct Cells([OnceLock<Box<[Page]>>; 25]);

/// The cells of spaces with consecutive numbers. Pages keep a cache from paying for many spaces that it does not count.
type Page = OnceLock<Box<[Cell; PAGE as usize]>>;

const PAGE: u32 = 8;
const FIRST: u32 = 32;

impl Cells {
    fn cell(&self, space: u32) -> Option<&Cell> {
        let place = u64::from(space / PAGE) + u64::from(FIRST);
        let bucket = (place.ilog2() - FIRST.ilog2()) as usize;
        let size = u64::from(FIRST) << bucket;
        let pages = self
            .0
            .get(bucket)?
            .get_or_init(|| (0..size).map(|_| Page::new()).collect());
        let page = pages.get(usize::try_from(place - size).ok()?)?;
        let cells = page.get_or_init(Box::default);
        cells.get((space % PAGE) as usize)
    }

    fn zero(&self) {
        let pages = self.0.iter().filter_map(OnceLock::get).flatten();
        for cell in pages.filter_map(OnceLock::get).flat_map(|it| it.iter()) {
            cell.0
                .iter()
                .for_each(|count| count.store(0, Ordering::Relaxed));
        }
    }

    fn add_to(&self, tallies: &mut BTreeMap<u32, Tally>) {
        for (nth, bucket) in self.0.iter().enumerate() {
            let first = ((FIRST << nth) - FIRST) * PAGE;
            let pages = bucket.get().into_iter().flatten();
            for (first, page) in (first..).step_by(PAGE as usize).zip(pages) {
                let cells = page.get().into_iter().flat_map(|cells| cells.iter());
                for (space, cell) in (first..).zip(cells) {
                    let counts = cell.0.each_ref().map(|count| count.load(Ordering::Relaxed));
                    if counts != Tally::default() {
                        let tally = tallies.entry(space).or_default();
                        tally
                            .iter_mut()
                            .zip(counts)
                            .for_each(|(sum, count)| *sum += count);
                    }
                }
            }
        }
    }
}

/// The counters of one cache.
pub(crate) struct Counters {
    /// Not zero, and unique in this process.
    id: u64,
    threads: Mutex<Threads>,
    /// For a thread that is ending and has no cells any more.
    last: Cells,
    /// The sums at the last reset.
    zero: Mutex<BTreeMap<u32, Tally>>,
}

#[derive(Default)]
struct Threads {
    all: Vec<&'static Cells>,
    /// The cells of threads that have ended.
    idle: Vec<&'static Cells>,
}

/// Zeroed cells of caches that have ended.
static SPARE: Mutex<Vec<&'static Cells>> = Mutex::new(Vec::new());

/// This thread's cells for each cache that it has counted for, the last used first.
#[derive(Default)]
struct Local(Vec<(Weak<Counters>, &'static Cells)>);

/// Where this thread counts for one cache and one space.
#[derive(Clone, Copy)]
struct Known {
    /// The id of the counters; 0: nothing is remembered.
    counters: u64,
    space: u32,
    cell: Option<&'static Cell>,
}

const NOTHING: Known = Known {
    counters: 0,
    space: 0,
    cell: None,
};

/// The number of places that a thread remembers.
const KNOWN: usize = 16;

thread_local! {
    static LOCAL: RefCell<Local> = const { RefCell::new(Local(Vec::new())) };
    static LAST: [StdCell<Known>; KNOWN] = const {
        [const { StdCell::new(NOTHING) }; KNOWN]
    };
}

impl Default for Counters {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            threads: Mutex::default(),
            last: Cells::default(),
            zero: Mutex::default(),
        }
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        let threads = self
            .threads
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        threads.all.iter().for_each(|cells| cells.zero());
        lock(&SPARE).append(&mut threads.all);
    }
}

impl Counters {
    #[inline]
    pub(crate) fn count(self: &Arc<Self>, space: &Space, event: Event) {
        self.count_in(space.id(), || space, event);
    }

    /// As [`count`](Self::count) for the space of `key`, which is not looked up while the thread remembers where to count. Not
    /// inlined: hits don't use it.
    #[inline(never)]
    pub(crate) fn count_key(self: &Arc<Self>, key: &Key, event: Event) {
        self.count_in(key.space_id(), || key.space(), event);
    }

    /// Counts in the space with this number, which `space` looks up.
    #[inline]
    fn count_in<'s>(
        self: &Arc<Self>,
        number: u32,
        space: impl FnOnce() -> &'s Space,
        event: Event,
    ) {
        let known = LAST.with(|last| last[self.place_of(number)].get());
        match known.cell {
            Some(cell) if known.counters == self.id && known.space == number => {
                cell.count(event);
            }
            _ => self.count_elsewhere(space(), event),
        }
    }

    /// The slot in which a thread remembers the place. Chosen so that neither one function in several caches nor several functions in
    /// one cache displace each other.
    #[inline]
    fn place_of(&self, space: u32) -> usize {
        #[allow(clippy::cast_possible_truncation, reason = "taken modulo the places")]
        let place = (self.id as usize).wrapping_add(space as usize) % KNOWN;
        place
    }

    #[cold]
    fn count_elsewhere(self: &Arc<Self>, space: &Space, event: Event) {
        let cell = LOCAL.try_with(|local| {
            let mut local = local.try_borrow_mut().ok()?;
            local.cells(self).cell(space.id())
        });
        let Ok(Some(cell)) = cell else {
            return self.count_last(space, event);
        };
        cell.count(event);
        let known = Known {
            counters: self.id,
            space: space.id(),
            cell: Some(cell),
        };
        LAST.with(|last| last[self.place_of(space.id())].set(known));
    }

    #[cold]
    fn count_last(&self, space: &Space, event: Event) {
        if let Some(cell) = self.last.cell(space.id()) {
            cell.0[event as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sums(&self) -> BTreeMap<u32, Tally> {
        let mut sums = BTreeMap::new();
        for cells in &lock(&self.threads).all {
            cells.add_to(&mut sums);
        }
        self.last.add_to(&mut sums);
        sums
    }

    /// The counts since the last reset, by space.
    pub(crate) fn tallies(&self) -> BTreeMap<u32, Tally> {
        let zero = lock(&self.zero);
        let mut tallies = self.sums();
        for (space, tally) in &mut tallies {
            if let Some(zero) = zero.get(space) {
                tally
                    .iter_mut()
                    .zip(zero)
                    .for_each(|(count, zero)| *count = count.saturating_sub(*zero));
            }
        }
        tallies
    }

    pub(crate) fn reset(&self) {
        let mut zero = lock(&self.zero);
        *zero = self.sums();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Local {
    fn cells(&mut self, counters: &Arc<Counters>) -> &'static Cells {
        let is_it = |(owner, _): &(Weak<Counters>, &'static Cells)| {
            std::ptr::eq(owner.as_ptr(), Arc::as_ptr(counters))
        };
        if !self.0.first().is_some_and(is_it) {
            self.bring_to_front(counters);
        }
        self.0[0].1
    }

    #[cold]
    fn bring_to_front(&mut self, counters: &Arc<Counters>) {
        let is_it = |(owner, _): &(Weak<Counters>, &'static Cells)| {
            std::ptr::eq(owner.as_ptr(), Arc::as_ptr(counters))
        };
        let place = self.0.iter().position(is_it).unwrap_or_else(|| {
            self.0.retain(|(owner, _)| owner.strong_count() > 0);
            let mut threads = lock(&counters.threads);
            let cells = threads.idle.pop().unwrap_or_else(|| {
                let spare = lock(&SPARE).pop();
                let cells = spare.unwrap_or_else(|| Box::leak(Box::default()));
                threads.all.push(cells);
                cells
            });
            self.0.push((Arc::downgrade(counters), cells));
            self.0.len() - 1
        });
        self.0.swap(0, place);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // other destructors of this thread may still count, and must not use these cells any more
        LAST.with(|last| last.iter().for_each(|known| known.set(NOTHING)));
        for (counters, cells) in self.0.drain(..) {
            if let Some(counters) = counters.upgrade() {
                lock(&counters.threads).idle.push(cells);
            }
        }
    }
}

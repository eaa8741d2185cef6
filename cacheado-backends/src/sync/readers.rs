//! Who reads what: a board on which each thread has a place of its own, for the lock that it reads.
//!
//! There is one for the whole process. A thread takes its place when it first reads, and gives it back when it ends. One that comes when
//! all are taken has none as long as it lives, and who has one and reads a second lock has none for that.
//!
//! Nothing here is unsafe by itself, but that a [lock](super::read_mostly) is sound rests on it: on a place only its thread writes, a
//! place that says that a lock is read is not passed on, and whoever writes sees all places. (So two copies of this crate in one process,
//! each with a board of its own, must not share a store.)

use std::cell::Cell;
use std::hint::cold_path;

use crossbeam_utils::CachePadded;

use super::atomic::{AtomicBool, AtomicUsize, Ordering};
use super::thread_local;

/// How many of the threads that live at a time can have a place. Who writes looks at as many as were ever taken.
pub(super) const PLACES: usize = if cfg!(any(shuttle, miri)) { 2 } else { 64 };

/// What a place says of a thread that reads no lock.
const NOTHING: usize = 0;
/// Where no lock lies.
const NOWHERE: usize = 1;

/// The address of the lock that a thread reads.
pub(super) struct Place {
    reads: AtomicUsize,
    taken: AtomicBool,
}

impl Place {
    const fn new(reads: usize) -> Self {
        Self {
            reads: AtomicUsize::new(reads),
            taken: AtomicBool::new(false),
        }
    }

    /// Says that its thread reads `lock`; false if it can't, since it says so of another.
    #[inline]
    fn enter(&self, lock: usize) -> bool {
        // nobody but its thread writes to it
        if self.reads.load(Ordering::Relaxed) != NOTHING {
            cold_path();
            return false;
        }
        self.reads.store(lock, Ordering::SeqCst);
        true
    }

    /// Says that its thread reads nothing any more.
    #[inline]
    pub(super) fn leave(&self) {
        self.reads.store(NOTHING, Ordering::Release);
    }

    /// Whether it is some thread's.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::SeqCst)
    }

    /// Whether its thread reads `lock`. If not, what it has read of it was read before.
    #[inline]
    pub(super) fn is_at(&self, lock: usize) -> bool {
        self.reads.load(Ordering::SeqCst) == lock
    }
}

struct Board {
    places: [CachePadded<Place>; PLACES],
    /// So many of them were ever taken: the first ones.
    used: AtomicUsize,
    /// The place of those that have none: it is never free.
    none: Place,
}

impl Board {
    const fn new() -> Self {
        Self {
            places: [const { CachePadded::new(Place::new(NOTHING)) }; PLACES],
            used: AtomicUsize::new(0),
            none: Place::new(NOWHERE),
        }
    }

    fn take(&self) -> &Place {
        for (nth, place) in self.places.iter().enumerate() {
            // looked at first, which takes the cache line from no thread that reads
            if !place.taken.load(Ordering::Relaxed) && !place.taken.swap(true, Ordering::Acquire) {
                self.used.fetch_max(nth + 1, Ordering::SeqCst);
                return place;
            }
        }
        &self.none
    }
}

#[cfg(not(shuttle))]
fn board() -> &'static Board {
    static BOARD: Board = Board::new();
    &BOARD
}

/// One for each schedule that is tried.
#[cfg(shuttle)]
fn board() -> &'static Board {
    shuttle::lazy_static! {
        static ref BOARD: Board = Board::new();
    }
    &BOARD
}

/// A thread's place, once it has one. It is given back with this.
struct Lease(Cell<Option<&'static Place>>);

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(place) = self.0.get()
            // a guard that outlives it, in another thread-local or forgotten, keeps the place
            && place.reads.load(Ordering::Relaxed) == NOTHING
        {
            place.taken.store(false, Ordering::Release);
        }
    }
}

thread_local! {
    static MINE: Lease = const { Lease(Cell::new(None)) };
}

/// Says that the current thread reads `lock`, at its place. `None`: it has none, or says there that it reads another.
#[inline]
pub(super) fn enter(lock: usize) -> Option<&'static Place> {
    #[cold]
    fn take(lease: &Lease) -> &'static Place {
        let place = board().take();
        lease.0.set(Some(place));
        place
    }

    let entered = MINE.try_with(|lease| {
        let place = match lease.0.get() {
            Some(place) => place,
            None => take(lease),
        };
        place.enter(lock).then_some(place)
    });
    // a thread that ends may have given it back
    entered.ok().flatten()
}

/// All places that were ever taken.
pub(super) fn all() -> impl Iterator<Item = &'static Place> {
    let board = board();
    let used = board.used.load(Ordering::SeqCst);
    board.places[..used].iter().map(|place| &**place)
}

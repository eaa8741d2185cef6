//! The record of which thread reads which lock: a board on which each thread has a place of its own.
//!
//! There is one board for the whole process. A thread takes its place when it first reads, and gives it back when it ends. A thread
//! that first reads while all places are taken never gets one. A place records one lock, so a thread that reads a second lock at the
//! same time has no place for the second.
//!
//! Nothing here is unsafe by itself, but the soundness of the [lock](super::read_mostly) rests on three properties: only the thread
//! that owns a place writes to it, a place that records a lock is not passed on to another thread, and a writer sees all places. (So
//! two copies of this crate in one process, each with a board of its own, must not share a store.)

use std::cell::Cell;
use std::hint::cold_path;

use crossbeam_utils::CachePadded;

use super::atomic::{AtomicBool, AtomicUsize, Ordering};
use super::thread_local;

/// The most threads that can have a place at a time. A writer reads as many places as were ever taken.
pub(super) const PLACES: usize = if cfg!(any(shuttle, miri)) { 2 } else { 64 };

/// The record of a thread that reads no lock.
const NOTHING: usize = 0;
/// An address at which there is no lock.
const NOWHERE: usize = 1;

/// A place: the address of the lock that its thread reads.
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

    /// Records that the thread reads `lock`. Returns false if the place records another lock already.
    #[inline]
    fn enter(&self, lock: usize) -> bool {
        // only the owning thread writes to the place
        if self.reads.load(Ordering::Relaxed) != NOTHING {
            cold_path();
            return false;
        }
        self.reads.store(lock, Ordering::SeqCst);
        true
    }

    /// Records that the thread no longer reads a lock.
    #[inline]
    pub(super) fn leave(&self) {
        self.reads.store(NOTHING, Ordering::Release);
    }

    /// Whether the place belongs to a thread.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::SeqCst)
    }

    /// Whether the thread reads `lock`. If not, the thread's earlier reads of it happened before this call.
    #[inline]
    pub(super) fn is_at(&self, lock: usize) -> bool {
        self.reads.load(Ordering::SeqCst) == lock
    }
}

struct Board {
    places: [CachePadded<Place>; PLACES],
    /// The number of places that were ever taken. These are the first ones.
    used: AtomicUsize,
    /// The place that stands for none. It is never free, so entering it fails.
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
            // a load first, which does not take the cache line away from a reading thread
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

/// A new board for each schedule of the model checker.
#[cfg(shuttle)]
fn board() -> &'static Board {
    shuttle::lazy_static! {
        static ref BOARD: Board = Board::new();
    }
    &BOARD
}

/// The place of a thread, if it has taken one. Dropping the lease gives the place back.
struct Lease(Cell<Option<&'static Place>>);

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(place) = self.0.get()
            // a guard that outlives the lease, in another thread-local or forgotten, keeps the place
            && place.reads.load(Ordering::Relaxed) == NOTHING
        {
            place.taken.store(false, Ordering::Release);
        }
    }
}

thread_local! {
    static MINE: Lease = const { Lease(Cell::new(None)) };
}

/// Records at the current thread's place that it reads `lock`. `None` if it has no place, or reads another lock there.
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
    // a thread that is ending may have given its place back
    entered.ok().flatten()
}

/// All places that were ever taken.
pub(super) fn all() -> impl Iterator<Item = &'static Place> {
    let board = board();
    let used = board.used.load(Ordering::SeqCst);
    board.places[..used].iter().map(|place| &**place)
}

//! An allocator that counts allocations: their requested bytes, and their number.
//!
//! It counts only once it is told to. Until then it reads one flag that is never written, so that the shared counters, for which all
//! threads would contend, don't affect what other commands time.

#![expect(unsafe_code, reason = "an allocator can't be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static COUNTS: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
pub(crate) struct Counting;

/// Starts counting.
pub(crate) fn count() {
    COUNTS.store(true, Ordering::Relaxed);
}

/// What is allocated at one moment, not including what was before [`count`]. It wraps around if more of that earlier memory is freed
/// than is allocated, so only differences are meaningful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allocated {
    pub(crate) bytes: usize,
    pub(crate) blocks: usize,
}

/// What is allocated now, see [`Allocated`].
pub(crate) fn allocated() -> Allocated {
    Allocated {
        bytes: BYTES.load(Ordering::Relaxed),
        blocks: BLOCKS.load(Ordering::Relaxed),
    }
}

// SAFETY: every call is passed on to the system's allocator as it came, and counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTS.load(Ordering::Relaxed) {
            BYTES.fetch_add(layout.size(), Ordering::Relaxed);
            BLOCKS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller keeps the contract of `alloc`, which is the same there
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if COUNTS.load(Ordering::Relaxed) {
            BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
            BLOCKS.fetch_sub(1, Ordering::Relaxed);
        }
        // SAFETY: the caller keeps the contract of `dealloc`, and the block came from there
        unsafe { System.dealloc(pointer, layout) }
    }
}

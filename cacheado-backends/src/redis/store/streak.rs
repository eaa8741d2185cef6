//! Whether look-ups find something these days.

use std::sync::atomic::{AtomicU8, Ordering};

/// How many look-ups in a row have found something.
///
/// After [`MANY`](Self::MANY) the next one is taken to find something as well: it asks for no marks, of which there are several and a
/// hit has no use for, and if it is mistaken, for another round trip's cost. With nine hits in ten that is less than half of the look-ups,
/// with two in three next to none.
#[derive(Debug, Default)]
pub(super) struct Streak(AtomicU8);

impl Streak {
    const MANY: u8 = 8;

    pub(super) fn is_long(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::MANY
    }

    /// Counts a look-up. Of those side by side one may be left out, which does no harm.
    pub(super) fn count(&self, hit: bool) {
        let known = self.0.load(Ordering::Relaxed);
        let now = if hit { Self::MANY.min(known + 1) } else { 0 };
        if now != known {
            self.0.store(now, Ordering::Relaxed);
        }
    }
}

//! Whether recent lookups were hits.

use std::sync::atomic::{AtomicU8, Ordering};

/// The number of hits in a row.
///
/// After [`MANY`](Self::MANY) hits the next lookup is expected to hit too. It does not ask for marks: there are several per key, and a
/// hit needs none. A wrong guess costs one more round trip. At nine hits in ten, fewer than half of the lookups are sent like this, at
/// two in three almost none.
#[derive(Debug, Default)]
pub(super) struct Streak(AtomicU8);

impl Streak {
    const MANY: u8 = 8;

    pub(super) fn is_long(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::MANY
    }

    /// Counts a lookup. Concurrent lookups may lose one count, which does no harm.
    pub(super) fn count(&self, hit: bool) {
        let known = self.0.load(Ordering::Relaxed);
        let now = if hit { Self::MANY.min(known + 1) } else { 0 };
        if now != known {
            self.0.store(now, Ordering::Relaxed);
        }
    }
}

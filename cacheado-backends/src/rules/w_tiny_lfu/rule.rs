//! The policy as a rule: which entries a bounded cache keeps.

use super::{Inserted, Policy};
use crate::error::{Error, Result};
use crate::rule::{Admission, Candidate, Cause, Departed, Newcomer, Reads, Rule, Seats};
use crate::sync::{Mutex, lock};

/// Holds at most a number of entries, or a total weight, and keeps the most valuable ones: W-TinyLFU with an adaptive window.
///
/// A new entry gets a chance in a window. When it leaves the window, it stays if its key was requested more often recently than that
/// of the entry that would have to go for it. So a scan, or a loop larger than the cache, does not wash out entries that are used
/// again and again. Where recency counts, the window grows, and the cache works as one of recent entries. This is the rule of choice
/// for a bounded cache: [`max_items`](https://docs.rs/cacheado/latest/cacheado/struct.CacheBuilder.html#method.max_items) of the
/// builder installs it. A new entry is always admitted unless it is heavier than the whole bound, but it may be the next to go.
///
/// A hit costs a read of the entry, and a store to it only while fewer than 15 hits were counted since the rule last looked: no lock,
/// no queue. An insertion costs some tens of nanoseconds under the rule's lock. Memory: about 32 bytes per entry, 8 to 16 for the
/// frequencies, and up to 70 kB for the trials, or 2 bytes per entry if that is more, up to 470 kB.
///
/// ```
/// use cacheado::{Cache, rules::WTinyLfu};
///
/// let cache = Cache::builder().rule(WTinyLfu::new(100)).build()?; // as `.max_items(100)` does
/// for n in 0..1000_u32 {
///     cache.set(n, &n).run()?;
/// }
/// assert_eq!(cache.stats().total_keys, 100);
/// # Ok::<(), cacheado::Error>(())
/// ```
///
/// From "`TinyLFU`: A Highly Efficient Cache Admission Policy" (Einziger, Friedman, Manes; ACM `ToS` 2017) and "Adaptive Software
/// Cache Management" (Einziger, Eytan, Friedman, Manes; Middleware 2018). The window's size is found by trials over a sample of the
/// keys, not by hill climbing.
pub struct WTinyLfu {
    capacity: u64,
    policy: Mutex<Policy>,
}

/// The maximum hits of an entry that count between two looks.
const MOST_HITS: u8 = 15;

impl WTinyLfu {
    /// Holds at most `capacity` entries, or that much weight if the builder has a weigher. Zero makes `build()` fail.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            policy: Mutex::new(Policy::new(capacity)),
        }
    }
}

impl Rule for WTinyLfu {
    fn name(&self) -> &'static str {
        "WTinyLfu"
    }

    fn check(&self) -> Result<()> {
        if self.capacity == 0 {
            return Err(Error::config(
                "WTinyLfu::new(0)",
                "it would hold nothing; for no cache at all use `Cache::disabled()`",
            ));
        }
        Ok(())
    }

    fn reads(&self) -> Reads {
        Reads::Count(MOST_HITS)
    }

    fn gives_seats(&self) -> bool {
        true
    }

    fn asks_last_use(&self) -> bool {
        false
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        if u64::from(candidate.weight()) > self.capacity {
            Admission::Reject
        } else {
            Admission::Admit
        }
    }

    fn on_insert(&self, newcomer: &mut Newcomer<'_>, seats: &mut Seats<'_>) -> Admission {
        let Seats { hits, vacated } = seats;
        let inserted =
            lock(&self.policy).insert(newcomer.key().hash(), newcomer.weight(), hits, |node| {
                vacated.push(node);
            });
        match inserted {
            Inserted::Held(node) => {
                newcomer.take_seat(node);
                Admission::Admit
            }
            Inserted::Refused => Admission::Reject,
        }
    }

    fn on_replace(
        &self,
        old: Option<u32>,
        newcomer: &mut Newcomer<'_>,
        seats: &mut Seats<'_>,
    ) -> Admission {
        let Some(node) = old else {
            return self.on_insert(newcomer, seats);
        };
        let Seats { hits, vacated } = seats;
        let mut admission = Admission::Admit;
        lock(&self.policy).renew(node, newcomer.weight(), hits, |gone| {
            if gone == node {
                // the entry is heavier than the whole capacity
                admission = Admission::Reject;
            } else {
                vacated.push(gone);
            }
        });
        if admission == Admission::Admit {
            newcomer.take_seat(node);
        }
        admission
    }

    fn on_remove(&self, departed: &Departed<'_>, _: Cause) {
        if let Some(node) = departed.seat() {
            lock(&self.policy).remove(node);
        }
    }

    fn on_clear(&self) {
        lock(&self.policy).clear();
    }
}

impl std::fmt::Debug for WTinyLfu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WTinyLfu({})", self.capacity)
    }
}

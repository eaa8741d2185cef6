//! The policy as a rule: which entries to keep, of a bounded cache.

use super::{Inserted, Policy};
use crate::error::{Error, Result};
use crate::rule::{Admission, Candidate, Cause, Departed, Newcomer, Reads, Rule, Seats};
use crate::sync::{Mutex, lock};

/// Holds at most so many entries, or so much weight, and keeps those that are worth most: W-TinyLFU with a window that adapts.
///
/// What is new gets a chance in a window; what leaves the window stays if it was asked for more often of late than the entry
/// that would have to go for it. So a scan, or a loop that is larger than the cache, doesn't wash out what is used again and
/// again, and a cache of recent things still works as one, since the window grows where recency is what counts. The rule of
/// choice for a bounded cache: [`max_items`](https://docs.rs/cacheado/latest/cacheado/struct.CacheBuilder.html#method.max_items)
/// of the builder installs it. A newcomer is always admitted unless it is heavier than the whole bound, but it may be the next
/// to go.
///
/// A hit costs a read of the entry, and a store to it only while fewer than 15 hits are counted since the rule looked last: no
/// lock, no queue. What is stored costs some tens of nanoseconds under the rule's lock. Memory: about 32 bytes an entry, 8 to
/// 16 for the frequencies, and up to 70 kB for the trials, or 2 bytes an entry if that is more, up to 470 kB.
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
/// From "`TinyLFU`: A Highly Efficient Cache Admission Policy" (Einziger, Friedman, Manes; ACM `ToS` 2017) and "Adaptive Software Cache
/// Management" (Einziger, Eytan, Friedman, Manes; Middleware 2018). The window's size is found by trials over a sample of the keys, not
/// by hill climbing.
pub struct WTinyLfu {
    capacity: u64,
    policy: Mutex<Policy>,
}

/// As many hits of an entry count between two looks.
const MOST_HITS: u8 = 15;

impl WTinyLfu {
    /// At most `capacity` entries, or as much weight if the builder is given a weigher. Zero makes `build()` fail.
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
                // it is heavier than all that there is room for
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

//! Least recently used goes first, in exact order, without a lock on hits.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use crate::error::{Error, Result};
use crate::key::Head;
use crate::rule::{Admission, Candidate, Reads, Rule};
use crate::sync::{Mutex, lock};

/// Bounds the number of entries: when full, the least recently used one makes room.
///
/// The order is exact: storing an entry and hitting it count as uses. A hit costs one store to the entry, no lock and no shared
/// counter. The order is settled when an entry must be evicted, in O(log n) for each entry that was hit since the rule last looked at
/// it.
///
/// ```
/// use cacheado::{Cache, rules::Lru};
///
/// let cache = Cache::builder().rule(Lru::new(2)).build()?;
/// cache.set("one", &1_u32).run()?;
/// cache.set("two", &2_u32).run()?;
/// let _: Option<u32> = cache.get("one").run()?; // now it is "two" that was used longest ago
/// cache.set("three", &3_u32).run()?;
/// assert_eq!(cache.get::<u32>("one").run()?, Some(1));
/// assert_eq!(cache.get::<u32>("two").run()?, None);
/// # Ok::<(), cacheado::Error>(())
/// ```
pub struct Lru {
    capacity: usize,
    /// The last use of each entry, as of when the rule last looked at it, oldest first. An entry's last use only grows (apart from
    /// concurrent hits, whose order is undefined), so the oldest record that is still true belongs to the oldest entry. Records of
    /// removed entries are dropped when they are met.
    records: Mutex<BinaryHeap<Reverse<Record>>>,
}

/// For each head there are at least as many records as entries with that head, none of them later than a use of these entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    used: u64,
    head: Head,
}

impl Lru {
    /// Keeps at most `capacity` entries. Zero makes `build()` fail.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            records: Mutex::new(BinaryHeap::new()),
        }
    }

    /// As [`new`](Self::new), for a cache that has entries already. They have not been used yet, so each is evicted before later ones.
    pub(crate) fn among(capacity: usize, present: impl IntoIterator<Item = Head>) -> Self {
        let records = present.into_iter();
        let records = records.map(|head| Reverse(Record { used: 0, head }));
        Self {
            capacity,
            records: Mutex::new(records.collect()),
        }
    }
}

impl Rule for Lru {
    fn name(&self) -> &'static str {
        "Lru"
    }

    fn check(&self) -> Result<()> {
        if self.capacity == 0 {
            return Err(Error::config(
                "Lru::new(0)",
                "it would hold nothing; for no cache at all use `Cache::disabled()`",
            ));
        }
        Ok(())
    }

    fn reads(&self) -> Reads {
        Reads::Stamp
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        if candidate.replaces() {
            return Admission::Admit;
        }
        let mut records = lock(&self.records);
        // the records of the victims are put back, because a later rule may still reject the candidate
        let mut chosen = Vec::new();
        while candidate.len() >= self.capacity {
            let Some(Reverse(mut record)) = records.pop() else {
                break;
            };
            match candidate.oldest_of(record.head) {
                None => {}
                // a use from here on counts as a use now: otherwise the loop might not end while an entry is hit all the time
                Some((_, used)) if used.min(candidate.stamp()) > record.used => {
                    record.used = used.min(candidate.stamp());
                    records.push(Reverse(record));
                }
                Some((key, _)) => {
                    candidate.evict(key);
                    chosen.push(Reverse(record));
                }
            }
        }
        // removals leave records behind, which may take as much room again as the entries, and no more. The records of the chosen
        // entries are not in `records` now, because these entries are no longer reported
        if records.len() > 2 * candidate.len() + 64 {
            let mut all = std::mem::take(&mut *records).into_vec();
            // one record per head is enough, the earliest
            all.sort_unstable_by_key(|Reverse(record)| record.used);
            let mut known = HashSet::new();
            all.retain(|Reverse(record)| {
                candidate.oldest_of(record.head).is_some() && known.insert(record.head)
            });
            *records = all.into();
        }
        records.extend(chosen);
        records.push(Reverse(Record {
            used: candidate.stamp(),
            head: candidate.key().head(),
        }));
        Admission::Admit
    }

    fn on_clear(&self) {
        lock(&self.records).clear();
    }
}

impl std::fmt::Debug for Lru {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lru({})", self.capacity)
    }
}

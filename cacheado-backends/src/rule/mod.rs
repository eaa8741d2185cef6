//! Rules: what a cache admits, how long it keeps it, and what is evicted when it is full.
//!
//! A rule decides, the store acts. Rules are asked in the order in which the builder was given them, under a lock that orders all
//! writes of a cache with rules, so what a rule knows and what the store holds can't drift apart.

mod pointers;

use std::fmt;
use std::time::Duration;

use crate::entry::NO_SEAT;
use crate::error::Result;
use crate::key::{Head, Key};

/// A policy for the entries of a cache. Those in [`rules`](crate::rules) ship with the crate; your own type that implements this trait
/// works as well.
///
/// Each event is one call: [`on_get`](Rule::on_get) for a hit, [`on_set`](Rule::on_set) for a value about to be stored,
/// [`on_evict`](Rule::on_evict) for an entry that has gone, [`on_clear`](Rule::on_clear) when all have gone. A value found in the
/// shared tier counts as stored too; in a cache that keeps no values in the process, one that it has not met there before.
///
/// Hooks run inside the cache's operations: they must be quick, and must not call the cache, which would wait for itself. A hook that
/// panics ends the operation that called it, with that panic; the cache remains usable. The other rules are still told what has gone,
/// and the entry that a value was to replace is removed, as if the value had been rejected.
///
/// A `Box<dyn Rule>`, chosen at run time, is a rule as well, and so is an `Arc` of one, by which its user keeps a handle.
///
/// A rule that rejects values with a lifetime of more than a quarter of an hour:
///
/// ```
/// use std::time::Duration;
/// use cacheado::{Cache, Rule, rule::{Admission, Candidate, Reads}};
///
/// struct ShortLived;
///
/// impl Rule for ShortLived {
///     fn name(&self) -> &'static str {
///         "ShortLived"
///     }
///
///     fn reads(&self) -> Reads {
///         Reads::Ignore
///     }
///
///     fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
///         match candidate.lifetime() {
///             Some(lifetime) if lifetime <= Duration::from_secs(900) => Admission::Admit,
///             _ => Admission::Reject,
///         }
///     }
/// }
///
/// let cache = Cache::builder().rule(ShortLived).build()?;
/// assert!(cache.set("code", &1234_u32).ttl(Duration::from_secs(60)).run()?);
/// assert!(!cache.set("answer", &42_u32).run()?);
/// # Ok::<(), cacheado::Error>(())
/// ```
pub trait Rule: Send + Sync + 'static {
    /// The rule's name in messages.
    fn name(&self) -> &'static str;

    /// Called once, by `build()`: checks the rule's settings.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings; `build()` fails with that.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// What the rule wants to know about hits. By default each hit calls [`on_get`](Self::on_get). A rule that does not look at hits
    /// returns [`Reads::Ignore`]; one that only needs to know when an entry was last used, [`Reads::Stamp`], which costs a store to
    /// the entry on each hit and no call.
    fn reads(&self) -> Reads {
        Reads::Call
    }

    /// An entry was found. Called on every hit, unless [`reads`](Self::reads) returns something other than [`Reads::Call`], while the
    /// store is locked for reading. [`Verdict::Drop`] makes it a miss and removes the entry.
    fn on_get(&self, key: &Key) -> Verdict {
        let _ = key;
        Verdict::Keep
    }

    /// A value is about to be stored. The rule may admit it, reject it, have other entries evicted for it, and change its lifetime.
    /// Its decision takes effect only if the rules after it admit the value as well. It is not told if one of them does not, so a rule
    /// that keeps track of entries does so in [`on_insert`](Self::on_insert).
    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        let _ = candidate;
        Admission::Admit
    }

    /// Every rule's [`on_set`](Self::on_set) has admitted an entry, which is about to be inserted. A rule that counts entries, or
    /// keeps a list of them, notes it here: it will be told once when the entry has gone, also if a rule that is asked later rejects
    /// it. If the rule itself rejects the entry, it is not told.
    ///
    /// A rule that keeps the entries in an order of its own [gives](Newcomer::take_seat) the entry a seat, and
    /// [vacates](Seats::vacate) the seats of the entries that are to be evicted for it; they are evicted even if a rule that is asked
    /// later rejects the entry.
    fn on_insert(&self, newcomer: &mut Newcomer<'_>, seats: &mut Seats<'_>) -> Admission {
        let _ = (newcomer, seats);
        Admission::Admit
    }

    /// As [`on_insert`](Self::on_insert), for an entry that is about to replace another of the same key, which has the seat `old`. If
    /// it is rejected, the old one is removed too. The rejecting rule is told no more of either; rules asked before are told that the
    /// newcomer has gone, and rules not asked yet, that the old one has.
    fn on_replace(
        &self,
        old: Option<u32>,
        newcomer: &mut Newcomer<'_>,
        seats: &mut Seats<'_>,
    ) -> Admission {
        let _ = (old, newcomer, seats);
        Admission::Admit
    }

    /// An entry has gone, for any cause, also if this rule chose it. (An entry whose value is replaced has not gone.) The default
    /// calls [`on_evict`](Self::on_evict).
    fn on_remove(&self, departed: &Departed<'_>, cause: Cause) {
        self.on_evict(departed.key(), cause);
    }

    /// An entry has gone, for any cause. (An entry whose value is replaced has not gone.)
    fn on_evict(&self, key: &Key, cause: Cause) {
        let _ = (key, cause);
    }

    /// Everything has gone.
    fn on_clear(&self) {}

    /// The keys are being listed: the rule may hide some.
    fn on_keys(&self, keys: &mut Vec<Key>) {
        let _ = keys;
    }

    /// Whether the rule gives [seats](Newcomer::take_seat). Only one rule of a cache can.
    fn gives_seats(&self) -> bool {
        false
    }

    /// Whether the rule asks when entries were [last used](Candidate::last_used); being stored counts as a use. Returning `false`
    /// saves 16 bytes per entry, if no other rule of the cache asks.
    fn asks_last_use(&self) -> bool {
        true
    }

    /// How often expired entries are freed. If several rules return an interval, the shortest counts; a second if none does. Zero
    /// makes `build()` fail.
    fn sweep_interval(&self) -> Option<Duration> {
        None
    }
}

/// What a rule wants to know about hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Nothing.
    Ignore,
    /// How often each entry was hit, up to this many times, 15 at most: [`Seats::take_hits`]. Costs a read of the entry on each hit,
    /// and a store to it only until that many are counted.
    Count(u8),
    /// When each entry was last used: [`Candidate::last_used`].
    Stamp,
    /// Every hit: [`Rule::on_get`] is called.
    Call,
}

/// What happens to an entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is served.
    Keep,
    /// It is removed, and the lookup is a miss. In a cache with two tiers it is removed from the process: the lookup goes on in the
    /// shared tier, whose value is served if there is one.
    Drop,
}

/// Whether a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes, as far as this rule is concerned.
    Admit,
    /// No. An older entry of the same key is removed all the same, since the value that was to replace it is newer. Values that
    /// another process has stored in the shared tier are found and served all the same, under `in_process(false)` too.
    Reject,
}

/// Why an entry has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It was evicted by its key.
    Evicted,
    /// It was evicted with its scope.
    Scope,
    /// A rule evicted it for another entry, or dropped it.
    Rule,
    /// Its lifetime was over.
    Expired,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Evicted => "evicted",
            Self::Scope => "evicted with its scope",
            Self::Rule => "evicted by a rule",
            Self::Expired => "expired",
        })
    }
}

/// An entry that is about to be inserted, for a rule that keeps entries in an order of its own.
pub struct Newcomer<'a> {
    pub(crate) key: &'a Key,
    pub(crate) weight: u32,
    pub(crate) seat: u32,
}

impl Newcomer<'_> {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.key
    }

    /// How much of the cache's bound it takes: 1, unless the builder was given a weigher.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Gives the entry a seat: a number of the rule's own choosing, by which the rule and the store refer to it from here on. No other
    /// entry may have it meanwhile; `u32::MAX` stands for none. Use small numbers: the store keeps a list as long as the largest.
    /// Seats from a rule that does not [give seats](Rule::gives_seats) are ignored.
    pub fn take_seat(&mut self, seat: u32) {
        self.seat = seat;
    }
}

/// What a rule that gives seats can ask about the entries that have one, and how it evicts them.
///
/// A rule that holds as many entries as it has seats, and evicts the oldest first:
///
/// ```
/// use std::collections::VecDeque;
/// use std::sync::Mutex;
///
/// use cacheado::rule::{Admission, Cause, Departed, Newcomer, Reads, Seats};
/// use cacheado::{Cache, Rule};
///
/// struct Fifo {
///     seats: u32,
///     /// Those that are taken, the first first, and those that are free.
///     queue: Mutex<(VecDeque<u32>, Vec<u32>)>,
/// }
///
/// impl Fifo {
///     fn new(seats: u32) -> Self {
///         Self { seats, queue: Mutex::new((VecDeque::new(), (0..seats).collect())) }
///     }
/// }
///
/// impl Rule for Fifo {
///     fn name(&self) -> &'static str {
///         "Fifo"
///     }
///
///     fn reads(&self) -> Reads {
///         Reads::Ignore
///     }
///
///     fn gives_seats(&self) -> bool {
///         true
///     }
///
///     fn on_insert(&self, newcomer: &mut Newcomer<'_>, seats: &mut Seats<'_>) -> Admission {
///         let (taken, free) = &mut *self.queue.lock().unwrap();
///         let first = || taken.pop_front().inspect(|&seat| seats.vacate(seat));
///         let Some(seat) = free.pop().or_else(first) else {
///             return Admission::Reject;
///         };
///         taken.push_back(seat);
///         newcomer.take_seat(seat);
///         Admission::Admit
///     }
///
///     fn on_replace(&self, old: Option<u32>, newcomer: &mut Newcomer<'_>, seats: &mut Seats<'_>) -> Admission {
///         let Some(seat) = old else {
///             return self.on_insert(newcomer, seats);
///         };
///         newcomer.take_seat(seat); // that of the entry whose value it replaces
///         Admission::Admit
///     }
///
///     fn on_remove(&self, departed: &Departed<'_>, _: Cause) {
///         if let Some(seat) = departed.seat() {
///             let (taken, free) = &mut *self.queue.lock().unwrap();
///             taken.retain(|other| *other != seat);
///             free.push(seat);
///         }
///     }
///
///     fn on_clear(&self) {
///         *self.queue.lock().unwrap() = (VecDeque::new(), (0..self.seats).collect());
///     }
/// }
///
/// let cache = Cache::builder().rule(Fifo::new(2)).build()?;
/// for n in [1_u32, 2, 3] {
///     cache.set(n, &n).run()?;
/// }
/// assert_eq!(cache.get::<u32>(1_u32).run()?, None);
/// assert_eq!(cache.get(3_u32).run()?, Some(3_u32));
/// # cache.evict(3_u32).run()?;
/// # cache.set(4_u32, &4_u32).run()?;
/// # cache.set(2_u32, &22_u32).run()?;
/// # assert_eq!((cache.get(2_u32).run()?, cache.get(4_u32).run()?), (Some(22_u32), Some(4_u32)));
/// # Ok::<(), cacheado::Error>(())
/// ```
pub struct Seats<'a> {
    pub(crate) hits: &'a dyn Fn(u32) -> u8,
    pub(crate) vacated: &'a mut Vec<u32>,
}

impl Seats<'_> {
    /// How often the entry in `seat` was hit since this was last asked, up to the limit of the rule's [`Reads::Count`]; zero if no
    /// rule of the cache counts hits. Costs a read of the entry, for which a part of the store is locked for reading: it must not be
    /// called while a lock is held that an [`on_get`](Rule::on_get) waits for.
    #[must_use]
    pub fn take_hits(&self, seat: u32) -> u8 {
        (self.hits)(seat)
    }

    /// Evicts the entry in `seat`. The seat is free from here on, and the rule is told that an entry without a seat has gone.
    pub fn vacate(&mut self, seat: u32) {
        self.vacated.push(seat);
    }
}

/// An entry that has gone.
pub struct Departed<'a> {
    key: &'a Key,
    pub(crate) seat: u32,
}

impl<'a> Departed<'a> {
    pub(crate) fn new(key: &'a Key, seat: u32) -> Self {
        Self { key, seat }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.key
    }

    /// The seat that is now free; `None` if the entry had none, or the rule vacated it itself.
    #[must_use]
    pub fn seat(&self) -> Option<u32> {
        seat(self.seat)
    }
}

/// The seat with this number; `None` for the number that stands for no seat.
pub(crate) fn seat(number: u32) -> Option<u32> {
    (number != NO_SEAT).then_some(number)
}

/// What a rule that is deciding can ask the store about other entries.
pub(crate) trait Holdings {
    /// When the entry was last used; `None` if there is no such entry.
    fn last_used(&self, key: &Key) -> Option<u64>;
    /// The least recently used of the entries with this `head`, apart from `others`, and its last use.
    fn oldest_of(&self, head: Head, others: &[Key]) -> Option<(Key, u64)>;
}

/// A value that is about to be stored, and the room there is.
pub struct Candidate<'a> {
    pub(crate) key: &'a Key,
    pub(crate) stamp: u64,
    pub(crate) weight: u32,
    pub(crate) replaces: bool,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) len: usize,
    pub(crate) victims: Vec<Key>,
    pub(crate) holdings: &'a dyn Holdings,
}

impl Candidate<'_> {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.key
    }

    /// How much of the cache's bound it takes: 1, unless the builder was given a weigher.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Whether there already is an entry of this key, whose value would be replaced.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.replaces
    }

    /// How long the value is to live; `None`: until evicted.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// Sets the lifetime of the value; `None`: until evicted. Zero means that it is not stored. A value found in the shared tier lives
    /// no longer than it has left there.
    pub fn set_lifetime(&mut self, lifetime: Option<Duration>) {
        self.lifetime = lifetime;
    }

    /// The number of entries, without those already chosen to be evicted for this one. It counts itself only if it replaces one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries, without those already chosen to be evicted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Evicts the entry of `key` for this one. Returns whether there is one that was not chosen before.
    pub fn evict(&mut self, key: Key) -> bool {
        let found = self.holdings.last_used(&key).is_some() && !self.victims.contains(&key);
        if found {
            self.len = self.len.saturating_sub(1);
            self.victims.push(key);
        }
        found
    }

    /// When the entry of `key` was last used, stored or hit, as a number that is larger for later uses. `None` if there is no such
    /// entry. Hits count only if some rule's [`Rule::reads`] asks for it.
    #[must_use]
    pub fn last_used(&self, key: &Key) -> Option<u64> {
        self.holdings.last_used(key)
    }

    /// The least recently used of the entries with this `head` that were not chosen to be evicted, and its last use.
    pub(crate) fn oldest_of(&self, head: Head) -> Option<(Key, u64)> {
        self.holdings.oldest_of(head, &self.victims)
    }

    /// What [`last_used`](Self::last_used) will return for this entry once it is stored.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        self.stamp
    }
}

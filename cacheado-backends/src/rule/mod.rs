//! Rules: what a cache admits, how long it keeps it, and what goes when it is full.
//!
//! A rule decides, the store acts. Rules are asked in the order in which the builder was given them, under a lock that
//! orders all writes of a cache with rules, so what a rule knows and what the store holds can't drift apart.

mod pointers;

use std::fmt;
use std::time::Duration;

use crate::entry::NO_SEAT;
use crate::error::Result;
use crate::key::{Head, Key};

/// What decides over entries. Those of [`rules`](crate::rules) ship with the crate; a type of one's own that implements this is as good.
///
/// Each event is told by one call: a hit by [`on_get`](Rule::on_get), that a value is stored by [`on_set`](Rule::on_set) (be it found in the
/// shared tier: also where a cache keeps no values in the process, of what it has not met there before), that one entry goes by
/// [`on_evict`](Rule::on_evict), that all go by [`on_clear`](Rule::on_clear).
///
/// Hooks run inside the cache's operations: they are to be quick, and must not call the cache, which would wait for itself. One that
/// panics ends the operation that it was called by, with that panic; the cache can be used on. The other rules are told of what has gone
/// all the same, and what a value was to replace goes, as if that had been rejected.
///
/// A `Box<dyn Rule>`, as of one that is chosen at run time, is a rule as well, and so is an `Arc` of one, by which its user keeps a handle.
///
/// A rule that takes nothing that is to live for more than a quarter of an hour:
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
    /// What the rule is called in messages.
    fn name(&self) -> &'static str;

    /// Asked once, by `build()`: whether the rule makes sense.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with it; `build()` fails with that.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// What it wants to know of hits: unless it says otherwise, each calls its [`on_get`](Self::on_get). One that does not look at hits
    /// says [`Reads::Ignore`], and one that only wants to know when an entry was used last [`Reads::Stamp`], which costs a store to the
    /// entry on each hit and no call.
    fn reads(&self) -> Reads {
        Reads::Call
    }

    /// An entry was found. Called while the store is locked for reading, on every hit, unless [`reads`](Self::reads) says something else
    /// than [`Reads::Call`]. [`Verdict::Drop`] makes it a miss and removes the entry.
    fn on_get(&self, key: &Key) -> Verdict {
        let _ = key;
        Verdict::Keep
    }

    /// Something is about to be stored. The rule may admit it, reject it, have other entries evicted for it, and change
    /// its lifetime. What it decides takes effect only if the rules after it admit it as well. It is not told if one of them does not, so
    /// what it notes of entries it notes in [`on_insert`](Self::on_insert).
    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        let _ = candidate;
        Admission::Admit
    }

    /// Every rule's [`on_set`](Self::on_set) has admitted an entry, which is about to go in. This is where a rule that counts entries, or
    /// keeps a list of them, notes it: it will be told once that it has gone, also if a rule that is asked later rejects it; if it
    /// rejects it itself, it is not.
    ///
    /// A rule that keeps the entries in an order of its own [gives](Newcomer::take_seat) it a seat, and [vacates](Seats::vacate) those of
    /// the entries that are to go for it; they go even if a rule that is asked later rejects it.
    fn on_insert(&self, newcomer: &mut Newcomer<'_>, seats: &mut Seats<'_>) -> Admission {
        let _ = (newcomer, seats);
        Admission::Admit
    }

    /// As [`on_insert`](Self::on_insert), for one that is about to take the place of another entry of the same key, which has the seat
    /// `old`. If it is rejected, the old one goes: the rule that rejects it is told no more of either, those asked before are told
    /// that the newcomer has gone, and those not asked yet, that the old one has.
    fn on_replace(
        &self,
        old: Option<u32>,
        newcomer: &mut Newcomer<'_>,
        seats: &mut Seats<'_>,
    ) -> Admission {
        let _ = (old, newcomer, seats);
        Admission::Admit
    }

    /// An entry has gone, for whatever cause, one that this rule chose included. (An entry whose value is replaced has not.) The
    /// default calls [`on_evict`](Self::on_evict).
    fn on_remove(&self, departed: &Departed<'_>, cause: Cause) {
        self.on_evict(departed.key(), cause);
    }

    /// An entry has gone, for whatever cause. (An entry whose value is replaced has not.)
    fn on_evict(&self, key: &Key, cause: Cause) {
        let _ = (key, cause);
    }

    /// Everything has gone.
    fn on_clear(&self) {}

    /// The keys are being listed: the rule may hide some.
    fn on_keys(&self, keys: &mut Vec<Key>) {
        let _ = keys;
    }

    /// Whether it gives [seats](Newcomer::take_seat), which one rule of a cache can.
    fn gives_seats(&self) -> bool {
        false
    }

    /// Whether it asks when entries were [used last](Candidate::last_used), be it when they were stored. One that does not spares
    /// 16 bytes an entry, if no other rule of the cache does.
    fn asks_last_use(&self) -> bool {
        true
    }

    /// How often what has expired is to be looked for. Of what several rules say the shortest counts; a second if none says anything.
    /// Zero makes `build()` fail.
    fn sweep_interval(&self) -> Option<Duration> {
        None
    }
}

/// What a rule wants to know of hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Nothing.
    Ignore,
    /// How often each entry was hit, up to so many times, and to 15 at most: [`Seats::take_hits`]. Costs a read of the entry on each hit, and a
    /// store to it only until that many are counted.
    Count(u8),
    /// When each entry was used last: [`Candidate::last_used`].
    Stamp,
    /// To be called.
    Call,
}

/// What becomes of an entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is served.
    Keep,
    /// It is removed, and the look-up is a miss. Of a cache with two tiers it is removed from the process: the look-up goes on in the
    /// shared tier, whose value is served if there is one.
    Drop,
}

/// Whether something is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// As far as this rule goes, yes.
    Admit,
    /// No. An older entry of the same key goes all the same, since what was to replace it is newer. What another process has stored in
    /// the shared tier is found and served all the same, under `in_process(false)` too.
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
    /// A rule had it evicted for another entry, or dropped it.
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

/// An entry that is about to go in, for a rule that keeps entries in an order of its own.
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

    /// Gives it a seat: a number of the rule's own choosing, by which the rule and the store speak of it from here on. No other entry
    /// has it meanwhile; `u32::MAX` stands for none. Small numbers are best: the store keeps a list that is as long as the largest. That of
    /// a rule that does not say that it [gives seats](Rule::gives_seats) is none.
    pub fn take_seat(&mut self, seat: u32) {
        self.seat = seat;
    }
}

/// What a rule that gives seats can ask of the entries that have one, and have done with them.
///
/// A rule that holds as many entries as it has seats, and lets the first go first:
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
    /// How often the entry in `seat` was hit since this was asked last, up to what the rule's [`Reads::Count`] says; zero if no rule
    /// of the cache says that. Costs a look at the entry, for which a part of the store is locked for reading: it must not be asked
    /// while a lock is held that an [`on_get`](Rule::on_get) waits for.
    #[must_use]
    pub fn take_hits(&self, seat: u32) -> u8 {
        (self.hits)(seat)
    }

    /// Has the entry in `seat` evicted. The seat is free from here on, and the rule is told that an entry without a seat has gone.
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

    /// The seat that is free now; `None` if it had none, or the rule vacated it itself.
    #[must_use]
    pub fn seat(&self) -> Option<u32> {
        seat(self.seat)
    }
}

/// The seat of that number, if it is one.
pub(crate) fn seat(number: u32) -> Option<u32> {
    (number != NO_SEAT).then_some(number)
}

/// What the store knows of other entries, for a rule that is deciding.
pub(crate) trait Holdings {
    /// When the entry was used last; `None` if there is no such entry.
    fn last_used(&self, key: &Key) -> Option<u64>;
    /// Of the entries whose keys have this `head`, but for `others`, the one whose last use is the oldest, and when that was.
    fn oldest_of(&self, head: Head, others: &[Key]) -> Option<(Key, u64)>;
}

/// Something that is about to be stored, and the room there is.
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

    /// Whether there is an entry of this key already, whose value would be replaced.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.replaces
    }

    /// How long it is to live; `None`: until evicted.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// Has it live for `lifetime`; `None`: until evicted. Zero means that it is not stored. What was found in the shared tier lives no
    /// longer than it has left there.
    pub fn set_lifetime(&mut self, lifetime: Option<Duration>) {
        self.lifetime = lifetime;
    }

    /// How many entries there are, less those already chosen to go for this one. It counts itself only if it replaces one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries, less those already chosen to go.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Has the entry of `key` evicted for this one. Returns whether there is one that was not chosen before.
    pub fn evict(&mut self, key: Key) -> bool {
        let found = self.holdings.last_used(&key).is_some() && !self.victims.contains(&key);
        if found {
            self.len = self.len.saturating_sub(1);
            self.victims.push(key);
        }
        found
    }

    /// When the entry of `key` was used last, stored or hit: of two, the one used later has the larger number. `None` if
    /// there is no such entry. Hits count only if some rule's [`Rule::reads`] asks for it.
    #[must_use]
    pub fn last_used(&self, key: &Key) -> Option<u64> {
        self.holdings.last_used(key)
    }

    /// Of the entries whose keys have this `head` and that were not chosen to go, the one whose last use is the oldest, and when
    /// that was.
    pub(crate) fn oldest_of(&self, head: Head) -> Option<(Key, u64)> {
        self.holdings.oldest_of(head, &self.victims)
    }

    /// What [`last_used`](Self::last_used) will say of this one once it is stored.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        self.stamp
    }
}

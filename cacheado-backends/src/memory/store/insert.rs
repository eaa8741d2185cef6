//! Insertion: asks the rules, removes the victims that they choose, and stores the entry.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::remove::tell_all;
use super::{Bound, Dropped, Policy, Store, panic, sweeper};
use crate::clock::{Clock, NEVER, Tick};
use crate::entry::{Carrier, Entry, Extra, Meta, NO_SEAT, NewEntry, OldValue, Parcel, Taken, Tie};
use crate::key::{Head, Key, Space};
use crate::memory::handle::Handle;
use crate::memory::shards::Shards;
use crate::rule::{
    Admission, Candidate, Cause, Departed, Holdings, Newcomer, Rule, Seats, seat as seat_of,
};
use crate::rules::Lru;
use crate::sync::atomic::Ordering;

/// The result of an insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The value is stored, for this long; `None`: until evicted.
    Stored(Option<Duration>),
    /// The rule of this name rejected the value.
    Rejected(&'static str),
    /// The lifetime turned out to be zero, so the value is not stored.
    Ephemeral,
}

/// An entry that is about to be stored, without its value and its lifetime.
struct Arrival {
    key: Key,
    /// The key's space. Looking it up by the key is an access to another place in memory, so it is done once.
    space: &'static Space,
    weight: u32,
    tie: Tie,
    /// The entry was found in the shared tier.
    taken_over: bool,
    /// The time of storing.
    now: Tick,
    /// The same time as a number in the order of uses; `None` if no rule needs to know when an entry was used.
    stamp: Option<u64>,
    /// Whether each hit records its time.
    stamped: bool,
}

impl Store {
    /// Stores an entry for `lifetime` (`None`: until evicted), if the rules admit it. If they reject it, an older entry of its key is
    /// removed all the same, because the rejected value is newer.
    ///
    /// Removed values are left in `dropped`, or where the entry's value was [lent](NewEntry::lent), even if a rule panics. So a caller
    /// that holds locks of its own can drop them later.
    pub fn insert(
        &self,
        entry: NewEntry<'_>,
        lifetime: Option<Duration>,
        dropped: &mut Dropped,
    ) -> Inserted {
        let NewEntry {
            key,
            weight,
            tie,
            taken_over,
            mut value,
        } = entry;
        let space = key.space();
        let policy = self.policy_for(space);
        let now = self.clock.now();
        let stamped = self.watch.stamp || space.max_items().is_some();
        let asked = stamped || self.watch.last_use;
        let arrival = Arrival {
            key,
            space,
            weight,
            tie,
            taken_over,
            now,
            stamp: asked.then(|| self.clock.stamp(now)),
            stamped,
        };
        let copy = (tie != Tie::Own).then(|| arrival.key.clone());
        let limit = self.copies_live.load(Ordering::SeqCst);
        let mut panicked = None;
        let (inserted, handle) = match policy {
            Some(mut policy) => {
                let value = &mut *value;
                let inserted = self.insert_by_rules(arrival, value, lifetime, &mut policy, dropped);
                panicked = Policy::release(policy);
                inserted
            }
            None => self.insert_freely(arrival, &mut *value, lifetime, dropped),
        };
        if let (Some(handle), Some(copy)) = (handle, copy)
            && self.copies_live.load(Ordering::SeqCst) != limit
        {
            // the limit has changed meanwhile, and the existing copies may have been removed before this one was stored
            panic::note(&mut panicked, self.remove_copy(handle, &copy, dropped));
        }
        // the value if it was not stored, and a victim's value that was moved into its parcel
        if let Carrier::Own(value) = value {
            keep(dropped, value.left());
        }
        panic::resume(panicked);
        inserted
    }

    /// Inserts for a store without rules and a function without a bound.
    fn insert_freely(
        &self,
        arrival: Arrival,
        value: &mut dyn Parcel,
        lifetime: Option<Duration>,
        dropped: &mut Dropped,
    ) -> (Inserted, Option<Handle>) {
        let (lifetime, deadline) = span(arrival.now, lifetime);
        if lifetime == Some(Duration::ZERO) {
            keep(dropped, self.take_out_key(&arrival.key, None, &self.rules));
            return (Inserted::Ephemeral, None);
        }
        let deadline = value.ends(deadline, deadline).min(self.limit_of(&arrival));
        let (handle, _) = self.put_in(arrival, value, deadline, NO_SEAT, false, dropped);
        (Inserted::Stored(lifetime), Some(handle))
    }

    fn insert_by_rules(
        &self,
        arrival: Arrival,
        value: &mut dyn Parcel,
        lifetime: Option<Duration>,
        policy: &mut Policy,
        dropped: &mut Dropped,
    ) -> (Inserted, Option<Handle>) {
        // expired entries go first, so that they take no room from live ones
        self.remove_due(arrival.now, policy, dropped);
        let old = self.replaced(&arrival, policy, dropped);
        let (_, asked) = span(arrival.now, lifetime);
        let mut nth = 0;
        let asking = || self.admit(&arrival, old.is_some(), lifetime, policy, &mut nth);
        let admitted = match catch_unwind(AssertUnwindSafe(asking)) {
            Ok(Some(admitted)) => admitted,
            rejected => {
                panic::note(&mut policy.panicked, rejected.err());
                if old.is_some() {
                    keep(
                        dropped,
                        self.take_out_key(&arrival.key, Some(policy), &self.rules),
                    );
                }
                return (Inserted::Rejected(self.rules[nth].name()), None);
            }
        };
        let admitted_for = match lifetime {
            Some(left) if arrival.taken_over => {
                Some(admitted.lifetime.map_or(left, |it| it.min(left)))
            }
            _ => admitted.lifetime,
        };
        let (lifetime, deadline) = span(arrival.now, admitted_for);
        if lifetime == Some(Duration::ZERO) {
            if old.is_some() {
                keep(
                    dropped,
                    self.take_out_key(&arrival.key, Some(policy), &self.rules),
                );
            }
            return (Inserted::Ephemeral, None);
        }
        let deadline = value.ends(asked, deadline).min(self.limit_of(&arrival));
        let mut victims = std::mem::take(&mut policy.victims);
        let mut newcomer = Newcomer {
            key: &arrival.key,
            weight: arrival.weight,
            seat: NO_SEAT,
        };
        let mut nth = 0;
        // a rule may panic after another one has vacated seats: the entries in those seats are removed all the same, because no rule
        // would ever choose them again
        let seating = || self.seat_by_rules(&mut newcomer, old, policy, &mut victims, &mut nth);
        let seated = catch_unwind(AssertUnwindSafe(seating));
        for victim in victims.drain(..) {
            keep(dropped, self.vacate(victim, value, policy));
        }
        policy.victims = victims;
        let seat = newcomer.seat;
        if !matches!(seated, Ok(Admission::Admit)) {
            panic::note(&mut policy.panicked, seated.err());
            let (asked, others) = (&self.rules[..nth], &self.rules[nth + 1..]);
            let gone = Departed::new(&arrival.key, seat);
            let panicked = tell_all(asked, |rule| rule.on_remove(&gone, Cause::Rule));
            panic::note(&mut policy.panicked, panicked);
            // the rules asked before, and the one that rejected, have forgotten the old entry already
            if old.is_some() {
                let old = self.take_out_key(&arrival.key, Some(policy), others);
                keep(dropped, old);
            }
            return (Inserted::Rejected(self.rules[nth].name()), None);
        }
        for key in admitted.victims {
            keep(dropped, self.take_out_key(&key, Some(policy), &self.rules));
        }
        let space = arrival.space;
        // with rules, every writer holds this lock, so there is still no entry
        let is_new = old.is_none() && !self.rules.is_empty();
        let (handle, replaced) = self.put_in(arrival, value, deadline, seat, is_new, dropped);
        if let Some(seat) = seat_of(seat) {
            policy.seat(seat, handle);
        }
        if !replaced && let Some(bound) = policy.bound(space.id()) {
            bound.len += 1;
        }
        (Inserted::Stored(lifetime), Some(handle))
    }

    /// The latest deadline: limited for copies of shared entries.
    fn limit_of(&self, arrival: &Arrival) -> Tick {
        match arrival.tie {
            Tie::Own => NEVER,
            Tie::Copy | Tie::Dependent => self.copies_end(arrival.now),
        }
    }

    /// The seat of the live entry that would be replaced, if there is one. An expired entry is not replaced but removed, and the rules
    /// are notified of that.
    fn replaced(
        &self,
        arrival: &Arrival,
        policy: &mut Policy,
        dropped: &mut Dropped,
    ) -> Option<u32> {
        let look = |entry: Entry<'_>| {
            let meta = entry.meta();
            (entry.handle(), meta.seat(), meta.is_expired(arrival.now))
        };
        let (handle, seat, expired) = self.entries.read_key(&arrival.key, look)?;
        if expired {
            keep(
                dropped,
                self.take_out(handle, |_| true, Cause::Expired, Some(policy)),
            );
            return None;
        }
        Some(seat)
    }

    /// Asks the function's bound and then the rules, in order. `None` if the rule at `nth` rejects.
    fn admit(
        &self,
        arrival: &Arrival,
        replaces: bool,
        lifetime: Option<Duration>,
        policy: &mut Policy,
        nth: &mut usize,
    ) -> Option<Admitted> {
        let (key, space) = (&arrival.key, arrival.space);
        let present = |of| Present {
            entries: &self.entries,
            of,
        };
        let (everything, of_its_space) = (present(None), present(Some(space)));
        let mut candidate = Candidate {
            key,
            stamp: arrival.stamp.unwrap_or(0),
            weight: arrival.weight,
            replaces,
            lifetime,
            len: 0,
            victims: Vec::new(),
            holdings: &everything,
        };
        if let Some(max_items) = space.max_items() {
            let bound = policy.bounds.entry(space.id()).or_insert_with(|| {
                // a function without a bound that shares these entries may have stored some already
                let present = self.entries.heads(space.id() as usize);
                Bound {
                    len: present.len(),
                    lru: Lru::among(max_items.get(), present),
                }
            });
            candidate.len = bound.len;
            candidate.holdings = &of_its_space;
            bound.lru.on_set(&mut candidate);
            candidate.holdings = &everything;
        }
        candidate.len = self
            .len
            .load(Ordering::Relaxed)
            .saturating_sub(candidate.victims.len());
        for (asked, rule) in self.rules.iter().enumerate() {
            *nth = asked;
            if rule.on_set(&mut candidate) == Admission::Reject {
                return None;
            }
        }
        // a rule may have chosen the entry that is replaced, which needs no eviction
        candidate.victims.retain(|victim| victim != key);
        Some(Admitted {
            lifetime: candidate.lifetime,
            victims: candidate.victims,
        })
    }

    /// Notifies the rules of the `newcomer`, in order. `old` is the seat of the entry that it replaces, if it replaces one. Returns
    /// `Reject` if the rule at `nth` rejects.
    fn seat_by_rules(
        &self,
        newcomer: &mut Newcomer<'_>,
        old: Option<u32>,
        policy: &Policy,
        victims: &mut Vec<u32>,
        nth: &mut usize,
    ) -> Admission {
        let hits = |seat: u32| {
            let handle = policy.seats.get(seat as usize);
            // if the rule asks about a free seat, the handle there may now lead to another entry
            let take = |meta: &Meta| (meta.seat() == seat).then(|| meta.take_hits());
            let hits = handle.and_then(|handle| self.entries.meta_at(*handle, take));
            hits.flatten().unwrap_or(0)
        };
        let mut seats = Seats {
            hits: &hits,
            vacated: victims,
        };
        for (asked, rule) in self.rules.iter().enumerate() {
            *nth = asked;
            let seat = newcomer.seat;
            let admission = match old {
                Some(old) => rule.on_replace(seat_of(old), newcomer, &mut seats),
                None => rule.on_insert(newcomer, &mut seats),
            };
            // only a rule that assigns seats may change it
            if newcomer.seat != seat && !rule.gives_seats() {
                newcomer.seat = seat;
            }
            if admission == Admission::Reject {
                return Admission::Reject;
            }
        }
        Admission::Admit
    }

    /// Puts the entry into its table, the index and the schedule. `is_new` means that its key is known to have no entry. Returns the
    /// entry's handle, and whether it replaced another.
    fn put_in(
        &self,
        arrival: Arrival,
        value: &mut dyn Parcel,
        deadline: Tick,
        seat: u32,
        is_new: bool,
        dropped: &mut Dropped,
    ) -> (Handle, bool) {
        let Arrival {
            key,
            weight,
            tie,
            now,
            stamp,
            stamped,
            ..
        } = arrival;
        let extra =
            (stamp.is_some() || weight != 1).then(|| Extra::new(stamp.unwrap_or(0), weight));
        let path = self.index.path_of(&key);
        let meta = Meta::new(key, deadline, seat, tie, stamped);
        let mut first_due = false;
        let swapped = |handle, old: Option<&Taken>| {
            match old {
                // the replaced entry has the same scopes and handle, so the index stays as it is
                Some(old) => self.expiry.forget(handle, old.meta.deadline()),
                None => {
                    self.count(1);
                    if let Some(path) = &path {
                        self.index.note(path, handle);
                    }
                }
            }
            first_due = self.expiry.note(handle, deadline);
        };
        let (handle, old) = self.entries.insert(meta, extra, value, is_new, swapped);
        if first_due && self.clock.runs() {
            sweeper::wake();
        }
        let Some(old) = old else {
            return (handle, false);
        };
        if old.meta.is_expired(now) {
            (self.observer)(&old.meta.key, Cause::Expired);
        }
        keep(dropped, old.value);
        (handle, true)
    }
}

/// Adds a removed value, if there is one. (`extend` would cost more than `push`.)
fn keep(dropped: &mut Dropped, gone: Option<OldValue>) {
    if let Some(gone) = gone {
        dropped.push(gone);
    }
}

/// The lifetime and the deadline. `Duration::MAX` means that there is no end.
fn span(now: Tick, lifetime: Option<Duration>) -> (Option<Duration>, Tick) {
    let lifetime = lifetime.filter(|lifetime| *lifetime != Duration::MAX);
    (lifetime, Clock::deadline(now, lifetime))
}

struct Admitted {
    lifetime: Option<Duration>,
    victims: Vec<Key>,
}

impl Policy {
    /// Records the entry in `seat`.
    fn seat(&mut self, seat: u32, handle: Handle) {
        let nth = seat as usize;
        if self.seats.len() <= nth {
            self.seats.resize(nth + 1, handle);
        }
        self.seats[nth] = handle;
    }

    /// `seat`, if the entry at `handle` has it, else `NO_SEAT`.
    pub(super) fn confirmed(&self, seat: u32, handle: Handle) -> u32 {
        if self.seats.get(seat as usize) == Some(&handle) {
            seat
        } else {
            NO_SEAT
        }
    }
}

/// The entries in the store, of one space or of all. An expired entry counts until it is removed, since it takes room like any other.
struct Present<'a> {
    entries: &'a Shards,
    of: Option<&'a Space>,
}

impl Holdings for Present<'_> {
    fn last_used(&self, key: &Key) -> Option<u64> {
        self.entries.read_key(key, |entry| entry.used())
    }

    fn oldest_of(&self, head: Head, others: &[Key]) -> Option<(Key, u64)> {
        let mut oldest: Option<(Key, u64)> = None;
        self.entries.read_all(head, |entry| {
            let key = entry.key();
            let counts = self.of.is_none_or(|space| space == key.space()) && !others.contains(key);
            if counts && oldest.as_ref().is_none_or(|(_, used)| entry.used() < *used) {
                oldest = Some((key.clone(), entry.used()));
            }
        });
        oldest
    }
}

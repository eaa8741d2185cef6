//! Storing: the rules are asked, what they choose makes room, the entry goes in.

use std::sync::Arc;
use std::time::Duration;

use super::{Bound, Dropped, Policy, Store, sweeper};
use crate::clock::{Clock, NEVER, Tick};
use crate::entry::Entry;
use crate::key::{Hash32, Key, Space};
use crate::memory::table::Table;
use crate::rule::{Admission, Candidate, Cause, Holdings, Resident, Rule};
use crate::rules::Lru;
use crate::sync::MutexGuard;
use crate::sync::atomic::Ordering;

/// What became of a value that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is in, for this long; `None`: until evicted.
    Stored(Option<Duration>),
    /// The rule of this name rejected it.
    Rejected(&'static str),
    /// Its lifetime came out as zero.
    Ephemeral,
}

impl Store {
    /// Stores `entry` for `lifetime` (`None`: until evicted), if the rules admit it. If they don't, an older entry of its key goes
    /// all the same: what was to replace it is newer.
    ///
    /// What it removes is returned, to be dropped by a caller that may hold locks of its own.
    pub fn insert(&self, entry: Arc<Entry>, lifetime: Option<Duration>) -> (Inserted, Dropped) {
        let space = entry.key().space();
        let policy = self.policy_for(space);
        let now = self.clock.now();
        if self.watch.stamp || space.max_items().is_some() {
            entry.set_stamped();
        }
        entry.touch(self.clock.stamp(now));
        let mut dropped = Dropped::new();
        let copy = entry.is_portable().then(|| Arc::clone(&entry));
        let limit = self.copies_live.load(Ordering::SeqCst);
        let inserted = match policy {
            Some(policy) => self.insert_by_rules(entry, now, lifetime, policy, &mut dropped),
            None => self.insert_freely(entry, now, lifetime, &mut dropped),
        };
        if let Some(copy) = copy
            && self.copies_live.load(Ordering::SeqCst) != limit
        {
            // the limit was set after it was looked at, and copies may have been removed before this one was in
            self.remove_exactly(&copy, Cause::Evicted);
            dropped.push(copy);
        }
        (inserted, dropped)
    }

    /// Nobody has a say.
    fn insert_freely(
        &self,
        entry: Arc<Entry>,
        now: Tick,
        lifetime: Option<Duration>,
        dropped: &mut Dropped,
    ) -> Inserted {
        let (lifetime, deadline) = span(now, lifetime);
        if lifetime == Some(Duration::ZERO) {
            let is_it = |old: &Arc<Entry>| old.key() == entry.key();
            dropped.extend(self.take_out(entry.key().hash(), is_it, Cause::Rule, None));
            dropped.push(entry);
            return Inserted::Ephemeral;
        }
        entry.set_deadline(deadline.min(self.limit_of(&entry, now)));
        if let Some(replaced) = self.put_in(entry, now) {
            dropped.push(replaced);
        }
        Inserted::Stored(lifetime)
    }

    fn insert_by_rules(
        &self,
        entry: Arc<Entry>,
        now: Tick,
        lifetime: Option<Duration>,
        mut policy: MutexGuard<'_, Policy>,
        dropped: &mut Dropped,
    ) -> Inserted {
        let policy = &mut *policy;
        // what has expired takes no room from what lives
        self.remove_due(now, policy, dropped);
        let old = self.replaced(entry.key(), now, policy, dropped);
        let admitted = match self.admit(&entry, old.as_ref(), lifetime, policy) {
            Ok(admitted) => admitted,
            Err(rule) => {
                dropped.push(entry);
                return self.refuse(Inserted::Rejected(rule), old, policy, &self.rules, dropped);
            }
        };
        let (lifetime, deadline) = span(now, admitted.lifetime);
        if lifetime == Some(Duration::ZERO) {
            dropped.push(entry);
            return self.refuse(Inserted::Ephemeral, old, policy, &self.rules, dropped);
        }
        entry.set_deadline(deadline.min(self.limit_of(&entry, now)));
        let mut victims = std::mem::take(&mut policy.victims);
        let newcomer = Resident(entry);
        let seated = self.seat_by_rules(&newcomer, old.as_ref(), &mut victims);
        let Resident(entry) = newcomer;
        for victim in victims.drain(..) {
            let gone = self.take_out_exactly(&victim.0, Cause::Rule, Some(policy));
            dropped.push(gone.unwrap_or(victim.0));
        }
        policy.victims = victims;
        if let Err(nth) = seated {
            dropped.push(entry);
            let refused = Inserted::Rejected(self.rules[nth].name());
            // those asked before, and the one that rejected it, have let go of the old one already
            return self.refuse(refused, old, policy, &self.rules[nth + 1..], dropped);
        }
        for key in admitted.victims {
            let is_it = |entry: &Arc<Entry>| *entry.key() == key;
            dropped.extend(self.take_out(key.hash(), is_it, Cause::Rule, Some(policy)));
        }
        let space = entry.key().space();
        let replaced = self.put_in(entry, now);
        if replaced.is_none()
            && let Some(bound) = policy.bound(space)
        {
            bound.len += 1;
        }
        // a rule may have chosen the very entry that was to be replaced
        if let Some(old) = old {
            dropped.push(old);
        }
        if let Some(replaced) = replaced {
            dropped.push(replaced);
        }
        Inserted::Stored(lifetime)
    }

    /// How long `entry` may live, if it is a copy of what the shared tier has.
    fn limit_of(&self, entry: &Entry, now: Tick) -> Tick {
        if entry.is_portable() {
            now.saturating_add(self.copies_live.load(Ordering::SeqCst))
        } else {
            NEVER
        }
    }

    /// Removes `old`, which was to be replaced by what is not stored now, and tells `rules` of it.
    fn refuse(
        &self,
        refused: Inserted,
        old: Option<Arc<Entry>>,
        policy: &mut Policy,
        rules: &[Box<dyn Rule>],
        dropped: &mut Dropped,
    ) -> Inserted {
        if let Some(old) = old {
            dropped.extend(self.take_out_for(&old, policy, rules));
            // the last reference to the value is not to go while the locks are held
            dropped.push(old);
        }
        refused
    }

    /// The live entry of `key`, which would be replaced. One that has expired is not replaced: the rules see it go.
    fn replaced(
        &self,
        key: &Key,
        now: Tick,
        policy: &mut Policy,
        dropped: &mut Dropped,
    ) -> Option<Arc<Entry>> {
        let old = self
            .table
            .read(key.hash(), |other| other == key, Arc::clone)?;
        if old.is_expired(now) {
            dropped.extend(self.take_out_exactly(&old, Cause::Expired, Some(policy)));
            return None;
        }
        Some(old)
    }

    /// Asks the function's bound and then the rules, in order.
    fn admit(
        &self,
        entry: &Entry,
        old: Option<&Arc<Entry>>,
        lifetime: Option<Duration>,
        policy: &mut Policy,
    ) -> Result<Admitted, &'static str> {
        let key = entry.key();
        let present = |of| Present {
            table: &self.table,
            of,
        };
        let (everything, of_its_space) = (present(None), present(Some(key.space())));
        let mut candidate = Candidate {
            key,
            stamp: entry.used(),
            weight: entry.weight(),
            replaces: old.is_some(),
            lifetime,
            len: 0,
            victims: Vec::new(),
            holdings: &everything,
        };
        if let Some(max_items) = key.space().max_items() {
            let bound = policy
                .bounds
                .entry(key.space().id())
                .or_insert_with(|| Bound {
                    lru: Lru::new(max_items.get()),
                    len: 0,
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
        for rule in &self.rules {
            if rule.on_set(&mut candidate) == Admission::Reject {
                return Err(rule.name());
            }
        }
        // a rule may have chosen the very entry that is replaced: that needs no eviction of its own
        candidate.victims.retain(|victim| victim != key);
        Ok(Admitted {
            lifetime: candidate.lifetime,
            victims: candidate.victims,
        })
    }

    /// Has the rules take `newcomer` among those they know, in the place of `old` if there is one. `Err` is the place of the one
    /// that does not; those asked before it are told that it has gone.
    fn seat_by_rules(
        &self,
        newcomer: &Resident,
        old: Option<&Arc<Entry>>,
        victims: &mut Vec<Resident>,
    ) -> Result<(), usize> {
        for (nth, rule) in self.rules.iter().enumerate() {
            let admission = match old {
                Some(old) => rule.on_replace(&Resident(Arc::clone(old)), newcomer, victims),
                None => rule.on_insert(newcomer, victims),
            };
            if admission == Admission::Reject {
                for asked in &self.rules[..nth] {
                    asked.on_remove(newcomer, Cause::Rule);
                }
                return Err(nth);
            }
        }
        Ok(())
    }

    /// Puts `entry` into the table and the lists beside it. Returns what it replaced.
    fn put_in(&self, entry: Arc<Entry>, now: Tick) -> Option<Arc<Entry>> {
        let mut first_due = false;
        let old = self.table.insert(entry, |entry, old| {
            match old {
                Some((old, twins)) => self.unlist(old, twins),
                None => _ = self.len.fetch_add(1, Ordering::Relaxed),
            }
            self.index.note(entry.key());
            first_due = self.expiry.note(entry);
        });
        if let Some(old) = &old
            && old.is_expired(now)
        {
            (self.observer)(old.key(), Cause::Expired);
        }
        if first_due && self.clock.runs() {
            sweeper::wake();
        }
        old
    }
}

/// How long `lifetime` is, and when it ends. The largest duration there is stands for no end.
fn span(now: Tick, lifetime: Option<Duration>) -> (Option<Duration>, Tick) {
    let lifetime = lifetime.filter(|lifetime| *lifetime != Duration::MAX);
    (lifetime, Clock::deadline(now, lifetime))
}

struct Admitted {
    lifetime: Option<Duration>,
    victims: Vec<Key>,
}

/// What is in the table, of one space or of all. An entry that has expired is in it until it is removed, and takes room like any
/// other.
struct Present<'a> {
    table: &'a Table,
    of: Option<&'a Space>,
}

impl Holdings for Present<'_> {
    fn last_used(&self, key: &Key) -> Option<u64> {
        self.table
            .read(key.hash(), |other| other == key, |entry| entry.used())
    }

    fn oldest_of(&self, hash: Hash32, others: &[Key]) -> Option<(Key, u64)> {
        let mut oldest: Option<(Key, u64)> = None;
        self.table.read_all(hash, |entry| {
            let key = entry.key();
            let counts = self.of.is_none_or(|space| space == key.space()) && !others.contains(key);
            if counts && oldest.as_ref().is_none_or(|(_, used)| entry.used() < *used) {
                oldest = Some((key.clone(), entry.used()));
            }
        });
        oldest
    }
}

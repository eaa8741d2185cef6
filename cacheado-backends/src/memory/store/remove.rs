//! What goes: by key, by scope, all at once, or since its time is over.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::panic::{self, Panic};
use super::{Dropped, Policy, Store};
use crate::clock::Tick;
use crate::entry::{Meta, NO_SEAT, OldValue, Parcel, Taken, Tie};
use crate::key::{Key, Seek};
use crate::memory::handle::Handle;
use crate::memory::index::is_in;
use crate::memory::sweeper;
use crate::rule::{Cause, Departed, Rule};
use crate::scope::Scope;
use crate::sync::lock;

/// How much of what has expired is removed under one lock.
const BATCH: usize = 256;

/// How many live entries were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// All of them.
    pub entries: u64,
    /// Those that the shared tier can't have had.
    pub local: u64,
}

impl Store {
    /// Removes the entry of `key`. Returns whether there was one that was live. Its value is left in `dropped`, also if a rule panics, for
    /// a caller that holds locks of its own.
    pub fn remove(&self, key: &Key, dropped: &mut Dropped) -> bool {
        let mut policy = self.policy_for(key.space());
        let now = self.clock.now();
        let Some(taken) = self.entries.remove_key(key, self.removed_one()) else {
            return false;
        };
        let live = !taken.meta.is_expired(now);
        let cause = if live { Cause::Evicted } else { Cause::Expired };
        dropped.extend(self.settle(taken, cause, policy.as_deref_mut(), &self.rules));
        panic::resume(policy.and_then(Policy::release));
        live
    }

    /// Removes `scope` and all below it. Returns how many live entries there were. Costs what it removes.
    pub fn remove_scope(&self, scope: &Scope) -> Removed {
        let now = self.clock.now();
        let mut removed = Removed::default();
        let mut policy = lock(&self.policy);
        let taken = if scope.level().depth() == 0 {
            self.drain()
        } else {
            let mut taken = Vec::new();
            // another entry may lie there by now, and be another tenant's
            let is_it = |_, meta: &Meta| is_in(scope, &meta.key);
            let handles = self.index.handles(scope);
            self.entries
                .remove_all(handles, is_it, self.removed(), &mut taken);
            taken
        };
        let settle = |taken: Taken| {
            let cause = if taken.meta.is_expired(now) {
                Cause::Expired
            } else {
                Cause::Scope
            };
            if cause == Cause::Scope {
                removed += Removed::of(&taken.meta);
            }
            self.settle(taken, cause, Some(&mut policy), &self.rules)
        };
        let dropped: Vec<_> = taken.into_iter().filter_map(settle).collect();
        let panicked = Policy::release(policy);
        drop(dropped);
        panic::resume(panicked);
        removed
    }

    /// Removes all copies of what the shared tier has, and what depends on that. Costs a walk over everything.
    pub fn remove_copies(&self) {
        let mut copies = Vec::new();
        self.entries.for_each(|entry| {
            if entry.meta().tie() != Tie::Own {
                copies.push((entry.handle(), entry.key().clone()));
            }
        });
        let mut panicked = None;
        for (copy, key) in copies {
            let removed = self.remove_copy(copy, &key, &mut Dropped::new());
            panic::note(&mut panicked, removed);
        }
        panic::resume(panicked);
    }

    /// Removes everything. Counts as neither evictions nor expirations.
    pub fn clear(&self) {
        let mut policy = lock(&self.policy);
        let dropped = self.drain();
        policy.bounds.clear();
        policy.seats = Vec::new();
        let panicked = tell_all(&self.rules, Rule::on_clear);
        drop(policy);
        drop(dropped);
        panic::resume(panicked);
    }

    /// Frees what has expired.
    pub fn free_expired(&self) {
        let now = self.clock.now();
        let mut panicked = None;
        while self.expiry.is_due(now) {
            let mut dropped = Dropped::new();
            // held while what is due is neither scheduled nor removed yet, so that no write takes it for alive; and let go in
            // between, so that a thousand expiries at once are no long wait for one write
            let mut policy = lock(&self.policy);
            self.remove_due(now, &mut policy, &mut dropped);
            panic::note(&mut panicked, Policy::release(policy));
            // a value may panic as well, and the rest is to go all the same
            let drop_all = AssertUnwindSafe(|| drop(dropped));
            panic::note(&mut panicked, catch_unwind(drop_all).err());
        }
        panic::resume(panicked);
    }

    /// Removes some of what is due.
    pub(super) fn remove_due(&self, now: Tick, policy: &mut Policy, dropped: &mut Dropped) {
        if !self.expiry.is_due(now) {
            return;
        }
        let mut gone = Vec::new();
        let due = self.expiry.take_due(now, BATCH, &self.entries);
        let is_it = |handle: Handle, meta: &Meta| {
            let over = meta.is_expired(now);
            // prolonged since it was noted
            if !over && self.expiry.note(handle, meta.deadline()) && self.clock.runs() {
                sweeper::wake();
            }
            over
        };
        self.entries
            .remove_all(due, is_it, self.removed(), &mut gone);
        let settle = |taken| self.settle(taken, Cause::Expired, Some(policy), &self.rules);
        dropped.extend(gone.into_iter().filter_map(settle));
    }

    /// Removes what a look-up for `probe` found at `handle`, for `cause`.
    #[cold]
    #[inline(never)]
    pub(super) fn remove_found(&self, handle: Handle, probe: &dyn Seek, cause: Cause) {
        let now = self.clock.now();
        // another may lie there by now. If it is of the same key, a rule's verdict, which is on the key, is on that, too
        let is_it =
            |meta: &Meta| probe.is(&meta.key) && (cause != Cause::Expired || meta.is_expired(now));
        panic::resume(self.remove_if(handle, is_it, cause, &mut Dropped::new()));
    }

    /// Removes the copy of what the shared tier has under `key` that lies at `handle`. Returns what a rule has panicked with.
    pub(super) fn remove_copy(
        &self,
        handle: Handle,
        key: &Key,
        dropped: &mut Dropped,
    ) -> Option<Panic> {
        let is_it = |meta: &Meta| meta.tie() != Tie::Own && meta.key == *key;
        self.remove_if(handle, is_it, Cause::Evicted, dropped)
    }

    fn remove_if(
        &self,
        handle: Handle,
        is_it: impl FnOnce(&Meta) -> bool,
        cause: Cause,
        dropped: &mut Dropped,
    ) -> Option<Panic> {
        let mut policy = handle.space().and_then(|space| self.policy_for(space));
        dropped.extend(self.take_out(handle, is_it, cause, policy.as_deref_mut()));
        policy.and_then(Policy::release)
    }

    /// Takes out what lies at `handle`, if that `is_it`, and tells the rules of it. Its value is returned, if there is something to
    /// drop.
    pub(super) fn take_out(
        &self,
        handle: Handle,
        is_it: impl FnOnce(&Meta) -> bool,
        cause: Cause,
        policy: Option<&mut Policy>,
    ) -> Option<OldValue> {
        let taken = self
            .entries
            .remove(handle, is_it, None, self.removed_one())?;
        self.settle(taken, cause, policy, &self.rules)
    }

    /// Takes out the entry of `key`, and tells `rules` of it, which are those that don't know it yet.
    pub(super) fn take_out_key(
        &self,
        key: &Key,
        policy: Option<&mut Policy>,
        rules: &[Box<dyn Rule>],
    ) -> Option<OldValue> {
        let taken = self.entries.remove_key(key, self.removed_one())?;
        self.settle(taken, Cause::Rule, policy, rules)
    }

    /// Takes out the one in `seat`, which its rule has vacated. If `bin`, which comes in its place, can hold its value, it does.
    pub(super) fn vacate(
        &self,
        seat: u32,
        bin: &mut dyn Parcel,
        policy: &mut Policy,
    ) -> Option<OldValue> {
        let handle = *policy.seats.get(seat as usize)?;
        let is_it = |meta: &Meta| meta.seat() == seat;
        let taken = self
            .entries
            .remove(handle, is_it, Some(bin), self.removed_one())?;
        taken.meta.set_seat(NO_SEAT);
        self.settle(taken, Cause::Rule, Some(policy), &self.rules)
    }

    fn drain(&self) -> Vec<Taken> {
        self.entries.drain(self.removed())
    }

    /// What is done while entries of one shard are taken out of their tables, under its lock, so that the count is never ahead of
    /// the tables, nor below zero, and what is noted beside them says the same.
    fn removed(&self) -> impl Fn(&[Taken]) {
        |gone| {
            self.count(-gone.len().cast_signed());
            self.index
                .forget_all(gone.iter().map(|it| (&it.meta.key, it.handle())));
            self.expiry.forget_all(gone);
        }
    }

    /// The same for one of them.
    fn removed_one(&self) -> impl FnOnce(Handle, &Meta) {
        |handle, meta| {
            self.count(-1);
            self.index.forget(&meta.key, handle);
            self.expiry.forget(handle, meta.deadline());
        }
    }

    /// Tells everyone that an entry is out of the store. Gives back its value, if there is something to drop. A rule that panics over that
    /// keeps nobody else from hearing of it: the policy notes what with, for when it is let go of.
    fn settle(
        &self,
        taken: Taken,
        cause: Cause,
        policy: Option<&mut Policy>,
        rules: &[Box<dyn Rule>],
    ) -> Option<OldValue> {
        let mut gone = Departed::new(&taken.meta.key, NO_SEAT);
        // without it nobody has a say, and there are no rules
        if let Some(policy) = policy {
            // a rule that panicked may have left an entry in a seat that it gave to another since
            gone.seat = policy.confirmed(taken.meta.seat(), taken.handle());
            if let Some(bound) = policy.bound(gone.key().head().space_id()) {
                bound.len = bound.len.saturating_sub(1);
            }
            let panicked = tell_all(rules, |rule| rule.on_remove(&gone, cause));
            panic::note(&mut policy.panicked, panicked);
        }
        (self.observer)(gone.key(), cause);
        taken.value
    }
}

/// Tells each of `rules`, whichever panics. Returns what the first has panicked with.
pub(super) fn tell_all(rules: &[Box<dyn Rule>], tell: impl Fn(&dyn Rule)) -> Option<Panic> {
    let mut panicked = None;
    let mut rules = rules.iter();
    while !rules.as_slice().is_empty() {
        // around them all: it is to cost nothing where none panics
        let told = catch_unwind(AssertUnwindSafe(|| {
            rules.by_ref().for_each(|rule| tell(&**rule));
        }));
        panic::note(&mut panicked, told.err());
    }
    panicked
}

impl Removed {
    fn of(meta: &Meta) -> Self {
        Self {
            entries: 1,
            local: u64::from(meta.tie() != Tie::Copy),
        }
    }
}

impl std::ops::AddAssign for Removed {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.local += other.local;
    }
}

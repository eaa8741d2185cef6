//! Removal: by key, by scope, of everything, and of expired entries.

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

/// The most expired entries that are removed under one lock.
const BATCH: usize = 256;

/// How many live entries were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// All of them.
    pub entries: u64,
    /// Those that can't have been in the shared tier.
    pub local: u64,
}

impl Store {
    /// Removes the entry of `key`. Returns whether there was a live one. Its value is left in `dropped`, even if a rule panics, so
    /// that a caller that holds locks can drop it later.
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

    /// Removes `scope` and everything below it. Returns how many live entries were removed. The cost is proportional to that.
    pub fn remove_scope(&self, scope: &Scope) -> Removed {
        let now = self.clock.now();
        let mut removed = Removed::default();
        let mut policy = lock(&self.policy);
        let taken = if scope.level().depth() == 0 {
            self.drain()
        } else {
            let mut taken = Vec::new();
            // the slot may hold another entry by now, even of another tenant
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

    /// Removes all copies of shared entries, and the entries that depend on them. Walks over the whole store.
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

    /// Removes everything. The entries count as neither evicted nor expired.
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

    /// Removes the expired entries.
    pub fn free_expired(&self) {
        let now = self.clock.now();
        let mut panicked = None;
        while self.expiry.is_due(now) {
            let mut dropped = Dropped::new();
            // the lock is held until the due entries are removed, so that no write takes one of them for live; it is released between
            // batches, so that no write waits for thousands of expiries
            let mut policy = lock(&self.policy);
            self.remove_due(now, &mut policy, &mut dropped);
            panic::note(&mut panicked, Policy::release(policy));
            // dropping a value may panic as well, and the remaining entries must be removed all the same
            let drop_all = AssertUnwindSafe(|| drop(dropped));
            panic::note(&mut panicked, catch_unwind(drop_all).err());
        }
        panic::resume(panicked);
    }

    /// Removes one batch of the entries that are due.
    pub(super) fn remove_due(&self, now: Tick, policy: &mut Policy, dropped: &mut Dropped) {
        if !self.expiry.is_due(now) {
            return;
        }
        let mut gone = Vec::new();
        let due = self.expiry.take_due(now, BATCH, &self.entries);
        let is_it = |handle: Handle, meta: &Meta| {
            let over = meta.is_expired(now);
            // the entry was prolonged since it was scheduled, so it is scheduled again
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

    /// Removes the entry that a lookup by `probe` found at `handle`, for `cause`.
    #[cold]
    #[inline(never)]
    pub(super) fn remove_found(&self, handle: Handle, probe: &dyn Seek, cause: Cause) {
        let now = self.clock.now();
        // the slot may hold another entry by now; if that entry has the same key, a rule's verdict applies to it too, because verdicts
        // are about keys
        let is_it =
            |meta: &Meta| probe.is(&meta.key) && (cause != Cause::Expired || meta.is_expired(now));
        panic::resume(self.remove_if(handle, is_it, cause, &mut Dropped::new()));
    }

    /// Removes the copy of the shared entry of `key` at `handle`. Returns the panic of a rule, if there was one.
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

    /// Removes the entry at `handle`, if `is_it` accepts it, and notifies the rules. Returns its value, if it needs dropping.
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

    /// Removes the entry of `key`, and notifies `rules`, the ones that don't know yet.
    pub(super) fn take_out_key(
        &self,
        key: &Key,
        policy: Option<&mut Policy>,
        rules: &[Box<dyn Rule>],
    ) -> Option<OldValue> {
        let taken = self.entries.remove_key(key, self.removed_one())?;
        self.settle(taken, Cause::Rule, policy, rules)
    }

    /// Removes the entry in `seat`, which its rule has vacated. Its value moves into `bin`, the newcomer's parcel, if that has room
    /// for it.
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

    /// Updates the count, the index and the schedule for entries that are removed from one shard. The closure runs under the shard's
    /// lock, so that all three agree with the tables and the count never drops below zero.
    fn removed(&self) -> impl Fn(&[Taken]) {
        |gone| {
            self.count(-gone.len().cast_signed());
            self.index
                .forget_all(gone.iter().map(|it| (&it.meta.key, it.handle())));
            self.expiry.forget_all(gone);
        }
    }

    /// As [`removed`](Self::removed), for a single entry.
    fn removed_one(&self) -> impl FnOnce(Handle, &Meta) {
        |handle, meta| {
            self.count(-1);
            self.index.forget(&meta.key, handle);
            self.expiry.forget(handle, meta.deadline());
        }
    }

    /// Notifies the rules and the observer of a removed entry. Returns its value, if it needs dropping. If a rule panics, the other
    /// rules are notified all the same, and the policy keeps the panic until its lock is released.
    fn settle(
        &self,
        taken: Taken,
        cause: Cause,
        policy: Option<&mut Policy>,
        rules: &[Box<dyn Rule>],
    ) -> Option<OldValue> {
        let mut gone = Departed::new(&taken.meta.key, NO_SEAT);
        // without a policy there are no rules
        if let Some(policy) = policy {
            // a rule that panicked may have assigned the seat to another entry since
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

/// Calls `tell` for each of `rules`, also after one that panics. Returns the first panic.
pub(super) fn tell_all(rules: &[Box<dyn Rule>], tell: impl Fn(&dyn Rule)) -> Option<Panic> {
    let mut panicked = None;
    let mut rules = rules.iter();
    while !rules.as_slice().is_empty() {
        // one `catch_unwind` around all of the rules, so that it costs nothing if none panics
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

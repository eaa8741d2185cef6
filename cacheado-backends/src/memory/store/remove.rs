//! What goes: by key, by scope, all at once, or since its time is over.

use std::sync::Arc;

use super::{Dropped, Policy, Store};
use crate::clock::Tick;
use crate::entry::Entry;
use crate::key::Key;
use crate::memory::index::is_in;
use crate::memory::table::Twins;
use crate::rule::{Cause, Resident, Rule};
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
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
    /// Removes the entry of `key`. Returns it, to be dropped by a caller that may hold locks of its own, and whether it was
    /// live.
    pub fn remove(&self, key: &Key) -> Option<(Arc<Entry>, bool)> {
        let mut policy = self.policy_for(key.space());
        let now = self.clock.now();
        let cause = |entry: &Entry| {
            if entry.is_expired(now) {
                Cause::Expired
            } else {
                Cause::Evicted
            }
        };
        let is_it = |entry: &Arc<Entry>| entry.key() == key;
        let removed = self.take_out_as(key.hash(), is_it, cause, policy.as_deref_mut())?;
        let live = !removed.is_expired(now);
        Some((removed, live))
    }

    /// Removes `scope` and all below it. Returns how many live entries there were. Costs what it removes.
    pub fn remove_scope(&self, scope: &Scope) -> Removed {
        let now = self.clock.now();
        let mut removed = Removed::default();
        let mut policy = lock(&self.policy);
        let dropped = if scope.level().depth() == 0 {
            self.drain()
        } else {
            let mut dropped = Vec::new();
            let is_it = |entry: &Arc<Entry>| is_in(scope, entry.key());
            let hashes = self.index.hashes(scope);
            self.table
                .remove_all(hashes, is_it, self.removed(), &mut dropped);
            dropped
        };
        let settle = |entry: Arc<Entry>| {
            let cause = if entry.is_expired(now) {
                Cause::Expired
            } else {
                Cause::Scope
            };
            if cause == Cause::Scope {
                removed += Removed::of(&entry);
            }
            self.settle(entry, cause, Some(&mut policy), &self.rules)
        };
        let dropped: Vec<_> = dropped.into_iter().map(settle).collect();
        drop(policy);
        drop(dropped);
        removed
    }

    /// Removes all copies of what the shared tier has. Costs a walk over everything.
    pub fn remove_copies(&self) {
        let mut copies = Vec::new();
        self.table.for_each(|entry| {
            if entry.is_portable() {
                copies.push(Arc::clone(entry));
            }
        });
        for copy in copies {
            self.remove_exactly(&copy, Cause::Evicted);
        }
    }

    /// Removes everything. Counts as neither evictions nor expirations.
    pub fn clear(&self) {
        let mut policy = lock(&self.policy);
        let dropped = self.drain();
        policy.bounds.clear();
        for rule in &self.rules {
            rule.on_clear();
        }
        drop(policy);
        drop(dropped);
    }

    /// Frees what has expired.
    pub fn free_expired(&self) {
        let now = self.clock.now();
        while self.expiry.is_due(now) {
            let mut dropped = Dropped::new();
            // held while what is due is neither scheduled nor removed yet, so that no write takes it for alive; and let go in
            // between, so that a thousand expiries at once are no long wait for one write
            let mut policy = lock(&self.policy);
            self.remove_due(now, &mut policy, &mut dropped);
            drop(policy);
        }
    }

    /// Removes some of what is due.
    pub(super) fn remove_due(&self, now: Tick, policy: &mut Policy, dropped: &mut Dropped) {
        if !self.expiry.is_due(now) {
            return;
        }
        let mut gone = Dropped::new();
        let due = self.expiry.take_due(now, BATCH, &self.table);
        let is_it = |entry: &Arc<Entry>| entry.is_expired(now);
        self.table.remove_all(due, is_it, self.removed(), &mut gone);
        let settle = |entry| self.settle(entry, Cause::Expired, Some(policy), &self.rules);
        dropped.extend(gone.into_iter().map(settle));
    }

    /// Removes `entry`, if it is still there.
    #[cold]
    pub(super) fn remove_exactly(&self, entry: &Arc<Entry>, cause: Cause) {
        let mut policy = self.policy_for(entry.key().space());
        let removed = self.take_out_exactly(entry, cause, policy.as_deref_mut());
        drop(policy);
        drop(removed);
    }

    pub(super) fn take_out_exactly(
        &self,
        entry: &Arc<Entry>,
        cause: Cause,
        policy: Option<&mut Policy>,
    ) -> Option<Arc<Entry>> {
        let is_it = |other: &Arc<Entry>| Arc::ptr_eq(other, entry);
        self.take_out(entry.key().hash(), is_it, cause, policy)
    }

    pub(super) fn take_out(
        &self,
        hash: u64,
        is_it: impl Fn(&Arc<Entry>) -> bool,
        cause: Cause,
        policy: Option<&mut Policy>,
    ) -> Option<Arc<Entry>> {
        self.take_out_as(hash, is_it, |_| cause, policy)
    }

    fn take_out_as(
        &self,
        hash: u64,
        is_it: impl Fn(&Arc<Entry>) -> bool,
        cause: impl Fn(&Entry) -> Cause,
        policy: Option<&mut Policy>,
    ) -> Option<Arc<Entry>> {
        let removed = self.table.remove(hash, is_it, self.removed())?;
        let cause = cause(&removed);
        Some(self.settle(removed, cause, policy, &self.rules))
    }

    /// Takes out `entry`, and tells `rules` of it, which are those that don't know it yet.
    pub(super) fn take_out_for(
        &self,
        entry: &Arc<Entry>,
        policy: &mut Policy,
        rules: &[Box<dyn Rule>],
    ) -> Option<Arc<Entry>> {
        let is_it = |other: &Arc<Entry>| Arc::ptr_eq(other, entry);
        let hash = entry.key().hash();
        let removed = self.table.remove(hash, is_it, self.removed())?;
        Some(self.settle(removed, Cause::Rule, Some(policy), rules))
    }

    fn drain(&self) -> Vec<Arc<Entry>> {
        self.table.drain(self.removed())
    }

    /// What is done while an entry is taken out of the table, under the lock of its shard, so that the count is never ahead of
    /// the table, nor below zero, and what is noted beside it says the same.
    fn removed(&self) -> impl Fn(&Entry, Twins<'_>) {
        |entry, twins| {
            self.len.fetch_sub(1, Ordering::Relaxed);
            self.unlist(entry, twins);
        }
    }

    /// Takes out what is noted of `entry` beside the table, where it leaves its `twins`.
    pub(super) fn unlist(&self, entry: &Entry, twins: Twins<'_>) {
        self.index.forget(entry.key(), twins);
        self.expiry.forget(entry, twins);
    }

    /// Tells everyone that `entry` is out of the table. Gives it back.
    fn settle(
        &self,
        entry: Arc<Entry>,
        cause: Cause,
        policy: Option<&mut Policy>,
        rules: &[Box<dyn Rule>],
    ) -> Arc<Entry> {
        let gone = Resident(entry);
        let space = gone.key().space();
        if let Some(bound) = policy.and_then(|policy| policy.bound(space)) {
            bound.len = bound.len.saturating_sub(1);
        }
        for rule in rules {
            rule.on_remove(&gone, cause);
        }
        (self.observer)(gone.key(), cause);
        gone.0
    }
}

impl Removed {
    fn of(entry: &Entry) -> Self {
        Self {
            entries: 1,
            local: u64::from(!entry.is_portable()),
        }
    }
}

impl std::ops::AddAssign for Removed {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.local += other.local;
    }
}

//! Access to the in-process tier: what is stored and removed there, and the copies of values from the shared tier.

use std::time::Duration;

use cacheado_backends::memory::{Dropped, Inserted, Store};
use cacheado_backends::{Key, NewEntry};

use crate::aging::aged::Age;
use crate::aging::{Aging, Span};
use crate::cache::Cache;
use crate::flight::Ticket;
use crate::ledger::Elsewhere;
use crate::load::active::{in_doubt, is_in_body};
use crate::shared::{Found, Wanted};
use crate::value::{AnyValue, ValueType};

impl Cache {
    /// Calls `store` with an entry for the in-process tier: a clone of `value` that lives as `span` says. If that tier keeps no
    /// values, the entry is a placeholder for the rules, or `None` without rules. `portable`: the shared tier can have the value too.
    /// Runs the user's code before and after, so the caller must hold no lock.
    pub(crate) fn with_entry<R>(
        &self,
        key: &Key,
        values: &ValueType,
        value: &AnyValue,
        span: &Span,
        portable: bool,
        store: impl FnOnce(Option<NewEntry<'_>>) -> R,
    ) -> R {
        let weigh = |ages| self.weigher().weigh(key, values, value, ages);
        if self.is_in_process() {
            let age = span.ages().then(|| Age::new(self.clock().now(), span));
            let weight = weigh(age.is_some());
            let store = |entry: NewEntry<'_>| store(Some(entry));
            return values.lend(key.clone(), value, age, weight, portable, store);
        }
        let ruled = portable && self.rules_hear_of(key);
        store(ruled.then(|| NewEntry::new(key.clone(), Elsewhere, weigh(false), true)))
    }

    /// Whether a rule of the cache, or the `max_items` of its function, keeps track of the entry of `key`.
    fn rules_hear_of(&self, key: &Key) -> bool {
        self.is_ruled() || key.space().max_items().is_some()
    }

    /// What a lookup in the shared tier has to ask for: the remaining lifetime matters to a copy, to rules, and to values that age.
    pub(crate) fn wanted(&self, key: &Key, aging: &Aging) -> Wanted {
        if self.is_in_process() || self.rules_hear_of(key) || aging.ages() {
            Wanted::Lifetime
        } else {
            Wanted::Value
        }
    }

    /// Inserts `entry`, if given, into the in-process tier, to live as `span` says. Replaced and evicted entries go to `dropped`, even
    /// if a rule panics. The caller drops them outside the locks.
    pub(crate) fn store_local(
        &self,
        entry: Option<NewEntry<'_>>,
        span: &Span,
        dropped: &mut Dropped,
    ) -> Inserted {
        let mut lifetime = span.total();
        if !self.is_in_process() {
            lifetime = span.outside(lifetime);
        }
        match entry {
            Some(entry) => self.store().insert(entry, lifetime, dropped),
            None if lifetime == Some(Duration::ZERO) => Inserted::Ephemeral,
            None => Inserted::Stored(lifetime),
        }
    }

    /// Keeps a copy of the shared tier's value under the key of `ticket`, for as long as it lives there and as `aging` says, unless
    /// the key was invalidated meanwhile. In a cache that keeps no values, the rules only see keys that are new to them: they learned
    /// of the known ones in the lookup.
    pub(crate) fn take_over(
        &self,
        ticket: &Ticket,
        values: &ValueType,
        found: &Found,
        aging: &Aging,
    ) {
        let is_known = || self.store().peek_key(ticket.key(), |_| ()).is_some();
        if !self.is_in_process() && is_known() {
            return;
        }
        let span = found.span(aging);
        // dropped outside the locks
        let mut dropped = Dropped::new();
        self.with_entry(ticket.key(), values, &*found.value, &span, true, |entry| {
            let entry = entry.map(NewEntry::taken_over);
            ticket.store(|| self.store_local(entry, &span, &mut dropped));
        });
    }

    /// Handles a value that the shared tier refused: something newer came meanwhile, or another load was faster. The process forgets
    /// it too, unless the entry is from another load by now. Other loads are not affected: the tier judges each by its own mark.
    pub(crate) fn take_back(&self, ticket: &Ticket) {
        // dropped outside the locks
        let mut dropped = Dropped::new();
        ticket.store(|| self.store().remove(ticket.key(), &mut dropped));
    }

    /// Whether the entry in the process must not be served now. That is so if it may be an outdated copy of which no report would
    /// come, and a body asks for it: the body's value would be as old, and could go to the shared tier for its own whole lifetime.
    /// Costs nothing where copies are not limited. An entry that has gone since it was read counts as a copy.
    #[inline]
    pub(crate) fn doubts(&self, is_copy: impl FnOnce(&Store) -> Option<bool>) -> bool {
        self.store().limits_copies() && is_in_body() && is_copy(self.store()) != Some(false)
    }

    /// As [`doubts`](Self::doubts), for `key`.
    pub(crate) fn doubts_key(&self, key: &Key) -> bool {
        self.doubts(|store| store.peek_key(key, |entry| entry.is_copy()))
    }

    /// Called when the entry under `key` is served because there is nothing better. If it is [doubted](Self::doubts), the value that
    /// the body makes of it stays in the process, bounded like the copy.
    pub(crate) fn serves_for_want_of_better(&self, key: &Key) {
        if self.doubts_key(key) {
            in_doubt();
        }
    }

    /// Removes the copy of an entry that the shared tier has, or will have. It goes to `dropped`.
    pub(crate) fn forget_copy(&self, key: &Key, dropped: &mut Dropped) {
        if self.is_in_process() {
            self.store().remove(key, dropped);
        }
    }
}

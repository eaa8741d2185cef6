//! The in-process tier, as the rest goes about it: what is stored there and forgotten, and the copies there of what the shared tier has.

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
    /// Gives `store` an entry of a clone of `value`, which lives as `span` says, for the in-process tier. If that keeps no values, one
    /// that stands for it, for the rules to see; none if there are none. `portable`: the shared tier can have it too. Runs the
    /// user's code before and after, so no lock is to be held.
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

    /// Puts an entry that lives as `span` says into the in-process tier, if there is an entry. What goes for it is left in `dropped`, also
    /// if a rule panics, to be dropped when no lock is held.
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

    /// Keeps a copy of what the shared tier had under the key of `ticket`, for as long as it lives there and as `aging` says, unless that was
    /// invalidated meanwhile. In a cache that keeps none, the rules are asked of what they have not met: of what they know, the look-up has
    /// told them.
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
        // dropped where no lock is held
        let mut dropped = Dropped::new();
        self.with_entry(ticket.key(), values, &*found.value, &span, true, |entry| {
            let entry = entry.map(NewEntry::taken_over);
            ticket.store(|| self.store_local(entry, &span, &mut dropped));
        });
    }

    /// The shared tier refuses what the load of `ticket` has brought: something newer came meanwhile, or another load was faster. The process
    /// forgets it as well, unless another's lies there by now. What other loads have is not touched: the tier judges each by its own mark.
    pub(crate) fn take_back(&self, ticket: &Ticket) {
        // dropped where no lock is held
        let mut dropped = Dropped::new();
        ticket.store(|| self.store().remove(ticket.key(), &mut dropped));
    }

    /// Whether what the process has under a key is not to be served now. It may be a copy that is old, where nothing says when it is; and a
    /// body asks for it, whose value would be as old, and go to the shared tier, for as long as that lives. Costs nothing where copies are
    /// not limited. One that has gone since it was read was a copy, for all that is known.
    #[inline]
    pub(crate) fn doubts(&self, is_copy: impl FnOnce(&Store) -> Option<bool>) -> bool {
        self.store().limits_copies() && is_in_body() && is_copy(self.store()) != Some(false)
    }

    /// The same of `key`.
    pub(crate) fn doubts_key(&self, key: &Key) -> bool {
        self.doubts(|store| store.peek_key(key, |entry| entry.is_copy()))
    }

    /// What the process has under `key` is all there is, and is served. If it is [doubted](Self::doubts), what the body makes of it stays in
    /// the process, where it is bounded as the copy is.
    pub(crate) fn serves_for_want_of_better(&self, key: &Key) {
        if self.doubts_key(key) {
            in_doubt();
        }
    }

    /// Has the process forget its copy of what the shared tier has, or is about to, under `key`. It is left in `dropped`.
    pub(crate) fn forget_copy(&self, key: &Key, dropped: &mut Dropped) {
        if self.is_in_process() {
            self.store().remove(key, dropped);
        }
    }
}

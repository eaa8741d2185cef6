//! A closer look at an entry that a lookup has found: a value that must be examined, or a kept error.

use cacheado_backends::{Entry as Stored, Probe};
use serde::Serialize;

use super::Function;
use crate::aging::aged::{Aged, Freshness};
use crate::cache::Cache;
use crate::counters::Event;
use crate::load::active::is_inside;
use crate::load::pending::Pending;
use crate::load::{Claimed, Renewal};
use crate::outcome::{Carry, Outcome, Value};

impl Function {
    /// The outcome of an entry that is not a plain hit; `None`: a miss.
    #[cold]
    pub(super) fn look_closer<R, K, A>(
        &'static self,
        carry: Carry<R, K>,
        cache: &Cache,
        probe: Probe<'_, A>,
    ) -> Option<Result<R, Pending<R, K>>>
    where
        K: Outcome<R>,
        K::Stored: Value,
        A: Serialize,
    {
        // the lookup that led here has counted as a use already
        let found = cache
            .store()
            .peek(&probe, |entry| self.read(carry, cache, entry));
        let ret = match found? {
            Read::Miss => return None,
            Read::Refresh(value, claim) => {
                return Some(Err(self.refresh(carry, cache, &probe, value, &claim)));
            }
            Read::Hit(value) => K::restore(value),
            Read::StandIn(value) => {
                cache.count_space(probe.space(), Event::StaleHit);
                K::restore(value)
            }
            Read::Error(ret) => ret,
        };
        cache.count_space(probe.space(), Event::Hit);
        Some(Ok(ret))
    }

    /// What an entry of the function is to a lookup.
    fn read<R, K>(&self, carry: Carry<R, K>, cache: &Cache, entry: Stored<'_>) -> Read<R, K::Stored>
    where
        K: Outcome<R>,
        K::Stored: Value,
    {
        if let Some(value) = entry.value::<K::Stored>() {
            return Read::Hit(value.clone());
        }
        if let Some(aged) = entry.value::<Aged<K::Stored>>() {
            if aged.age.is_young(cache.clock()) {
                return Read::Hit(aged.value.clone());
            }
            return self.read_aged(cache, entry, aged);
        }
        // the entry has another type only if functions share a name and one of them misstates its value: a miss
        let error = carry.errors.and_then(|errors| errors.read(entry));
        error.map_or(Read::Miss, Read::Error)
    }

    /// What a value is to a lookup if it is past its `refresh_after`, or its lifetime.
    #[cold]
    fn read_aged<R, T: Value>(
        &self,
        cache: &Cache,
        entry: Stored<'_>,
        Aged { value, age }: &Aged<T>,
    ) -> Read<R, T> {
        let now = cache.clock().now();
        let stale = match age.freshness(now) {
            Freshness::Fresh => {
                if let Some(until) = age.used(now) {
                    cache.store().prolong(entry, age.stored_at(), until);
                }
                return Read::Hit(value.clone());
            }
            Freshness::Due if !self.spec.owned => return Read::Hit(value.clone()),
            Freshness::Due => false,
            Freshness::Stale => true,
        };
        let aging = cache.aging_of(Some(self.aging()));
        if stale && aging.stale.is_none() {
            // stored by another function of the same name; the users of this one did not ask for stale values
            return Read::Miss;
        }
        // a stale value is not served at once if the call must wait for a load, or run the body itself
        let waits = stale && (!self.spec.owned || aging.timeout.is_some() || age.is_expired());
        if waits && !age.is_resting(now) {
            return Read::Miss;
        }
        // before the claim, which nobody would hold if this panicked
        let value = value.clone();
        let patience = cache.flights().timeout();
        if !waits && let Some(claim) = age.claim(cache.clock(), now, patience) {
            return Read::Refresh(value, Claimed::new(stale, claim, age));
        }
        if stale {
            Read::StandIn(value)
        } else {
            Read::Hit(value)
        }
    }

    /// A hit for which the body must run in the background.
    #[cold]
    fn refresh<R, K, A>(
        &'static self,
        carry: Carry<R, K>,
        cache: &Cache,
        probe: &Probe<'_, A>,
        value: K::Stored,
        claim: &Claimed,
    ) -> Pending<R, K>
    where
        K: Outcome<R>,
        A: Serialize,
    {
        cache.count_space(probe.space(), Event::Hit);
        if claim.stale {
            cache.count_space(probe.space(), Event::StaleHit);
        }
        let typed = carry.typed;
        let load = match probe.to_key() {
            Ok(key) => {
                let inside = is_inside(cache.id(), &key);
                let mut load = self.load(cache, key, typed.values, self.spec.sharing);
                load.renewal = Some(Box::new(Renewal::new(&load, claim)));
                // inside its own load the refresh is under way already, and the claim is given back
                (!inside).then_some(load)
            }
            Err(message) => {
                self.has_no_key(cache, probe.space(), &message);
                None
            }
        };
        Pending::ahead(value, load.map(|load| (load, typed))).keeping(carry.errors)
    }
}

/// What an entry is to a lookup.
enum Read<R, T> {
    Hit(T),
    /// A hit of a kept error, as the function's return value.
    Error(R),
    /// A hit of a value past its lifetime.
    StandIn(T),
    /// A hit, and the body must run in the background.
    Refresh(T, Claimed),
    Miss,
}

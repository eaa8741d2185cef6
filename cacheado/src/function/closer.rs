//! A closer look at what a look-up has found: a value past the moment from which it is looked at again, or an error that is kept.

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
    /// What comes of an entry that is no plain hit; `None`: it is a miss.
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
        // the look-up that came here has been a use of it already
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

    /// What an entry of the function's is to a look-up.
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
        // else of another type, only if functions share a name and one of them lies about its value: a miss, then
        let error = carry.errors.and_then(|errors| errors.read(entry));
        error.map_or(Read::Miss, Read::Error)
    }

    /// The same of one that is past its `refresh_after`, or its lifetime.
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
            // another function of the same name stored it, and this one's users asked for no such values
            return Read::Miss;
        }
        // a stale value that one of them is to wait for, or to run the body for, is not served at once
        let waits = stale && (!self.spec.owned || aging.timeout.is_some() || age.is_expired());
        if waits && !age.is_resting(now) {
            return Read::Miss;
        }
        // ahead of the claim, which would be nobody's if this panicked
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

    /// A hit for which the body is to be run in the background.
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
                // inside of its own load it is under way already, and the claim is given back
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

/// What an entry is to a look-up.
enum Read<R, T> {
    Hit(T),
    /// A hit of what the function returned when it failed.
    Error(R),
    /// A hit of a value past its lifetime.
    StandIn(T),
    /// A hit, and the body is to be run in the background.
    Refresh(T, Claimed),
    Miss,
}

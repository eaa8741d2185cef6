//! What the process has under the key of a load that has begun: a value that ends the load, or one that stands in for a value that
//! can't be loaded.

use cacheado_backends::Entry;

use super::{Begun, Load, Sharing};
use crate::aging::aged::Age;
use crate::counters::Event;
use crate::value::AnyValue;

impl Load {
    /// The value in the process that ends this load, if there is one.
    pub(super) fn stored(&self) -> Option<Box<AnyValue>> {
        (!self.cache.doubts_key(&self.key)).then(|| self.kept())?
    }

    /// The value in the process if it is merely [doubted](crate::cache::Cache::doubts). It is used when the shared tier fails.
    pub(super) fn doubted(&self) -> Option<Box<AnyValue>> {
        let kept = self.cache.doubts_key(&self.key).then(|| self.kept())??;
        self.cache.serves_for_want_of_better(&self.key);
        Some(kept)
    }

    /// The value in the process, doubted or not.
    fn kept(&self) -> Option<Box<AnyValue>> {
        let (cache, values) = (&self.cache, self.values);
        // the value to be renewed does not count; one that has replaced it meanwhile does
        let renewed = self.renewal.as_ref().map(|it| it.claimed.stored_at);
        // after a failed load, while no other begins, a stand-in also serves callers whose lookup came before the failure
        let rests = renewed.is_none() && self.stale().is_some();
        let is_fresh = |age: &Age| age.is_fresh(cache.clock());
        let takes = |age: &Age| {
            Some(age.stored_at()) != renewed
                && (is_fresh(age) || (rests && age.is_resting(cache.clock().now())))
        };
        let mut stands_in = false;
        let read = |entry: Entry<'_>| {
            stands_in = values.age(entry).is_some_and(|age| !is_fresh(age));
            values.clone_aged(entry, takes)
        };
        let found = self.use_if(|entry| values.takes(entry, takes), read)?;
        if stands_in {
            cache.count(&self.key, Event::StaleHit);
        }
        Some(found)
    }

    /// Reads the entry in the process if `is_it` accepts it. An entry that is not accepted does not count as used: the lookup that led
    /// here used it already, if it was there by then.
    fn use_if<R>(
        &self,
        is_it: impl FnOnce(Entry<'_>) -> bool,
        read: impl FnOnce(Entry<'_>) -> Option<R>,
    ) -> Option<R> {
        let store = self.cache.store();
        let is_it = store.peek_key(&self.key, is_it)?;
        is_it.then(|| store.get_key(&self.key, read))??
    }

    /// The value in the process that stands in for one that can't be loaded.
    pub(crate) fn stand_in(&self) -> Option<Box<AnyValue>> {
        let may = self.stale().is_some();
        self.values.stand_in(&self.cache, &self.key, may)
    }

    /// Whether the process has a stand-in.
    pub(super) fn leaves_stand_in(&self) -> bool {
        let there = || self.cache.store().peek_key(&self.key, |_| ()).is_some();
        self.stale().is_some() && there()
    }

    /// The error that is kept in place of a value.
    pub(super) fn stored_error(&self) -> Option<Box<AnyValue>> {
        let clone = self.errors?;
        self.use_if(|entry| clone(entry).is_some(), clone)
    }

    /// What another load has landed between this caller's lookup and the beginning of its own load.
    pub(super) fn found_meanwhile(&self) -> Option<Begun> {
        if !matches!(self.sharing, Sharing::Single | Sharing::Cluster) {
            return None;
        }
        // waiters find it as this caller does
        if let Some(value) = self.stored() {
            self.hit();
            return Some(Begun::Found(value));
        }
        let error = self.stored_error()?;
        self.hit();
        Some(Begun::FoundError(error))
    }
}

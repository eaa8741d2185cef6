//! What the process has under the key of a load that has begun: for it to be over, or to stand in for a value that can't be had.

use cacheado_backends::Entry;

use super::{Begun, Load, Sharing};
use crate::aging::aged::Age;
use crate::counters::Event;
use crate::value::AnyValue;

impl Load {
    /// What the process has, for this load to be over.
    pub(super) fn stored(&self) -> Option<Box<AnyValue>> {
        (!self.cache.doubts_key(&self.key)).then(|| self.kept())?
    }

    /// What the process has, if that is merely [doubted](crate::cache::Cache::doubts): where the shared tier fails it is better than nothing.
    pub(super) fn doubted(&self) -> Option<Box<AnyValue>> {
        let kept = self.cache.doubts_key(&self.key).then(|| self.kept())??;
        self.cache.serves_for_want_of_better(&self.key);
        Some(kept)
    }

    /// What the process has, be it doubted or not.
    fn kept(&self) -> Option<Box<AnyValue>> {
        let (cache, values) = (&self.cache, self.values);
        // what is to be renewed is none; what has taken its place meanwhile is one
        let renewed = self.renewal.as_ref().map(|it| it.claimed.stored_at);
        // while no load is begun since one has just failed, what stands in does so for whoever looked before that, too
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

    /// What the process has, if it `is_it`. One that is not is not used: the look-up that led here has been a use of it already, if it was
    /// there by then.
    fn use_if<R>(
        &self,
        is_it: impl FnOnce(Entry<'_>) -> bool,
        read: impl FnOnce(Entry<'_>) -> Option<R>,
    ) -> Option<R> {
        let store = self.cache.store();
        let is_it = store.peek_key(&self.key, is_it)?;
        is_it.then(|| store.get_key(&self.key, read))??
    }

    /// What the process has that stands in for a value that can't be had.
    pub(crate) fn stand_in(&self) -> Option<Box<AnyValue>> {
        let may = self.stale().is_some();
        self.values.stand_in(&self.cache, &self.key, may)
    }

    /// Whether the process has one.
    pub(super) fn leaves_stand_in(&self) -> bool {
        let there = || self.cache.store().peek_key(&self.key, |_| ()).is_some();
        self.stale().is_some() && there()
    }

    /// The error that is kept in the place of a value.
    pub(super) fn stored_error(&self) -> Option<Box<AnyValue>> {
        let clone = self.errors?;
        self.use_if(|entry| clone(entry).is_some(), clone)
    }

    /// Another load may have landed after this caller's look-up and before it began its own.
    pub(super) fn found_meanwhile(&self) -> Option<Begun> {
        if !matches!(self.sharing, Sharing::Single | Sharing::Cluster) {
            return None;
        }
        // those who wait find it as this one does
        if let Some(value) = self.stored() {
            self.hit();
            return Some(Begun::Found(value));
        }
        let error = self.stored_error()?;
        self.hit();
        Some(Begun::FoundError(error))
    }
}

//! Keys for which the shared tier has a stand-in, and whose last load failed a short while ago. Where the process keeps no values,
//! nothing else records that.

use std::collections::HashMap;

use cacheado_backends::{Clock, Key, Tick};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};

/// The most keys that are recorded; further ones are not.
const MOST: usize = 10_000;

#[derive(Default)]
pub(crate) struct Rests {
    known: Mutex<Known>,
    /// Avoids taking the lock while there are none.
    any: AtomicBool,
}

#[derive(Default)]
struct Known {
    /// The first moment at which another load may begin.
    until: HashMap<Key, Tick>,
    /// When all recorded rests are over. Some of the keys may never be loaded again.
    over: Tick,
}

impl Rests {
    /// Records that no load of `key` may begin before `until`.
    pub(crate) fn begin(&self, key: &Key, now: Tick, until: Tick) {
        let mut known = lock(&self.known);
        if known.until.len() >= MOST {
            known.until.retain(|_, until| now < *until);
        }
        if known.until.len() < MOST {
            known.until.insert(key.clone(), until);
            known.over = known.over.max(until);
            self.any.store(true, Ordering::Release);
        }
    }

    /// Whether no load of `key` may begin yet.
    pub(crate) fn covers(&self, key: &Key, now: Tick) -> bool {
        let covers = |known: &Known| known.until.get(key).is_some_and(|until| now < *until);
        self.any.load(Ordering::Acquire) && covers(&lock(&self.known))
    }

    /// Records that `key` has a new value.
    pub(crate) fn end(&self, key: &Key, clock: &Clock) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut known = lock(&self.known);
        known.until.remove(key);
        if clock.has_reached(known.over) {
            *known = Known::default();
        }
        self.any.store(!known.until.is_empty(), Ordering::Release);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::time::Duration;

    use cacheado_backends::{ManualClock, Probe, Scope, Space};

    use super::*;

    fn key(id: usize) -> Key {
        let scope = Scope::global();
        let probe = Probe::in_scope(Space::programmatic(scope.level()), &scope, &id);
        probe.and_then(|probe| probe.to_key()).expect("a number")
    }

    #[test]
    fn it_knows_so_many_and_forgets_those_that_are_over_first() {
        let rests = Rests::default();
        for id in 0..=MOST {
            rests.begin(&key(id), 0, 10);
        }
        assert!(rests.covers(&key(0), 9) && rests.covers(&key(MOST - 1), 9));
        assert!(!rests.covers(&key(MOST), 9), "there was no room");
        assert!(!rests.covers(&key(0), 10));
        rests.begin(&key(MOST), 10, 20);
        assert!(rests.covers(&key(MOST), 19));
        assert_eq!(lock(&rests.known).until.len(), 1);
        rests.end(&key(MOST), &ManualClock::new().into());
        assert!(!rests.covers(&key(MOST), 19));
        assert!(!rests.any.load(Ordering::Acquire));
    }

    #[test]
    fn it_knows_none_when_all_are_over() {
        let (rests, clock) = (Rests::default(), ManualClock::new());
        for id in 1..=10 {
            rests.begin(&key(id), 0, 10 * id as Tick);
        }
        clock.advance(Duration::from_nanos(99));
        rests.end(&key(0), &clock.clone().into());
        assert!(rests.covers(&key(10), 99));
        clock.advance(Duration::from_nanos(1));
        rests.end(&key(0), &clock.into());
        assert!(!rests.any.load(Ordering::Acquire));
        assert_eq!(lock(&rests.known).until.capacity(), 0);
    }
}

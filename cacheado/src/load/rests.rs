//! Keys of which the shared tier has a value that stands in, and whose last load failed a short while ago: where the process keeps no
//! values, nothing else says so.

use std::collections::HashMap;

use cacheado_backends::{Key, Tick};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};

/// So many are known at most; beyond that, those that come are not.
const MOST: usize = 10_000;

#[derive(Default)]
pub(crate) struct Rests {
    /// The first moment at which there is another load.
    until: Mutex<HashMap<Key, Tick>>,
    /// So that nobody takes the lock while all is well.
    any: AtomicBool,
}

impl Rests {
    /// No other load of `key` is to begin before `until`.
    pub(crate) fn begin(&self, key: &Key, now: Tick, until: Tick) {
        let mut rests = lock(&self.until);
        if rests.len() >= MOST {
            rests.retain(|_, until| now < *until);
        }
        if rests.len() < MOST {
            rests.insert(key.clone(), until);
            self.any.store(true, Ordering::Release);
        }
    }

    /// Whether no load of `key` is to begin yet.
    pub(crate) fn covers(&self, key: &Key, now: Tick) -> bool {
        self.any.load(Ordering::Acquire)
            && lock(&self.until).get(key).is_some_and(|until| now < *until)
    }

    /// There is a new value of `key`.
    pub(crate) fn end(&self, key: &Key) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut rests = lock(&self.until);
        rests.remove(key);
        self.any.store(!rests.is_empty(), Ordering::Release);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use cacheado_backends::{Probe, Scope, Space};

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
        assert_eq!(lock(&rests.until).len(), 1);
        rests.end(&key(MOST));
        assert!(!rests.covers(&key(MOST), 19));
        assert!(!rests.any.load(Ordering::Acquire));
    }
}

//! The shared tier: its contents and its operations, each of which is atomic.
//!
//! It is simple, and correct by construction: a number counts everything that outdates loads, and a mark is that number at its time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cacheado::backends::{Lookup, Mark, Payload};
use cacheado::{Key, Scope};

#[derive(Default)]
pub struct Tier {
    entries: HashMap<Key, Stored>,
    generation: u64,
    keys: HashMap<Key, u64>,
    scopes: HashMap<Scope, u64>,
}

struct Stored {
    bytes: Arc<[u8]>,
    until: Option<Duration>,
}

impl Tier {
    pub fn get(&self, key: &Key, now: Duration) -> Lookup {
        let left = |until: Duration| until.checked_sub(now).filter(|left| !left.is_zero());
        let live = self.entries.get(key).and_then(|stored| {
            let lifetime = match stored.until {
                None => None,
                Some(until) => Some(left(until)?),
            };
            let bytes = Arc::clone(&stored.bytes);
            Some(Payload { bytes, lifetime })
        });
        live.map_or_else(|| Lookup::Miss(self.mark()), Lookup::Hit)
    }

    pub fn mark(&self) -> Mark {
        Mark::new(self.generation.to_le_bytes(), Instant::now())
    }

    /// Whether nothing has outdated a load that began at `mark`.
    pub fn is_current(&self, key: &Key, mark: &Mark) -> bool {
        let Ok(since) = mark.bytes().try_into().map(u64::from_le_bytes) else {
            return false;
        };
        let scope = key.scope();
        let old = |(within, at): (&Scope, &u64)| *at > since && within.contains(&scope);
        self.keys.get(key).is_none_or(|at| *at <= since) && !self.scopes.iter().any(old)
    }

    pub fn insert(&mut self, key: &Key, payload: &Payload, now: Duration) {
        let until = payload.lifetime.map(|lifetime| now + lifetime);
        let bytes = Arc::clone(&payload.bytes);
        self.entries.insert(key.clone(), Stored { bytes, until });
    }

    /// Outdates all loads of `key`. Returns whether there was an entry, which is removed.
    pub fn evict(&mut self, key: &Key) -> bool {
        self.generation += 1;
        self.keys.insert(key.clone(), self.generation);
        self.entries.remove(key).is_some()
    }

    /// The same for everything in `scope`. Returns the number of removed entries.
    pub fn evict_by_scope(&mut self, scope: &Scope) -> u64 {
        self.generation += 1;
        self.scopes.insert(scope.clone(), self.generation);
        let before = self.entries.len();
        self.entries.retain(|key, _| !scope.contains(&key.scope()));
        (before - self.entries.len()) as u64
    }
}

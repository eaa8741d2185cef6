//! Many keys at once: each is looked up and kept as if it came alone, and the shared tier is asked once for all.

use std::collections::HashMap;
use std::time::Duration;

use cacheado_backends::backend::{Mark, Payload};
use cacheado_backends::memory::Inserted;
use cacheado_backends::{Error, Key, Result, Scope};
use serde::Serialize;

use super::key;
use crate::cache::Cache;
use crate::counters::Event;
use crate::flight::{FlightKind, Ticket};
use crate::outcome::Portable;
use crate::shared::{Seen, SharedTier};
use crate::value::{Codec, Typed, unboxed};

/// What is known of the keys of one call.
pub(super) struct Batch<'a, T> {
    cache: &'a Cache,
    values: Vec<Option<T>>,
    /// Those that the process does not have.
    absent: Vec<Absent>,
}

/// A key that the process does not have.
struct Absent {
    /// Its place among the keys of the call.
    place: usize,
    key: Key,
    /// What an invalidation that comes meanwhile is told by.
    ticket: Ticket,
    mark: Option<Mark>,
}

/// What a batch has loaded and the shared tier is to have.
pub(super) type Fills = Vec<(Key, Payload, Mark)>;

/// The keys of a batch.
pub(super) fn keys_of<K: Serialize>(scope: &Scope, keys: &[K]) -> Result<Vec<Key>> {
    keys.iter().map(|it| key(scope, it)).collect()
}

impl<'a, T: Portable> Batch<'a, T> {
    /// Looks into the process. Counts the hits there.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`] if one was stored as another type.
    pub(super) fn begin(cache: &'a Cache, keys: Vec<Key>, blocking: bool) -> Result<Self> {
        let mut batch = Self {
            cache,
            values: Vec::with_capacity(keys.len()),
            absent: Vec::new(),
        };
        for (place, key) in keys.into_iter().enumerate() {
            let found = cache.is_enabled().then(|| {
                cache.store().get_key(&key, |entry| {
                    entry.value::<T>().cloned().ok_or_else(|| entry.type_name())
                })
            });
            let value = match found.flatten().filter(|_| cache.is_in_process()) {
                Some(Ok(value)) => {
                    cache.count(&key, Event::Hit);
                    Some(value)
                }
                Some(Err(stored)) => {
                    cache.count(&key, Event::Miss);
                    return Err(Error::TypeMismatch {
                        key: key.to_string(),
                        stored: stored.to_owned(),
                        requested: std::any::type_name::<T>(),
                    });
                }
                None => {
                    let ticket = cache.flights().beside(&key, FlightKind::Load, blocking);
                    batch.absent.push(Absent {
                        place,
                        key,
                        ticket,
                        mark: None,
                    });
                    None
                }
            };
            batch.values.push(value);
        }
        Ok(batch)
    }

    /// The shared tier and what it is to be asked for, if anything.
    pub(super) fn shared(&self) -> Option<(&'a SharedTier, Codec, Vec<Key>)> {
        let tier = self.cache.shared().filter(|_| self.cache.is_enabled())?;
        let absent = self.absent.iter().map(|absent| &absent.key);
        let shared = absent.filter(|key| self.cache.can_share(key));
        let keys: Vec<Key> = shared.cloned().collect();
        (!keys.is_empty()).then(|| (tier, Codec::of::<T>(), keys))
    }

    /// Takes over what the shared tier has, in the order in which it was asked. Counts the hits.
    pub(super) fn absorb(&mut self, seen: Vec<Seen>) {
        let mut seen = seen.into_iter();
        let cache = self.cache;
        let values = &mut self.values;
        self.absent.retain_mut(|absent| {
            if !cache.can_share(&absent.key) {
                return true;
            }
            match seen.next() {
                Some(Seen::Hit((value, left))) => {
                    cache.count(&absent.key, Event::Hit);
                    let typed = Typed::<T>::PORTABLE.values;
                    let entry = cache.entry(&absent.key, typed, &*value, true);
                    // what went for it is dropped here, where no lock is held
                    drop(absent.ticket.store(|| cache.store_local(entry, left)));
                    values[absent.place] = Some(unboxed(value));
                    false
                }
                Some(Seen::Miss(mark)) => {
                    absent.mark = mark;
                    true
                }
                None => true,
            }
        });
    }

    /// Counts what is missing as misses, and as loads if it is to be loaded. Returns which of the call's keys that are.
    pub(super) fn missing(&self, loads: bool) -> Vec<usize> {
        for Absent { key, .. } in &self.absent {
            self.cache.count(key, Event::Miss);
            if loads {
                self.cache.count(key, Event::Load);
            }
        }
        self.absent.iter().map(|absent| absent.place).collect()
    }

    /// Keeps what was loaded in the process, unless it was invalidated meanwhile. What belongs to no missing key is ignored.
    /// Returns what the shared tier is to have.
    pub(super) fn settle(
        &mut self,
        loaded: impl IntoIterator<Item = (Key, T)>,
        ttl: Option<Duration>,
    ) -> Fills {
        let mut by_key: HashMap<&Key, usize> = HashMap::new();
        for (nth, absent) in self.absent.iter().enumerate() {
            by_key.entry(&absent.key).or_insert(nth);
        }
        let mut loaded_at: Vec<Option<T>> = self.absent.iter().map(|_| None).collect();
        for (key, value) in loaded {
            if let Some(&nth) = by_key.get(&key) {
                loaded_at[nth] = Some(value);
            }
        }
        // one key may have been asked for twice
        for nth in 0..loaded_at.len() {
            let first = by_key[&self.absent[nth].key];
            if first < nth {
                let value = loaded_at[first].clone();
                loaded_at[nth] = value;
            }
        }
        let mut fills = Fills::new();
        for (absent, value) in self.absent.iter().zip(loaded_at) {
            let Some(value) = value else { continue };
            if self.cache.is_enabled() && ttl != Some(Duration::ZERO) {
                fills.extend(keep(self.cache, absent, &value, ttl));
            }
            self.values[absent.place] = Some(value);
        }
        fills
    }

    /// After the shared tier was told of `fills`: it may have refused what is older than an invalidation, or an invalidation may have
    /// come while it was told. Returns what is to be evicted there.
    pub(super) fn told(&self, fills: &Fills, stored: &Result<Vec<bool>>) -> Vec<Key> {
        let Ok(stored) = stored else {
            return Vec::new();
        };
        let mut outdated = Vec::new();
        for ((key, ..), stored) in fills.iter().zip(stored) {
            if !stored {
                let remove = || self.cache.store().remove(key);
                drop(self.cache.flights().invalidate(key, remove));
            } else if self
                .absent
                .iter()
                .any(|absent| absent.key == *key && !absent.ticket.is_valid())
            {
                outdated.push(key.clone());
            }
        }
        outdated
    }

    /// The values, in the order of the call's keys.
    pub(super) fn finish(self) -> Vec<Option<T>> {
        self.values
    }
}

/// Keeps one that was loaded. Returns what the shared tier is to have of it.
fn keep<T: Portable>(
    cache: &Cache,
    absent: &Absent,
    value: &T,
    ttl: Option<Duration>,
) -> Option<(Key, Payload, Mark)> {
    let Absent {
        key, ticket, mark, ..
    } = absent;
    let values = Typed::<T>::PORTABLE.values;
    let tier = cache.shared().filter(|_| cache.can_share(key));
    let entry = cache.entry(key, values, value, tier.is_some());
    let stored = ticket.store(|| cache.store_local(entry, ttl));
    // what went is dropped here, where no lock is held
    let Some(Inserted::Stored(lifetime)) = stored.map(|(inserted, _dropped)| inserted) else {
        return None;
    };
    let (tier, mark) = tier.zip(mark.as_ref())?;
    let payload = tier.seal(key, Codec::of::<T>(), value, lifetime).ok()?;
    Some((key.clone(), payload, mark.clone()))
}

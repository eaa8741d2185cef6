//! Many keys at once: each is looked up and kept as if it came alone, and the shared tier is asked once for all of them.

pub(crate) mod batched;

use std::collections::hash_map::{self, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::backend::{Mark, Payload};
use cacheado_backends::memory::{Dropped, Inserted};
use cacheado_backends::{Entry, Error, Key, Result};

use crate::aging::Aging;
use crate::aging::aged::Age;
use crate::cache::Cache;
use crate::context::Wishes;
use crate::counters::Event;
use crate::evict::{Evictions, Filling, or_evict};
use crate::flight::{FlightKind, Keeping, Ticket};
use crate::load::active::{of_many, polled_of_many};
use crate::outcome::Decision;
use crate::shared::{Seen, SharedTier, Wanted};
use crate::value::{Codec, Typed};
use crate::way::Way;

/// The state of one call with many keys.
pub(crate) struct Batch<'a, T> {
    cache: &'a Cache,
    typed: Typed<T>,
    /// How the values age.
    aging: Aging,
    values: Vec<Option<T>>,
    /// The keys that the process does not have, each once.
    absent: Vec<Absent>,
    /// Repetitions of those keys.
    again: Vec<Again>,
    /// What is known about the values that the body makes.
    wishes: Arc<Wishes>,
    /// The error for a value that was stored as another type.
    mismatch: Option<Error>,
    /// The missing keys have been counted.
    counted: bool,
}

/// A key that the process does not have.
struct Absent {
    /// Its position among the keys of the call.
    place: usize,
    key: Key,
    /// Through this an invalidation that comes meanwhile is noticed.
    ticket: Ticket,
    mark: Option<Mark>,
    /// The shared tier has an entry that is not a usable value: a stale or unreadable one.
    is_left: bool,
}

impl Absent {
    /// Whether nothing has outdated the value that the shared tier was given.
    fn is_filled(&self) -> bool {
        let how = Keeping::by(true, self.mark.as_ref());
        self.ticket.is_valid_in(how)
    }
}

/// A repetition of a key that the process does not have.
struct Again {
    place: usize,
    key: Key,
    /// The key's first position.
    first: usize,
}

/// Loaded values that go to the shared tier.
#[derive(Default)]
struct Fills {
    entries: Vec<Fill>,
    /// For each entry, its index in `absent`.
    of: Vec<usize>,
    /// Keys whose values were loaded and are not kept, but that have a stand-in or an unusable entry. Those must go, or the next
    /// failing load would bring them back.
    left: Vec<Key>,
}

type Fill = (Key, Payload, Mark);

/// What became of a loaded value.
enum Kept {
    /// It must not be stored.
    Nowhere,
    /// It is stored, or something else came meanwhile. The fill goes to the shared tier, if there is one.
    Stored(Option<Fill>),
}

impl<'a, T> Batch<'a, T> {
    /// Looks the keys up in the process. Counts the hits there.
    pub(crate) fn begin(
        cache: &'a Cache,
        typed: Typed<T>,
        aging: Aging,
        keys: Vec<Key>,
        way: Way,
    ) -> Self {
        let mut batch = Self {
            cache,
            typed,
            aging,
            values: Vec::with_capacity(keys.len()),
            absent: Vec::new(),
            again: Vec::new(),
            wishes: Arc::default(),
            mismatch: None,
            counted: false,
        };
        let mut seen: HashMap<Key, usize> = HashMap::new();
        for (place, key) in keys.into_iter().enumerate() {
            let value = batch.stored(&key);
            if value.is_some() {
                cache.count(&key, Event::Hit);
            } else {
                match seen.entry(key.clone()) {
                    hash_map::Entry::Occupied(seen) => {
                        let first = *seen.get();
                        batch.again.push(Again { place, key, first });
                    }
                    hash_map::Entry::Vacant(vacant) => {
                        vacant.insert(place);
                        let ticket = cache.flights().beside(&key, FlightKind::Load, way);
                        batch.absent.push(Absent {
                            place,
                            key,
                            ticket,
                            mark: None,
                            is_left: false,
                        });
                    }
                }
            }
            batch.values.push(value);
        }
        batch
    }

    /// The value in the process.
    fn stored(&mut self, key: &Key) -> Option<T> {
        let cache = self.cache;
        if !cache.is_enabled() {
            return None;
        }
        if !cache.is_in_process() {
            // only for the rules
            cache.store().get_key(key, |_| ());
            return None;
        }
        if cache.doubts_key(key) {
            return None;
        }
        let types = self.typed.values;
        let found = cache.store().get_key(key, |entry| {
            match types.clone_fresh(entry, cache.clock()) {
                Some(value) => {
                    if let Some(age) = types.age(entry)
                        && let Some(until) = age.used(cache.clock().now())
                    {
                        cache.store().prolong(entry, age.stored_at(), until);
                    }
                    Ok(Some(value))
                }
                // past its lifetime: a stand-in, which a call of many keys does not use
                None if types.age(entry).is_some() => Ok(None),
                None => Err(entry.type_name()),
            }
        });
        match found? {
            Ok(value) => value.map(self.typed.own),
            Err(stored) => {
                self.mismatch.get_or_insert_with(|| Error::TypeMismatch {
                    key: key.to_string(),
                    stored: stored.to_owned(),
                    requested: std::any::type_name::<T>(),
                });
                None
            }
        }
    }

    /// Returns the batch, unless a value was stored as another type. In that case all missing keys are counted as misses.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`].
    pub(crate) fn of_one_type(mut self) -> Result<Self> {
        match self.mismatch.take() {
            None => Ok(self),
            Some(error) => {
                self.missing(false);
                Err(error)
            }
        }
    }

    /// The shared tier and the keys to ask it for, if any.
    fn shared(&self) -> Option<(&'a SharedTier, Codec, Vec<Key>)> {
        let (tier, codec) = self.cache.shared().zip(self.typed.values.codec)?;
        let absent = self.absent.iter().map(|absent| &absent.key);
        let shared = absent.filter(|key| self.cache.can_share(key));
        self.asks()
            .then(|| (tier, codec, shared.cloned().collect()))
    }

    /// Whether there is anything to ask the shared tier for.
    pub(crate) fn asks(&self) -> bool {
        self.typed.values.codec.is_some()
            && self.cache.is_enabled()
            && self
                .absent
                .iter()
                .any(|absent| self.cache.can_share(&absent.key))
    }

    /// Asks the shared tier for what the process does not have. `loads`: missing values will be loaded.
    pub(crate) async fn look(&mut self, way: Way, loads: bool) {
        if let Some((tier, codec, keys)) = self.shared() {
            // an entry that a rule has just dropped must not be found
            self.cache.evict_chosen(way).await;
            let wanted = |key| self.cache.wanted(key, &self.aging);
            let wanted = keys.iter().map(wanted).max().unwrap_or(Wanted::Value);
            self.absorb(tier.look_many(way, &keys, codec, wanted, loads).await);
            self.cache.evict_chosen(way).await;
        }
    }

    /// Takes over the values of the shared tier, in the order of the request. Counts the hits.
    fn absorb(&mut self, seen: Vec<(Seen, bool)>) {
        let mut seen = seen.into_iter();
        let (cache, own, types) = (self.cache, self.typed.own, self.typed.values);
        let (values, aging) = (&mut self.values, self.aging);
        self.absent.retain_mut(|absent| {
            if !cache.can_share(&absent.key) {
                return true;
            }
            match seen.next() {
                Some((Seen::Hit(found), _)) => {
                    cache.take_over(&absent.ticket, types, &found, &aging);
                    // last: a rule may panic in `take_over`, and then the key counts as missing
                    cache.count(&absent.key, Event::Hit);
                    values[absent.place] = Some(own(found.value));
                    false
                }
                Some((Seen::Miss(mark), is_left)) => {
                    (absent.mark, absent.is_left) = (mark, is_left);
                    true
                }
                None => true,
            }
        });
    }

    /// Counts the missing keys as misses, and as loads if they will be loaded. Returns their positions among the call's keys, each key
    /// once.
    pub(crate) fn missing(&mut self, loads: bool) -> Vec<usize> {
        self.counted = true;
        for Absent { key, .. } in &self.absent {
            self.cache.count(key, Event::Miss);
            if loads {
                self.cache.count(key, Event::Load);
            }
        }
        for Again { key, first, .. } in &self.again {
            let found = self.values[*first].is_some();
            let event = if found { Event::Hit } else { Event::Miss };
            self.cache.count(key, event);
        }
        self.absent.iter().map(|absent| absent.place).collect()
    }

    /// Runs the body for the missing keys.
    pub(crate) fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        of_many(&self.wishes, body)
    }

    /// As [`run`](Self::run), without blocking.
    pub(crate) async fn run_async<F: Future>(&self, body: Pin<&mut F>) -> F::Output {
        polled_of_many(&self.wishes, body).await
    }

    /// The loaded values, in the order of the [missing](Self::missing) keys. Values of other keys are dropped.
    pub(crate) fn arranged(&self, loaded: impl IntoIterator<Item = (Key, T)>) -> Vec<Option<T>> {
        let mut loaded: HashMap<Key, T> = loaded.into_iter().collect();
        let keys = self.absent.iter().map(|absent| &absent.key);
        keys.map(|key| loaded.remove(key)).collect()
    }

    /// Keeps loaded values, given in the order of the [missing](Self::missing) keys, in the process and in the shared tier. `decide`
    /// says what becomes of each.
    pub(crate) async fn store(
        &mut self,
        way: Way,
        loaded: Vec<Option<T>>,
        decide: impl FnMut(&T) -> Decision,
    ) {
        let mut fills = self.settle(loaded, decide);
        let left = std::mem::take(&mut fills.left);
        // a failure is counted and traced, and the eviction kept until it can be sent
        let _ = Evictions::everywhere(self.cache, left).run(way).await;
        if let Some(tier) = self.cache.shared().filter(|_| !fills.of.is_empty()) {
            let filling = Filling::new(self.cache, || self.overtaken(&fills));
            let stored = tier.fill_many(way, &fills.entries).await;
            filling.over();
            let outdated = self.outdated(&fills, &stored);
            let _ = Evictions::everywhere(self.cache, outdated).run(way).await;
            self.cache.evict_chosen(way).await;
        }
    }

    /// Keeps the loaded values in the process, unless they were invalidated meanwhile. Returns what goes to the shared tier.
    fn settle(&mut self, loaded: Vec<Option<T>>, mut decide: impl FnMut(&T) -> Decision) -> Fills {
        if self.wishes.is_doubted() {
            // without a mark nothing goes to the shared tier
            self.absent.iter_mut().for_each(|absent| absent.mark = None);
        }
        let mut fills = Fills::default();
        for ((nth, absent), value) in self.absent.iter().enumerate().zip(loaded) {
            let Some(value) = value else { continue };
            let kept = match decide(&value) {
                Decision::Store { ttl }
                    if self.cache.is_enabled() && ttl != Some(Duration::ZERO) =>
                {
                    self.keep(absent, &value, ttl)
                }
                _ => Kept::Nowhere,
            };
            match kept {
                Kept::Stored(Some(entry)) => {
                    fills.entries.push(entry);
                    fills.of.push(nth);
                }
                Kept::Stored(None) => {}
                Kept::Nowhere => {
                    let is_left = absent.is_left || self.stands_in(&absent.key);
                    if is_left && absent.ticket.is_undisturbed() {
                        fills.left.push(absent.key.clone());
                    }
                }
            }
            self.values[absent.place] = Some(value);
        }
        fills
    }

    /// Whether the process has only a stale value under `key`.
    fn stands_in(&self, key: &Key) -> bool {
        let is_old = |age: &Age| !age.is_fresh(self.cache.clock());
        let types = self.typed.values;
        let stands_in = |entry: Entry<'_>| types.age(entry).is_some_and(is_old);
        self.cache.store().peek_key(key, stands_in) == Some(true)
    }

    /// Keeps one loaded value.
    fn keep(&self, absent: &Absent, value: &T, ttl: Option<Duration>) -> Kept {
        let Absent {
            key, ticket, mark, ..
        } = absent;
        let (cache, values) = (self.cache, self.typed.values);
        let value = (self.typed.erase)(value);
        let tier = cache.shared_for(key, values.codec);
        let span = self.aging.span(ttl);
        let told = tier.map(|(tier, _)| tier);
        let keeping = Keeping::by(tier.is_some(), mark.as_ref());
        let stored = cache.with_entry(key, values, value, &span, tier.is_some(), |entry| {
            or_evict(cache, key, told, || {
                // dropped outside the locks
                let mut dropped = Dropped::new();
                ticket.store_as(keeping, |unheard| {
                    let inserted = cache.store_local(entry, &span, &mut dropped);
                    if unheard && tier.is_some() {
                        cache.forget_copy(key, &mut dropped);
                    }
                    inserted
                })
            })
        });
        let lifetime = match stored {
            Some(Inserted::Stored(lifetime)) => lifetime,
            Some(Inserted::Rejected(_) | Inserted::Ephemeral) => return Kept::Nowhere,
            None => return Kept::Stored(None),
        };
        cache.rests().end(key, cache.clock());
        let fill = tier.zip(mark.as_ref()).and_then(|((tier, codec), mark)| {
            let payload = tier.seal(key, codec, value, lifetime, &span).ok()?;
            Some((key.clone(), payload, mark.clone()))
        });
        Kept::Stored(fill)
    }

    /// The keys to evict after the shared tier was told of `fills`, because an invalidation came meanwhile. Values that the tier
    /// refused are taken back from the process.
    fn outdated(&self, fills: &Fills, stored: &[Option<bool>]) -> Vec<Key> {
        let mut outdated = Vec::new();
        for (absent, stored) in self.filled(fills).zip(stored) {
            let Some(stored) = stored else { continue };
            if !stored {
                self.cache.take_back(&absent.ticket);
            } else if !absent.is_filled() {
                outdated.push(absent.key.clone());
            }
        }
        outdated
    }

    /// Those of `fills` that an invalidation has overtaken.
    fn overtaken(&self, fills: &Fills) -> Vec<Key> {
        let overtaken = self.filled(fills).filter(|it| !it.is_filled());
        overtaken.map(|it| it.key.clone()).collect()
    }

    fn filled(&self, fills: &Fills) -> impl Iterator<Item = &Absent> {
        fills.of.iter().map(|&nth| &self.absent[nth])
    }

    /// The values, in the order of the call's keys.
    pub(crate) fn finish(mut self) -> Vec<Option<T>> {
        for Again { place, first, .. } in std::mem::take(&mut self.again) {
            let value = self.values[first].as_ref();
            let value = value.map(|it| self.typed.values.clone((self.typed.erase)(it)));
            self.values[place] = value.map(self.typed.own);
        }
        std::mem::take(&mut self.values)
    }
}

impl<T> Drop for Batch<'_, T> {
    /// The caller may go away while the shared tier is asked: keys not found by then count as misses.
    fn drop(&mut self) {
        if !self.counted {
            self.missing(false);
        }
    }
}

//! Functions: what generated code names, and the registry that gives each its key space.
//!
//! A function is the item, not its name: its identity is the type of a closure that the macro writes inside of it, which
//! differs for each item and, since it inherits the generic parameters and `Self`, for each instantiation. Where there are none,
//! the struct that its companions stand in serves.

mod name;
mod site;
mod storage;

use std::any::TypeId;
use std::sync::OnceLock;
use std::time::Duration;

use cacheado_backends::{Entry as Stored, Error, Key, Probe, Space, Tick};
use serde::Serialize;

use crate::aging::Aging;
use crate::aging::aged::{Aged, Freshness};
use crate::cache::Cache;
use crate::counters::Event;
use crate::load::active::is_inside;
use crate::load::pending::Pending;
use crate::load::{Flight, Load, Renewal};
use crate::outcome::{Carry, Outcome, Value};
use crate::value::ValueType;
use site::SiteSpec;

pub use site::Site;
pub use storage::{Bare, Storage, WithAge};

/// How one call is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Looked up, else loaded.
    Normal,
    /// Loaded in any case, and stored.
    Refresh,
    /// Neither read nor stored.
    Bypass,
}

/// One instance of a cached function.
#[derive(Debug)]
pub struct Function {
    identity: TypeId,
    /// Its full path with type arguments.
    path: String,
    spec: &'static SiteSpec,
    /// `None` if its explicit name is another's: it runs uncached.
    space: OnceLock<Option<&'static Space>>,
}

impl Function {
    /// Its key space, which is made by the first call; `None` if its name is taken.
    #[inline]
    fn space<A, T: 'static>(&self, args: &A) -> Option<&'static Space> {
        *self.space.get_or_init(|| {
            let _ = args;
            self.claim(std::any::type_name::<A>(), TypeId::of::<T>())
        })
    }

    /// Looks the call up. `Ok` is what it returns; `Err` is how to load it. A hit allocates nothing.
    ///
    /// # Errors
    ///
    /// [`Pending`], if there is no hit.
    #[inline]
    #[allow(clippy::result_large_err, reason = "it is no error, but how to load")]
    pub fn look<S, R, K, A>(
        &'static self,
        carry: Carry<R, K>,
        mode: Mode,
        cache: &Cache,
        ids: &[&[u8]],
        args: &A,
    ) -> Result<R, Pending<R, K>>
    where
        S: Storage,
        K: Outcome<R>,
        K::Stored: Value,
        A: Serialize,
    {
        let (Some(space), true) = (self.space::<A, K::Stored>(args), mode != Mode::Bypass) else {
            return Err(Pending::uncached());
        };
        if !cache.is_enabled() {
            return Err(disabled(cache, space, mode));
        }
        let probe = match Probe::new(space, ids, args) {
            Ok(probe) => probe,
            Err(message) => return Err(self.unkeyed(cache, space, &message)),
        };
        if mode == Mode::Normal {
            match S::find::<K::Stored, A>(cache.store(), &probe) {
                Some(Some(value)) => {
                    cache.count_space(space, Event::Hit);
                    return Ok(K::restore(value));
                }
                Some(None) => {
                    if let Some(found) = self.look_closer(carry, cache, &probe) {
                        return found;
                    }
                }
                None => {}
            }
        }
        Err(self.missed(carry, mode, cache, &probe))
    }

    /// What comes of an entry that is no plain hit; `None`: it is a miss.
    #[cold]
    fn look_closer<R, K, A>(
        &'static self,
        carry: Carry<R, K>,
        cache: &Cache,
        probe: &Probe<'_, A>,
    ) -> Option<Result<R, Pending<R, K>>>
    where
        K: Outcome<R>,
        K::Stored: Value,
        A: Serialize,
    {
        let found = cache
            .store()
            .get::<Aged<K::Stored>, _, _>(probe, |entry| self.read(carry, cache, entry));
        let ret = match found? {
            Read::Miss => return None,
            Read::Refresh(value, claim) => {
                return Some(Err(self.refresh(carry, cache, probe, value, &claim)));
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
                    cache.store().prolong(entry, until);
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
        if !waits && age.claim(now) {
            let claim = Claimed {
                stale,
                stored_at: age.stored_at(),
                fresh_until: age.fresh_until(),
            };
            return Read::Refresh(value.clone(), claim);
        }
        if stale {
            Read::StandIn(value.clone())
        } else {
            Read::Hit(value.clone())
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
            // inside of its own load it is under way already
            Ok(key) if !is_inside(cache.id(), &key) => {
                let mut load = self.load(cache, key, typed.values, self.spec.flight);
                load.renewal = Some(Box::new(Renewal::new(
                    &load,
                    claim.stored_at,
                    claim.fresh_until,
                )));
                Some(load)
            }
            Ok(_) => None,
            Err(message) => {
                self.has_no_key(cache, probe.space(), &message);
                None
            }
        };
        Pending::ahead(value, load.map(|load| (load, typed)))
    }

    /// A load of `key`, whose look-up has been counted.
    #[allow(
        clippy::unnecessary_box_returns,
        reason = "it is large, and handed on many times"
    )]
    fn load(
        &self,
        cache: &Cache,
        key: Key,
        values: &'static ValueType,
        flight: Flight,
    ) -> Box<Load> {
        Box::new(Load {
            cache: cache.clone(),
            key,
            values,
            ttl: self.spec.ttl,
            aging: Some(self.aging()),
            flight,
            counted: true,
            fails: false,
            errors: None,
            renewal: None,
        })
    }

    /// Out of the way of a hit.
    #[cold]
    fn missed<R, K, A>(
        &'static self,
        carry: Carry<R, K>,
        mode: Mode,
        cache: &Cache,
        probe: &Probe<'_, A>,
    ) -> Pending<R, K>
    where
        K: Outcome<R>,
        A: Serialize,
    {
        let typed = carry.typed;
        match probe.to_key() {
            Ok(key) => match self.begin(mode, cache, key, typed.values) {
                Some(load) => Pending::with(load, typed).keeping(carry.errors),
                None => Pending::uncached(),
            },
            Err(message) => self.unkeyed(cache, probe.space(), &message),
        }
    }

    /// How to load what was not found; `None` from inside of its own load.
    fn begin(
        &'static self,
        mode: Mode,
        cache: &Cache,
        key: Key,
        values: &'static ValueType,
    ) -> Option<Box<Load>> {
        let looked = mode == Mode::Normal;
        let inside = looked && is_inside(cache.id(), &key);
        // a look-up that the shared tier may still answer is counted when that is known
        let open = looked && !inside && cache.shared().is_some() && values.codec.is_some();
        if looked && !open {
            cache.count(&key, Event::Miss);
        }
        if inside {
            return None;
        }
        let flight = match mode {
            Mode::Refresh => Flight::Refresh,
            _ => self.spec.flight,
        };
        let mut load = self.load(cache, key, values, flight);
        load.counted = !open;
        Some(load)
    }

    #[cold]
    fn unkeyed<R, K: Outcome<R>>(
        &self,
        cache: &Cache,
        space: &Space,
        message: &str,
    ) -> Pending<R, K> {
        self.has_no_key(cache, space, message);
        Pending::uncached()
    }

    fn has_no_key(&self, cache: &Cache, space: &Space, message: &str) {
        cache.count_space(space, Event::KeyError);
        tracing::warn!(function = %self.path, message, "no key could be made for a call: it runs uncached");
    }

    /// The keys of a call of many ids; `None` if it is not cached, or one of the keys can't be made, which is counted and traced.
    pub(crate) fn keys<T: 'static, A: Serialize>(
        &'static self,
        cache: &Cache,
        ids: &[&[u8]],
        args: impl Iterator<Item = A>,
    ) -> Option<Vec<Key>> {
        let key = |args: A| {
            let space = self.space::<A, T>(&args)?;
            let key = Probe::new(space, ids, &args).and_then(|probe| probe.to_key());
            key.map_err(|message| self.has_no_key(cache, space, &message))
                .ok()
        };
        args.map(key).collect()
    }

    /// How its values age, as its attribute says.
    pub(crate) fn aging(&self) -> &'static Aging {
        &self.spec.aging
    }

    /// The lifetime of its values, if that is one for all.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        self.spec.ttl
    }

    /// The key of a call, for the verbs; an `Err` if none can be made.
    pub(crate) fn key<T: Value, A: Serialize>(
        &'static self,
        ids: &[&[u8]],
        args: &A,
    ) -> cacheado_backends::Result<Option<Key>> {
        let Some(space) = self.space::<A, T>(args) else {
            return Ok(None);
        };
        let key = Probe::new(space, ids, args).and_then(|probe| probe.to_key());
        key.map(Some).map_err(|message| Error::Key {
            function: self.path.clone(),
            message,
        })
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

/// The right and the duty to refresh a value.
struct Claimed {
    /// It is past its lifetime.
    stale: bool,
    stored_at: Tick,
    fresh_until: Tick,
}

/// A call on a cache that holds nothing.
#[cold]
fn disabled<R, K: Outcome<R>>(cache: &Cache, space: &Space, mode: Mode) -> Pending<R, K> {
    if mode == Mode::Normal {
        cache.count_space(space, Event::Miss);
    }
    cache.count_space(space, Event::Load);
    Pending::uncached()
}

//! Cached functions: what generated code refers to, and the registry that gives each function its key space.
//!
//! A function is identified by its item, not by its name. Its identity is the type of a closure that the macro writes inside it. That
//! type differs for each item and, since it inherits the generic parameters and `Self`, for each instantiation. Where there are
//! neither, the struct of its companions serves as identity.

mod closer;
mod name;
mod path;
mod site;
mod storage;

use std::any::TypeId;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cacheado_backends::{Error, IdText, Key, Probe, Space};
use serde::Serialize;

use crate::aging::Aging;
use crate::cache::Cache;
use crate::counters::Event;
use crate::ids::Ids;
use crate::load::active::is_inside;
use crate::load::pending::Pending;
use crate::load::{Course, Load, Sharing};
use crate::outcome::{Carry, Outcome, Value};
use crate::repeats::warn_seldom;
use crate::value::ValueType;
use site::{SiteSpec, Types};

pub use site::Site;
pub use storage::{Bare, Storage, WithAge};

/// How a call is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Looked up, then loaded if it is a miss.
    Normal,
    /// Always loaded, and stored.
    Refresh,
    /// Neither read nor stored.
    Bypass,
}

/// One instance of a cached function.
#[derive(Debug)]
pub struct Function {
    identity: TypeId,
    /// The full path, with type arguments.
    path: String,
    /// The path in parts, as the compiler prints it.
    printed: path::Path,
    /// The types that it is instantiated with, if it has an explicit name and the attribute can name them.
    types: Option<Types>,
    spec: &'static SiteSpec,
    /// `None` if another function has its explicit name: it runs uncached.
    space: OnceLock<Option<&'static Space>>,
    /// The space of that other function.
    taken: OnceLock<&'static Space>,
}

impl Function {
    /// The key space, which the first call creates; `None` if the name is taken.
    #[inline]
    fn space<A, T: 'static>(&self, values: &ValueType, cache: &Cache) -> Option<&'static Space> {
        *self.space.get_or_init(|| {
            let claim = self.claim(std::any::type_name::<A>(), TypeId::of::<T>(), values, cache);
            claim.map_err(|other| self.taken.set(other)).ok()
        })
    }

    /// Looks the call up. `Ok` is the return value; `Err` is how to load it. A hit allocates nothing.
    ///
    /// # Errors
    ///
    /// [`Pending`], if there is no hit.
    #[inline]
    #[allow(clippy::result_large_err, reason = "it is no error, but how to load")]
    pub fn look<'i, S, R, K, I, A, const IDS: usize>(
        &'static self,
        carry: Carry<R, K>,
        mode: Mode,
        cache: &Cache,
        ids: I,
        args: &A,
    ) -> Result<R, Pending<R, K>>
    where
        S: Storage,
        I: Ids<'i, IDS>,
        K: Outcome<R>,
        K::Stored: Value,
        A: Serialize,
    {
        let space = self.space::<A, K::Stored>(carry.typed.values, cache);
        let Some(space) = space else {
            return Err(self.unnamed(cache, mode));
        };
        let texts = ids.texts();
        let ids = &texts.each_ref().map(IdText::as_bytes);
        if mode == Mode::Bypass {
            return Err(self.bypassed(carry, cache, space, ids, args));
        }
        if !cache.is_enabled() {
            return Err(disabled(cache, space, mode));
        }
        let probe = match Probe::new(space, ids, args) {
            Ok(probe) => probe,
            Err(message) => return Err(self.unkeyed(cache, space, &message)),
        };
        if mode == Mode::Normal
            && let Some(found) = S::find::<K::Stored, A>(cache.store(), &probe)
            && !cache.doubts(move |store| store.peek(&probe, |entry| entry.is_copy()))
        {
            if let Some(value) = found {
                cache.count_space(space, Event::Hit);
                return Ok(K::restore(value));
            }
            if let Some(found) = self.look_closer(carry, cache, probe) {
                return found;
            }
        }
        Err(self.missed(carry, mode, cache, probe))
    }

    /// A call that is neither looked up nor stored.
    #[cold]
    fn bypassed<R, K, A>(
        &self,
        carry: Carry<R, K>,
        cache: &Cache,
        space: &'static Space,
        ids: &[&[u8]],
        args: &A,
    ) -> Pending<R, K>
    where
        K: Outcome<R>,
        A: Serialize,
    {
        if self.aging().hard_timeout.is_none() || !cache.is_enabled() {
            return Pending::uncached();
        }
        let key = Probe::new(space, ids, args).and_then(|probe| probe.to_key());
        match key {
            Ok(key) => {
                let load = self.load(cache, key, carry.typed.values, Sharing::Refresh);
                Pending::bounded(load, carry.typed)
            }
            Err(message) => self.unkeyed(cache, space, &message),
        }
    }

    /// A load of `key`, whose lookup has been counted.
    fn load(
        &self,
        cache: &Cache,
        key: Key,
        values: &'static ValueType,
        sharing: Sharing,
    ) -> Box<Load> {
        Box::new(Load {
            cache: cache.clone(),
            key,
            values,
            ttl: self.spec.ttl,
            aging: Some(self.aging()),
            owned: self.spec.owned,
            sharing,
            counted: AtomicBool::new(true),
            fails: false,
            errors: None,
            renewal: None,
            answered: None,
            course: Course::default(),
        })
    }

    /// Out of line, off the path of a hit.
    #[cold]
    fn missed<R, K, A>(
        &'static self,
        carry: Carry<R, K>,
        mode: Mode,
        cache: &Cache,
        probe: Probe<'_, A>,
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

    /// How to load what was not found; `None` inside its own load.
    fn begin(
        &'static self,
        mode: Mode,
        cache: &Cache,
        key: Key,
        values: &'static ValueType,
    ) -> Option<Box<Load>> {
        let looked = mode == Mode::Normal;
        let inside = looked && is_inside(cache.id(), &key);
        // a lookup that the shared tier may still answer is counted once that is known
        let open = looked && !inside && cache.shared().is_some() && values.codec.is_some();
        if looked && !open {
            cache.count(&key, Event::Miss);
        }
        if inside {
            cache.count(&key, Event::Load);
            return None;
        }
        let sharing = match mode {
            Mode::Refresh => Sharing::Refresh,
            _ => self.spec.sharing,
        };
        let mut load = self.load(cache, key, values, sharing);
        load.counted = AtomicBool::new(!open);
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

    /// A call of a function whose name is taken. The conflict was reported once; from then on it shows in this counter.
    #[cold]
    fn unnamed<R, K: Outcome<R>>(&self, cache: &Cache, mode: Mode) -> Pending<R, K> {
        if mode != Mode::Bypass {
            self.has_no_name(cache);
        }
        Pending::uncached()
    }

    fn has_no_name(&self, cache: &Cache) {
        if let Some(taken) = self.taken.get().filter(|_| cache.is_enabled()) {
            cache.count_space(taken, Event::KeyError);
        }
    }

    fn has_no_key(&self, cache: &Cache, space: &Space, message: &str) {
        cache.count_space(space, Event::KeyError);
        let due = cache.repeats().due((&self.path, message));
        warn_seldom!(due, function = %self.path, message, "no key could be made for a call: it runs uncached");
    }

    /// The keys of a call of many ids; `None` if it is not cached, or if one of the keys can't be made, which is counted and traced.
    pub(crate) fn keys<T: 'static, A: Serialize>(
        &'static self,
        cache: &Cache,
        values: &ValueType,
        ids: &[&[u8]],
        args: impl Iterator<Item = A>,
    ) -> Option<Vec<Key>> {
        let key = |args: A| {
            let Some(space) = self.space::<A, T>(values, cache) else {
                self.has_no_name(cache);
                return None;
            };
            let key = Probe::new(space, ids, &args).and_then(|probe| probe.to_key());
            key.map_err(|message| self.has_no_key(cache, space, &message))
                .ok()
        };
        args.map(key).collect()
    }

    /// How its values age, according to its attribute.
    pub(crate) fn aging(&self) -> &'static Aging {
        &self.spec.aging
    }

    /// The lifetime of its values, if it is the same for all.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        self.spec.ttl
    }

    /// The key of a call, for the verbs; an `Err` if none can be made.
    pub(crate) fn key<T: Value, A: Serialize>(
        &'static self,
        cache: &Cache,
        values: &ValueType,
        ids: &[&[u8]],
        args: &A,
    ) -> cacheado_backends::Result<Option<Key>> {
        let Some(space) = self.space::<A, T>(values, cache) else {
            return Ok(None);
        };
        let key = Probe::new(space, ids, args).and_then(|probe| probe.to_key());
        key.map(Some).map_err(|message| Error::Key {
            function: self.path.clone(),
            message,
        })
    }
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

//! Functions: what generated code names, and the registry that gives each its key space.
//!
//! A function is the item, not its name: its identity is the type of a closure that the macro writes inside of it, which
//! differs for each item and, since it inherits the generic parameters and `Self`, for each instantiation. Where there are none,
//! the struct that its companions stand in serves.

use std::any::TypeId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use cacheado_backends::{
    Entry as Stored, Error, Key, Level, LevelDef, Probe, Space, SpaceSpec, Tick,
};
use serde::Serialize;

use crate::active::is_inside;
use crate::aged::{Aged, Freshness};
use crate::aging::Aging;
use crate::cache::Cache;
use crate::counters::Event;
use crate::load::{Flight, Load, Renewal};
use crate::outcome::{Carry, Outcome, Value};
use crate::pending::Pending;
use crate::value::ValueType;

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

/// What the attribute says of a function.
#[derive(Debug)]
struct SiteSpec {
    /// `module_path!()`.
    module: &'static str,
    /// The function's own name.
    function: &'static str,
    /// Where the name stands.
    line: u32,
    column: u32,
    /// Whether it is a method or an associated function.
    method: bool,
    name: Option<&'static str>,
    version: u32,
    /// `None`: global.
    level: Option<&'static LevelDef>,
    max_items: Option<usize>,
    flight: Flight,
    ttl: Option<Duration>,
    aging: Aging,
    /// Whether its body owns what it needs, so that it can run in the background.
    owned: bool,
}

/// A function as it stands in the source; a generic one has an instance for each instantiation.
#[derive(Debug)]
pub struct Site {
    spec: SiteSpec,
    /// The first instance: the only one, unless the function is generic.
    first: OnceLock<&'static Function>,
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

/// The instances of generic functions, by identity. Never shrinks; a program has as many as the compiler made.
static INSTANCES: LazyLock<RwLock<HashMap<TypeId, &'static Function>>> =
    LazyLock::new(RwLock::default);

/// Who has which name, and what for.
/// By name, version, and whether the name is explicit: a path is no explicit name, though it may read the same.
type Names = HashMap<(String, u32, bool), Claim>;
static NAMES: LazyLock<Mutex<Names>> = LazyLock::new(Mutex::default);

/// A name that is taken.
struct Claim {
    space: &'static Space,
    by: String,
    /// Which item has it: the address of its `SiteSpec`.
    site: usize,
    shape: Shape,
}

/// What functions that share a name on purpose must agree in.
#[derive(PartialEq, Eq)]
struct Shape {
    args: String,
    value: TypeId,
}

impl Site {
    /// A free function called `function` in `module`, which is what `module_path!()` gives, whose name stands at that `line`
    /// and `column`. The others say what its attribute says.
    #[must_use]
    pub const fn new(module: &'static str, function: &'static str, line: u32, column: u32) -> Self {
        let spec = SiteSpec {
            module,
            function,
            line,
            column,
            method: false,
            name: None,
            version: 0,
            level: None,
            max_items: None,
            flight: Flight::Single,
            ttl: None,
            aging: Aging::NONE,
            owned: false,
        };
        Self {
            spec,
            first: OnceLock::new(),
        }
    }

    /// It is a method or an associated function.
    #[must_use]
    pub const fn method(mut self) -> Self {
        self.spec.method = true;
        self
    }

    /// Its explicit name.
    #[must_use]
    pub const fn name(mut self, name: &'static str) -> Self {
        self.spec.name = Some(name);
        self
    }

    /// Its version.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.spec.version = version;
        self
    }

    /// Its scope level.
    #[must_use]
    pub const fn level(mut self, level: &'static LevelDef) -> Self {
        self.spec.level = Some(level);
        self
    }

    /// The bound for this function alone.
    #[must_use]
    pub const fn max_items(mut self, most: usize) -> Self {
        self.spec.max_items = Some(most);
        self
    }

    /// Callers at once don't share one load.
    #[must_use]
    pub const fn without_single_flight(mut self) -> Self {
        self.spec.flight = Flight::Beside;
        self
    }

    /// Callers at once share one load, in whatever process they are.
    #[must_use]
    pub const fn single_flight_in_cluster(mut self) -> Self {
        self.spec.flight = Flight::Cluster;
        self
    }

    /// The lifetime of its values, if that is one for all.
    #[must_use]
    pub const fn ttl(mut self, seconds: u64, nanos: u32) -> Self {
        self.spec.ttl = Some(Duration::new(seconds, nanos));
        self
    }

    /// How long past its lifetime a value may stand in for one that can't be had.
    #[must_use]
    pub const fn stale(mut self, span: Duration) -> Self {
        self.spec.aging.stale = Some(span);
        self
    }

    /// The part of its lifetime past which a hit begins a refresh.
    ///
    /// # Panics
    ///
    /// When compiling, if it is out of its range.
    #[must_use]
    pub const fn refresh_after(mut self, part: f64) -> Self {
        assert!(
            part > 0.0 && part < 1.0,
            "`refresh_after` is more than 0 and less than 1"
        );
        self.spec.aging.refresh_after = Some(part);
        self
    }

    /// How eagerly a hit begins a refresh, the more so the closer the end is and the longer a load takes.
    ///
    /// # Panics
    ///
    /// When compiling, if it is out of its range.
    #[must_use]
    pub const fn xfetch(mut self, eagerness: f64) -> Self {
        assert!(eagerness > 0.0, "`xfetch` is more than 0");
        self.spec.aging.xfetch = Some(eagerness);
        self
    }

    /// By how much of itself a lifetime may be longer.
    ///
    /// # Panics
    ///
    /// When compiling, if it is out of its range.
    #[must_use]
    pub const fn jitter(mut self, part: f64) -> Self {
        assert!(part >= 0.0 && part <= 1.0, "`jitter` is from 0 to 1");
        self.spec.aging.jitter = Some(part);
        self
    }

    /// How long the body is waited for while there is a value that may stand in.
    #[must_use]
    pub const fn timeout(mut self, span: Duration) -> Self {
        self.spec.aging.timeout = Some(span);
        self
    }

    /// How long the body is waited for at all.
    #[must_use]
    pub const fn hard_timeout(mut self, span: Duration) -> Self {
        self.spec.aging.hard_timeout = Some(span);
        self
    }

    /// How long an `Err` is kept.
    #[must_use]
    pub const fn err_ttl(mut self, span: Duration) -> Self {
        self.spec.aging.err_ttl = Some(span);
        self
    }

    /// How long a value lives that nobody asks for.
    #[must_use]
    pub const fn idle(mut self, span: Duration) -> Self {
        self.spec.aging.idle = Some(span);
        self
    }

    /// A load outlives its caller.
    #[must_use]
    pub const fn detached(mut self) -> Self {
        self.spec.aging.detached = true;
        self
    }

    /// Its body owns what it needs.
    #[must_use]
    pub const fn owned(mut self) -> Self {
        self.spec.owned = true;
        self
    }

    /// The instance that `marker`, a closure inside of the item, belongs to.
    #[inline]
    pub fn instance_of<M>(&'static self, _: &M) -> &'static Function {
        // lifetimes are no part of an identity: the code is the same for all of them
        let identity = typeid::of::<M>();
        match self.first.get() {
            Some(first) if first.identity == identity => first,
            _ => self.instance(identity, std::any::type_name::<M>()),
        }
    }

    /// The one instance. `M` is a type of the item's own, and no other is asked for.
    #[inline]
    pub fn function<M: 'static>(&'static self) -> &'static Function {
        match self.first.get() {
            Some(first) => first,
            None => self.instance(TypeId::of::<M>(), std::any::type_name::<M>()),
        }
    }

    #[cold]
    fn instance(&'static self, identity: TypeId, marker: &str) -> &'static Function {
        let known = INSTANCES
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&identity)
            .copied();
        known.unwrap_or_else(|| {
            let mut instances = INSTANCES.write().unwrap_or_else(PoisonError::into_inner);
            let function = *instances.entry(identity).or_insert_with(|| {
                let path = path_of(marker, &self.spec);
                Box::leak(Box::new(Function {
                    identity,
                    path,
                    spec: &self.spec,
                    space: OnceLock::new(),
                }))
            });
            let _ = self.first.set(function);
            function
        })
    }
}

/// The item's path, from that of its struct, or of the closure inside of it: `shop::profile` from
/// `shop::profile::__site::{{closure}}`.
///
/// Two functions inside of bodies can have one path, so those carry the place where they stand as well.
fn path_of(marker: &str, spec: &SiteSpec) -> String {
    let mut path = marker;
    while let Some(outer) = path.strip_suffix("::{{closure}}") {
        path = outer;
    }
    // lifetimes are no part of an identity, and how they print is the compiler's affair
    let path = path
        .replace("'_, ", "")
        .replace("<'_>", "")
        .replacen("::__site", "", 1)
        .replacen("__cacheado_site_", "", 1);
    let in_module = path
        .strip_prefix(spec.module)
        .and_then(|rest| rest.strip_prefix("::"));
    let own = in_module
        .and_then(|rest| rest.strip_prefix(spec.function))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('<'));
    if own || spec.method {
        path
    } else {
        format!("{path}@{}:{}", spec.line, spec.column)
    }
}

/// The arguments' types as they are compared between functions that share a name: a reference is as good as what it refers
/// to, and `&str` as `String`, since what is stored of them is the same.
fn shape_of_args(types: &str) -> String {
    types
        .replace("alloc::string::String", "str")
        .replace('&', "")
        .replace("mut ", "")
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

    /// What tells this instance of a generic item from its others: its path without its name, if there are types in it. An
    /// explicit name is shared by functions, never by instances of one.
    fn instance(&self) -> String {
        if !self.path.contains('<') {
            return String::new();
        }
        let name = format!("::{}", self.spec.function);
        format!("@{}", self.path.replacen(&name, "", 1))
    }

    /// Whether the path means this function in every process: not if a closure is among its type arguments, since all closures
    /// are called alike.
    fn has_stable_path(&self) -> bool {
        !self.path.contains("{{")
    }

    #[cold]
    fn claim(&self, args: &str, value: TypeId) -> Option<&'static Space> {
        let spec = self.spec;
        let level = spec.level.map_or_else(Level::global, LevelDef::level);
        let max_items = spec.max_items.and_then(NonZeroUsize::new);
        let shape = Shape {
            args: shape_of_args(args),
            value,
        };
        let name = spec.name.map_or_else(
            || self.path.clone(),
            |name| format!("{name}{}", self.instance()),
        );
        let create = |name: String, stable: bool| {
            Space::create(SpaceSpec {
                name,
                version: spec.version,
                explicit: spec.name.is_some(),
                level,
                max_items,
                stable,
            })
        };
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let explicit = spec.name.is_some();
        let stable = self.has_stable_path();
        let site = std::ptr::from_ref(spec).addr();
        match names.entry((name.clone(), spec.version, explicit)) {
            Entry::Vacant(vacant) => {
                let space = create(name, stable);
                let by = self.path.clone();
                vacant.insert(Claim {
                    space,
                    by,
                    site,
                    shape,
                });
                Some(space)
            }
            // sharing is on purpose only between functions that are two, and that are called by that name
            Entry::Occupied(taken) if explicit && stable && taken.get().site != site => {
                let Claim {
                    space,
                    by,
                    shape: theirs,
                    ..
                } = taken.get();
                if *theirs == shape && space.level() == level {
                    return Some(space);
                }
                let error = Error::NameConflict {
                    name,
                    first: by.clone(),
                    second: self.path.clone(),
                };
                tracing::error!(%error, "a function runs uncached");
                None
            }
            // one name for two instances (of closures, or of local types of one name): no process could tell them apart by it,
            // so the entries of the second stay here
            Entry::Occupied(taken) => {
                let other = &taken.get().by;
                tracing::debug!(function = %self.path, %other, "two functions have one path: the second is cached in the process alone");
                Some(create(format!("{name}#{}", names.len()), false))
            }
        }
    }

    /// Looks the call up. `Ok` is what it returns; `Err` is how to load it. A hit allocates nothing.
    ///
    /// # Errors
    ///
    /// [`Pending`], if there is no hit.
    #[inline]
    #[allow(clippy::result_large_err, reason = "it is no error, but how to load")]
    pub fn look<R, K, A>(
        &'static self,
        carry: Carry<R, K>,
        mode: Mode,
        cache: &Cache,
        ids: &[&[u8]],
        args: &A,
    ) -> Result<R, Pending<R, K>>
    where
        K: Outcome<R>,
        K::Stored: Value,
        A: Serialize,
    {
        let find = |probe: &Probe<'_, A>| {
            let read = |entry: Stored<'_>| entry.value::<K::Stored>().cloned();
            cache.store().get::<K::Stored, _, _>(probe, read)
        };
        self.look_by(find, carry, mode, cache, ids, args)
    }

    /// The same of a function whose own values are looked at again while they live.
    ///
    /// # Errors
    ///
    /// [`Pending`], if there is no hit.
    #[inline]
    #[allow(clippy::result_large_err, reason = "it is no error, but how to load")]
    pub fn look_aging<R, K, A>(
        &'static self,
        carry: Carry<R, K>,
        mode: Mode,
        cache: &Cache,
        ids: &[&[u8]],
        args: &A,
    ) -> Result<R, Pending<R, K>>
    where
        K: Outcome<R>,
        K::Stored: Value,
        A: Serialize,
    {
        let find = |probe: &Probe<'_, A>| {
            let moment = |entry: Stored<'_>| {
                let aged = entry.value::<Aged<K::Stored>>()?;
                Some(aged.age.attention())
            };
            let read = |entry: Stored<'_>, young: bool| {
                let aged = entry.value::<Aged<K::Stored>>().filter(|_| young)?;
                Some(aged.value.clone())
            };
            let store = cache.store();
            store.get_until::<Aged<K::Stored>, _, _>(probe, moment, read)
        };
        self.look_by(find, carry, mode, cache, ids, args)
    }

    /// Looks the call up. `find` says what the process has of it: nothing, something that needs a closer look, or a value.
    #[inline(always)]
    #[allow(clippy::result_large_err, reason = "it is no error, but how to load")]
    #[allow(
        clippy::inline_always,
        reason = "it is called in two places, which are called in one each"
    )]
    fn look_by<R, K, A>(
        &'static self,
        find: impl FnOnce(&Probe<'_, A>) -> Option<Option<K::Stored>>,
        carry: Carry<R, K>,
        mode: Mode,
        cache: &Cache,
        ids: &[&[u8]],
        args: &A,
    ) -> Result<R, Pending<R, K>>
    where
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
            match find(&probe) {
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

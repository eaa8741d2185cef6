//! The cache: a cheap handle to the tiers, the loads under way and the counters.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::memory::Store;
use cacheado_backends::{Clock, Hierarchy, Key, Result, Scope, ScopeId, Space};
use serde::Serialize;

use crate::aging::Aging;
use crate::background::Background;
use crate::builder::CacheBuilder;
use crate::counters::{Counters, Event};
use crate::evict::Evictions;
use crate::flight::Flights;
use crate::ledger::Ledger;
use crate::load::rests::Rests;
use crate::operations::{
    Clear, Evict, EvictByScope, Get, GetMany, GetOrLoad, GetOrLoadMany, Keys, Set, SetMany,
    TryGetOrLoad,
};
use crate::outcome::Storable;
use crate::repeats::Repeats;
use crate::shared::SharedTier;
use crate::stats::Stats;
use crate::value::Codec;
use crate::way::Way;
use crate::weight::Weigher;

/// A cache. Cloning is cheap, and clones are the same cache.
///
/// Its operations are values: `.run()` carries one out and blocks, `.await` carries it out without blocking. Nothing happens before.
/// The [types of the operations](crate::operations) say what each returns and how it fails.
///
/// ```
/// use std::time::Duration;
/// use cacheado::Cache;
///
/// let cache = Cache::builder().build()?;
/// cache.set("answer", &42_u32).ttl(Duration::from_secs(60)).run()?;
/// let answer: Option<u32> = cache.get("answer").run()?;
/// assert_eq!(answer, Some(42));
/// # Ok::<(), cacheado::Error>(())
/// ```
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<Store>,
    pub(crate) shared: Option<Arc<SharedTier>>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) repeats: Arc<Repeats>,
    pub(crate) hierarchy: Hierarchy,
    pub(crate) name: String,
    pub(crate) weigher: Weigher,
    pub(crate) enabled: bool,
    /// Of a cache that keeps no values in the process: what its rules have chosen to go.
    pub(crate) ledger: Option<Arc<Ledger>>,
    /// Some rule has a say in all that is stored.
    pub(crate) ruled: bool,
    pub(crate) clock: Clock,
    /// How values age whose function does not say.
    pub(crate) aging: Aging,
    /// After a load that failed while a value could stand in, how long there is no other.
    pub(crate) rest: Duration,
    /// Where the process does not have the value that stands in: which those are.
    pub(crate) rests: Rests,
    pub(crate) background: Background,
}

/// Tells caches apart, for as long as they live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheId(usize);

impl Cache {
    /// Starts building a cache.
    #[doc(alias("new"))]
    pub fn builder() -> CacheBuilder {
        CacheBuilder::default()
    }

    /// A cache that holds nothing: every lookup misses and is counted as a miss, every function runs its body, every `set` returns
    /// `false`.
    ///
    /// Use it in tests of cached code, or to switch a cache off by configuration. If scopes are named at run time, use the builder's
    /// [`build_disabled`](CacheBuilder::build_disabled), whose cache knows them.
    ///
    /// ```
    /// let cache = cacheado::Cache::disabled();
    /// assert!(!cache.set("answer", &42_u32).run()?);
    /// assert_eq!(cache.get::<u32>("answer").run()?, None);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[must_use]
    pub fn disabled() -> Self {
        Self::builder().build_disabled()
    }

    pub(crate) fn from_inner(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Makes this the cache of every `#[cache]` function that names none.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyInstalled`](crate::Error::AlreadyInstalled) if there is a default cache already: one was installed, or an
    /// unbounded in-process one was made when a function without a cache of its own ran or [`default_cache`](crate::default_cache) was
    /// called.
    ///
    /// ```
    /// use cacheado::{Cache, Error, cache};
    ///
    /// #[cache]
    /// fn square(x: u64) -> u64 {
    ///     x * x
    /// }
    ///
    /// let cache = Cache::builder().max_items(10_000).build()?;
    /// cache.clone().install()?;
    /// assert_eq!((square(3), square(3)), (9, 9));
    /// assert_eq!(cache.stats().hits, 1);
    ///
    /// let another = Cache::builder().build()?;
    /// assert!(matches!(another.install(), Err(Error::AlreadyInstalled)));
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn install(self) -> Result<()> {
        crate::default::install(self)
    }

    /// The value under `key`: `Option<T>`, where `T` is the type it was stored as. [Reading](crate::operations::Get::run) it as
    /// another type is an `Err` that names both.
    ///
    /// A hit clones the value and allocates nothing. A value found in the shared tier is kept in the process as well. A failing shared
    /// tier is counted, and is a miss.
    ///
    /// ```
    /// let cache = cacheado::Cache::builder().build()?;
    /// cache.set("answer", &42_u32).run()?;
    /// assert_eq!(cache.get::<u32>("answer").run()?, Some(42));
    /// assert_eq!(cache.get::<u32>("question").run()?, None);
    /// assert!(cache.get::<String>("answer").run().is_err());
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn get<T: Storable>(&self, key: impl Serialize) -> Get<'_, T, impl Serialize> {
        Get::new(self, key)
    }

    /// Stores a clone of `value` under `key`, also in the shared tier if there is one. [Returns](crate::operations::Set::run) whether
    /// it was stored. A rule may refuse it; an older value of the key is removed all the same.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let cache = cacheado::Cache::builder().build()?;
    /// assert!(cache.set("theme", &"dark".to_owned()).run()?);
    /// // it would be over at once
    /// let stored = cache.set("theme", &"light".to_owned()).ttl(Duration::ZERO).run()?;
    /// assert!(!stored);
    /// assert_eq!(cache.get::<String>("theme").run()?, None);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[doc(alias("insert", "put"))]
    pub fn set<'a, T: Storable, K: Serialize + 'a>(&'a self, key: K, value: &'a T) -> Set<'a, K> {
        // `K` has a name, since an `impl Serialize` that is returned asks for what can be stored once more
        Set::new(self, key, value)
    }

    /// The value under `key`; if there is none, what `loader` returns, which is stored. Of several concurrent callers one loads, and
    /// the rest wait for it.
    ///
    /// `loader` is a closure that returns the value, for `.run()`, or one that returns a future, for `.await`. A `Result` can be the
    /// value, but an `Err` is never stored. [`try_get_or_load`](Self::try_get_or_load) stores what is in the `Ok`, and takes errors of
    /// any type.
    ///
    /// ```
    /// let cache = cacheado::Cache::builder().build()?;
    /// let answer: u32 = cache.get_or_load("answer", || 42).run()?;
    /// assert_eq!(answer, 42);
    /// let answer: u32 = cache.get_or_load("answer", || unreachable!("it is there")).run()?;
    /// assert_eq!(answer, 42);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[doc(alias("get_with", "get_or_insert_with", "get_or_set"))]
    pub fn get_or_load<F>(
        &self,
        key: impl Serialize,
        loader: F,
    ) -> GetOrLoad<'_, F, impl Serialize> {
        GetOrLoad::new(self, key, loader)
    }

    /// As [`get_or_load`](Self::get_or_load) with a `loader` that can fail: its `Err` is returned and not stored.
    ///
    /// ```
    /// let cache = cacheado::Cache::builder().build()?;
    /// let answer = cache.try_get_or_load("answer", || "forty-two".parse::<u32>()).run();
    /// assert!(answer.is_err());
    /// let answer = cache.try_get_or_load("answer", || "42".parse::<u32>()).run();
    /// assert_eq!(answer, Ok(42));
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[doc(alias("try_get_with"))]
    pub fn try_get_or_load<F>(
        &self,
        key: impl Serialize,
        loader: F,
    ) -> TryGetOrLoad<'_, F, impl Serialize> {
        TryGetOrLoad::new(self, key, loader)
    }

    /// The values under `keys`, in their order: `Vec<Option<T>>`. The shared tier is asked once for all keys that the process does not
    /// have.
    ///
    /// ```
    /// let cache = cacheado::Cache::builder().build()?;
    /// cache.set_many([("one", &1_u32), ("two", &2)]).run()?;
    /// let values: Vec<Option<u32>> = cache.get_many(["two", "three"]).run()?;
    /// assert_eq!(values, [Some(2), None]);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn get_many<T: Storable, K: Serialize>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> GetMany<'_, T, K> {
        GetMany::new(self, keys)
    }

    /// Stores a clone of each value under its key. Returns for each, in their order, whether it was stored, as [`set`](Self::set)
    /// does. All values go to the shared tier in one request.
    ///
    /// ```
    /// let cache = cacheado::Cache::builder().build()?;
    /// let stored = cache.set_many([("one", &1_u32), ("two", &2)]).run()?;
    /// assert_eq!(stored, [true, true]);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn set_many<'a, T: Storable, K: Serialize>(
        &'a self,
        entries: impl IntoIterator<Item = (K, &'a T)>,
    ) -> SetMany<'a, K> {
        SetMany::new(self, entries)
    }

    /// The values under `keys`, in their order: `Vec<Option<T>>`. `loader` is called once with the keys that are missing. It returns
    /// pairs of a key and its value, in any order, for as many of the keys as there are values. What it returns is stored.
    ///
    /// `loader` is a closure that returns the pairs (a `HashMap`, a `Vec`), for `.run()`, or one that returns a future of them, for
    /// `.await`. Concurrent calls don't wait for each other's loads. The shared tier is asked in one request and written in one
    /// request.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// let cache = cacheado::Cache::builder().build()?;
    /// cache.set(1_u64, &"one".to_owned()).run()?;
    /// let load = |missing: Vec<u64>| -> HashMap<u64, String> {
    ///     assert_eq!(missing, [2, 3]);
    ///     HashMap::from([(2, "two".to_owned())])
    /// };
    /// let names: Vec<Option<String>> = cache.get_or_load_many([1_u64, 2, 3], load).run()?;
    /// assert_eq!(names, [Some("one".to_owned()), Some("two".to_owned()), None]);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn get_or_load_many<F, K, L>(
        &self,
        keys: impl IntoIterator<Item = K>,
        loader: F,
    ) -> GetOrLoadMany<'_, F, K>
    where
        F: FnOnce(Vec<K>) -> L,
        K: Serialize,
    {
        GetOrLoadMany::new(self, keys, loader)
    }

    /// Removes the value under `key`. Returns whether there was one. A load of the key that is under way is not stored.
    ///
    /// The value is removed from the shared tier too, and so are copies in other processes, as far as the store reports changes to
    /// them. Entries that never go to the shared tier, such as those under a `#[secret]` id without a `secret_key`, are evicted in
    /// this process only.
    ///
    /// ```
    /// let cache = cacheado::Cache::builder().build()?;
    /// cache.set("answer", &42_u32).run()?;
    /// assert!(cache.evict("answer").run()?);
    /// assert!(!cache.evict("answer").run()?);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[doc(alias("invalidate", "remove", "delete"))]
    pub fn evict(&self, key: impl Serialize) -> Evict<'_, impl Serialize> {
        Evict::new(self, key)
    }

    /// Removes everything in `scope` and below it, of functions and programmatic calls alike. Returns the number of live entries
    /// removed. The cost depends on what is removed, not on how much the cache holds. Loads in the scope that are under way are not
    /// stored.
    ///
    /// With a shared tier, the scope is evicted there too, and in other processes as far as the store reports changes to them. The
    /// result is then the number of entries removed from the shared tier (0 if the store can't tell, as Memcached), plus those of this
    /// process that can't have been there. A scope with a `#[secret]` id can't be named to the store without the builder's
    /// `secret_key` and is evicted in this process only; a scope above it can be.
    ///
    /// ```
    /// use cacheado::{Cache, Hierarchy};
    ///
    /// let hierarchy = Hierarchy::builder()
    ///     .level("organization", "org_id")
    ///     .level_under("organization", "user", "user_id")
    ///     .build()?;
    /// let cache = Cache::builder().scopes(hierarchy).build()?;
    /// let acme = cache.scope("organization", [("org_id", "acme")])?;
    /// let ada = cache.scope("user", [("org_id", "acme"), ("user_id", "7")])?;
    /// cache.set("plan", &"large".to_owned()).scope(acme.clone()).run()?;
    /// cache.set("theme", &"dark".to_owned()).scope(ada).run()?;
    /// cache.set("theme", &"light".to_owned()).run()?;
    ///
    /// assert_eq!(cache.evict_by_scope(acme).run()?, 2);
    /// assert_eq!(cache.evict_by_scope(cacheado::Scope::global()).run()?, 1);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[doc(alias("invalidate_entries_if", "remove_by_tag"))]
    pub fn evict_by_scope(&self, scope: Scope) -> EvictByScope<'_> {
        EvictByScope::new(self, scope)
    }

    /// Removes everything that this cache has stored, also from the shared tier, where the entries of caches with other names stay.
    /// Loads that are under way are not stored. Counters do not change, not even that of evictions; [`reset_stats`](Self::reset_stats)
    /// zeroes them.
    ///
    /// ```
    /// let cache = cacheado::Cache::builder().build()?;
    /// cache.set("answer", &42_u32).run()?;
    /// cache.clear().run()?;
    /// assert_eq!(cache.stats().total_keys, 0);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[doc(alias("invalidate_all", "evict_all"))]
    pub fn clear(&self) -> Clear<'_> {
        Clear::new(self)
    }

    /// The keys of the live entries in the process, in no order, without those that a rule hides
    /// ([`Rule::on_keys`](crate::Rule::on_keys)). Costs a walk over all entries.
    ///
    /// ```
    /// use cacheado::{Cache, Hierarchy};
    ///
    /// let hierarchy = Hierarchy::builder().level("organization", "org_id").build()?;
    /// let cache = Cache::builder().scopes(hierarchy).build()?;
    /// let acme = cache.scope("organization", [("org_id", "acme")])?;
    /// cache.set("plan", &"large".to_owned()).scope(acme.clone()).run()?;
    /// cache.set("answer", &42_u32).run()?;
    ///
    /// assert_eq!(cache.keys().run()?.len(), 2);
    /// let keys = cache.keys().scope(acme).run()?;
    /// assert_eq!(keys.len(), 1);
    /// assert_eq!(keys[0].to_string(), "organization=acme (programmatic)(\"plan\")");
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[doc(alias("iter", "contains_key"))]
    pub fn keys(&self) -> Keys<'_> {
        Keys::new(self)
    }

    /// The scope of the level called `level`, by name (`"user"`) or path (`"organization/user"`), with the ids in `params`. Ids of
    /// other levels are ignored: with `"organization"`, a `user_id` narrows nothing.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLevel`](crate::Error::UnknownLevel) if the hierarchy given to the builder has no such level,
    /// [`Error::MissingParam`](crate::Error::MissingParam) if `params` lacks one of the level's ids, and
    /// [`Error::RepeatedParam`](crate::Error::RepeatedParam) if it has one twice.
    ///
    /// ```
    /// use cacheado::{Cache, Hierarchy};
    ///
    /// let hierarchy = Hierarchy::builder()
    ///     .level("organization", "org_id")
    ///     .level_under("organization", "user", "user_id")
    ///     .build()?;
    /// let cache = Cache::builder().scopes(hierarchy).build()?;
    /// let ada = cache.scope("user", [("org_id", "acme"), ("user_id", "7")])?;
    /// assert_eq!(ada.to_string(), "organization=acme/user=7");
    ///
    /// let error = cache.scope("user", [("org_id", "acme")]).unwrap_err();
    /// assert!(error.to_string().contains("user_id"));
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn scope<N, V>(
        &self,
        level: &str,
        params: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Scope>
    where
        N: AsRef<str>,
        V: ScopeId,
    {
        self.0.hierarchy.scope(level, params)
    }

    /// What was counted since the cache was built or its counters were reset. Adds up the counts of each thread for each function, and
    /// frees expired entries.
    ///
    /// ```
    /// let cache = cacheado::Cache::builder().build()?;
    /// let _: u32 = cache.get_or_load("answer", || 42).run()?;
    /// let _: u32 = cache.get_or_load("answer", || 42).run()?;
    /// let stats = cache.stats();
    /// assert_eq!((stats.misses, stats.loads, stats.hits, stats.total_keys), (1, 1, 1, 1));
    /// assert_eq!(stats.hit_rate(), 0.5);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[doc(alias("len", "entry_count", "metrics"))]
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.0)
    }

    /// Sets all counters to zero. Keeps the entries.
    pub fn reset_stats(&self) {
        self.0.counters.reset();
    }

    /// The name that the builder was given; `cacheado` without one.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether this cache stores anything: `false` for [`Cache::disabled`] and for caches made by
    /// [`build_disabled`](CacheBuilder::build_disabled).
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.enabled
    }

    /// Ends background refreshes. Those on tasks end at their next `.await`, those on threads run to their end, and no new ones begin.
    /// The cache goes on to serve: a value past its lifetime is still served where `stale` allows it, and calls with a `timeout` wait
    /// for their bodies. Calling this again does nothing. Evictions that wait for a shared tier that is away are still sent, as long as
    /// the process lives: [`Stats::unsent_evictions`] counts them.
    ///
    /// ```
    /// let cache = cacheado::Cache::builder().build()?;
    /// cache.shutdown();
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn shutdown(&self) {
        self.0.background.close();
    }

    /// For simulations: tries to send an eviction that could not be sent. Answers whether there was one.
    #[doc(hidden)]
    pub async fn __send_next(&self) -> bool {
        match self.shared() {
            Some(tier) => tier.send_next().await,
            None => false,
        }
    }

    /// For generated code: a handle from whatever dereferences to one. Its name is what the compiler tells of what doesn't.
    #[doc(hidden)]
    #[must_use]
    pub fn __cache_takes_an_expression_that_gives_a_cache(&self) -> &Self {
        self
    }

    pub(crate) fn id(&self) -> CacheId {
        CacheId(Arc::as_ptr(&self.0) as usize)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn shared(&self) -> Option<&SharedTier> {
        self.0.shared.as_deref()
    }

    /// The shared tier, if there is one and it can have values under `key`.
    pub(crate) fn shared_for(
        &self,
        key: &Key,
        codec: Option<Codec>,
    ) -> Option<(&SharedTier, Codec)> {
        self.shared().zip(codec).filter(|_| self.can_share(key))
    }

    /// Whether `key` may leave the process: not that of a function whose name another process may understand as another's, nor
    /// one with secret ids that can't be hidden.
    pub(crate) fn can_share(&self, key: &Key) -> bool {
        let hides = |tier: &SharedTier| tier.can_hide(key.space().level());
        key.space().is_stable() && self.shared().is_some_and(hides)
    }

    pub(crate) fn is_in_process(&self) -> bool {
        self.0.ledger.is_none()
    }

    pub(crate) fn is_ruled(&self) -> bool {
        self.0.ruled
    }

    /// Has the shared tier forget what the rules of a cache without values in the process have chosen to go.
    pub(crate) async fn evict_chosen(&self, way: Way) {
        let chosen = self.0.ledger.as_ref().map(|ledger| ledger.take());
        if let Some(chosen) = chosen.filter(|chosen| !chosen.is_empty()) {
            // counted, traced, and kept until it can be sent; boxed, since it is seldom, and would be room in every load's future
            let _ = Box::pin(Evictions::from_shared(self, chosen).run(way)).await;
        }
    }

    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What was told lately.
    pub(crate) fn repeats(&self) -> &Repeats {
        &self.0.repeats
    }

    pub(crate) fn rest(&self) -> Duration {
        self.0.rest
    }

    pub(crate) fn rests(&self) -> &Rests {
        &self.0.rests
    }

    pub(crate) fn background(&self) -> &Background {
        &self.0.background
    }

    /// How values of a function age, of which `own` is what it says itself; `None`: there is no function, and nobody to load another
    /// value.
    pub(crate) fn aging_of(&self, own: Option<&Aging>) -> Aging {
        match own {
            Some(own) => own.or(&self.0.aging),
            None => Aging {
                jitter: self.0.aging.jitter,
                ..Aging::NONE
            },
        }
    }

    /// What [`aging_of`](Self::aging_of) says of `stale`: each load asks for that several times, and for the rest once.
    pub(crate) fn stale_of(&self, own: Option<&Aging>) -> Option<Duration> {
        own?.stale_or(&self.0.aging)
    }

    pub(crate) fn flights(&self) -> &Arc<Flights> {
        &self.0.flights
    }

    #[inline]
    pub(crate) fn count(&self, key: &Key, event: Event) {
        self.0.counters.count_key(key, event);
    }

    #[inline]
    pub(crate) fn count_space(&self, space: &Space, event: Event) {
        self.0.counters.count(space, event);
    }

    /// How its entries are weighed.
    pub(crate) fn weigher(&self) -> &Weigher {
        &self.0.weigher
    }
}

/// Its locks stand a panic of whoever holds them: what they guard is whole whenever code of the user's runs.
impl std::panic::UnwindSafe for Cache {}
impl std::panic::RefUnwindSafe for Cache {}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("name", &self.0.name)
            .field("enabled", &self.0.enabled)
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}

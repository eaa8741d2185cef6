//! What makes a cache.

mod check;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::envelope::Compression;
use cacheado_backends::memory::Store;
use cacheado_backends::rule::Cause;
use cacheado_backends::{Backend, Clock, Hierarchy, Key, Result, Rule};

use crate::aging::Aging;
use crate::background::{Background, LIMIT};
use crate::cache::{Cache, Inner};
use crate::counters::{Counters, Event};
use crate::flight::Flights;
use crate::ledger::Ledger;
use crate::load::rests::Rests;
use crate::repeats::Repeats;
use crate::shared::{BreakerOptions, Coherence, SecretKey, SharedOptions, SharedTier};
use crate::weight::{ByUser, Weighed, Weigher};

/// The default of [`CacheBuilder::flight_timeout`].
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(5);

/// The default of [`CacheBuilder::coherence`].
const COHERENCE: Duration = Duration::from_secs(5);

/// The default of [`CacheBuilder::retry_after`].
const REST: Duration = Duration::from_secs(5);

/// Builds a [`Cache`].
///
/// ```
/// use std::time::Duration;
/// use cacheado::Cache;
/// use cacheado::rules::{Lru, Ttl};
///
/// let cache = Cache::builder()
///     .rule(Ttl::new().max(Duration::from_secs(86_400)))
///     .rule(Lru::new(10_000))
///     .name("storefront")
///     .build()?;
/// # Ok::<(), cacheado::Error>(())
/// ```
#[must_use = "a builder does nothing until `build()`"]
pub struct CacheBuilder {
    clock: Clock,
    rules: Vec<Box<dyn Rule>>,
    bounds: Vec<Bound>,
    weighers: Vec<ByUser>,
    backend: Option<Box<dyn Backend>>,
    /// `None`: not set.
    compression: Option<Compression>,
    hierarchy: Hierarchy,
    name: String,
    in_process: bool,
    flight_timeout: Duration,
    coherence: Option<Duration>,
    breaker: Option<BreakerOptions>,
    secret: Option<SecretKey>,
    aging: Aging,
    rest: Duration,
    background: usize,
    sends_by_hand: bool,
}

/// How much the cache holds at most.
struct Bound {
    /// The builder's method that set it.
    method: &'static str,
    most: u64,
    weigher: Weigher,
}

impl Default for CacheBuilder {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            rules: Vec::new(),
            bounds: Vec::new(),
            weighers: Vec::new(),
            backend: None,
            compression: None,
            hierarchy: Hierarchy::default(),
            name: "cacheado".to_owned(),
            in_process: true,
            flight_timeout: FLIGHT_TIMEOUT,
            coherence: None,
            breaker: None,
            secret: None,
            aging: Aging::NONE,
            rest: REST,
            background: LIMIT,
            sends_by_hand: false,
        }
    }
}

impl CacheBuilder {
    /// The hierarchy in which [`Cache::scope`] looks up scopes named at run time: `scope::hierarchy()`, or one of a
    /// [`HierarchyBuilder`](crate::HierarchyBuilder). Typed scopes (`scope::user(…)`) need none.
    pub fn scopes(mut self, hierarchy: Hierarchy) -> Self {
        self.hierarchy = hierarchy;
        self
    }

    /// Adds a rule: one of [`rules`](crate::rules), or your own type that implements [`Rule`]. Rules are asked in the order in which
    /// they are added; a bound such as [`max_items`](Self::max_items) is asked after all of them.
    pub fn rule(mut self, rule: impl Rule) -> Self {
        self.rules.push(Box::new(rule));
        self
    }

    /// Holds at most `most` entries in the process. When full, [`WTinyLfu`](crate::rules::WTinyLfu) decides what is evicted. `build()`
    /// fails if `most` is zero, or if there is a second bound.
    ///
    /// ```
    /// use cacheado::Cache;
    ///
    /// let cache = Cache::builder().max_items(100).build()?;
    /// for n in 0..1000_u32 {
    ///     cache.set(n, &n).run()?;
    /// }
    /// assert_eq!(cache.stats().total_keys, 100);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[doc(alias("max_capacity", "max_size", "capacity"))]
    pub fn max_items(self, most: u64) -> Self {
        self.bound("max_items", most, Weigher::One)
    }

    /// Holds entries of at most `most` bytes in total in the process, as estimated by [`Weighed::bytes`]: about what they take in
    /// memory. When full, [`WTinyLfu`](crate::rules::WTinyLfu) decides what is evicted. An entry larger than `most` is not stored.
    /// `build()` fails if `most` is zero, or if there is a second bound.
    ///
    /// Storing a value costs a walk over it. A hit costs nothing more.
    ///
    /// ```
    /// use cacheado::Cache;
    ///
    /// let cache = Cache::builder().max_bytes(64 << 10).build()?;
    /// assert!(cache.set("short", &"text".to_owned()).run()?);
    /// assert!(!cache.set("long", &"text".repeat(100_000)).run()?);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn max_bytes(self, most: u64) -> Self {
        self.bound("max_bytes", most, Weigher::Bytes)
    }

    /// Holds entries that weigh at most `most` in total in the process; `weigher` weighs each entry when it is stored. When full,
    /// [`WTinyLfu`](crate::rules::WTinyLfu) decides what is evicted. An entry heavier than `most` is not stored. An entry of weight 0
    /// is not counted; one for which `weigher` panics weighs 1. `build()` fails if `most` is zero, or if there is a second bound.
    ///
    /// ```
    /// use cacheado::Cache;
    ///
    /// let rows = |it: &cacheado::Weighed<'_>| it.value::<Vec<u64>>().map_or(1, |rows| rows.len() as u32);
    /// let cache = Cache::builder().max_weight(1000, rows).build()?;
    /// assert!(cache.set("few", &vec![0_u64; 10]).run()?);
    /// assert!(!cache.set("many", &vec![0_u64; 1001]).run()?);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn max_weight(
        self,
        most: u64,
        weigher: impl Fn(&Weighed<'_>) -> u32 + Send + Sync + 'static,
    ) -> Self {
        self.bound("max_weight", most, Weigher::By(Box::new(weigher)))
    }

    /// What each entry weighs, for [rules](Self::rule) that ask for it: your own, or [`WTinyLfu::new`](crate::rules::WTinyLfu::new),
    /// whose bound is a weight. Called once, when the entry is stored. Without a weigher each entry weighs 1, and so does one for
    /// which it panics.
    ///
    /// `build()` fails if there is a second weigher, if there is no rule, if the cache keeps nothing in the process, and together with
    /// `max_items`, `max_bytes` or `max_weight`, which weigh in their own ways.
    ///
    /// ```
    /// use cacheado::Cache;
    /// use cacheado::rules::WTinyLfu;
    ///
    /// let length = |it: &cacheado::Weighed<'_>| it.value::<String>().map_or(1, |text| text.len() as u32);
    /// let cache = Cache::builder().rule(WTinyLfu::new(1000)).weigher(length).build()?;
    /// assert!(cache.set("short", &"text".to_owned()).run()?);
    /// assert!(!cache.set("long", &"text".repeat(1000)).run()?);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn weigher(
        mut self,
        weigher: impl Fn(&Weighed<'_>) -> u32 + Send + Sync + 'static,
    ) -> Self {
        self.weighers.push(Box::new(weigher));
        self
    }

    fn bound(mut self, method: &'static str, most: u64, weigher: Weigher) -> Self {
        self.bounds.push(Bound {
            method,
            most,
            weigher,
        });
        self
    }

    /// The shared tier behind the in-process one: one of [`backends`](crate::backends), or your own type that implements [`Backend`].
    /// A cache has at most one; a second call replaces the first. A lookup that finds nothing in the process costs a round trip to the
    /// backend.
    ///
    /// ```
    /// use cacheado::Cache;
    /// # use cacheado::backends::{Backend, BackendResult, Lookup, Payload};
    /// # struct Store;
    /// # impl Backend for Store {
    /// #     fn name(&self) -> &str { "Store" }
    /// #     fn get(&self, _: &cacheado::Key) -> BackendResult<Lookup> { Ok(None.into()) }
    /// #     fn set(&self, _: &cacheado::Key, _: &Payload) -> BackendResult<()> { Ok(()) }
    /// #     fn evict(&self, _: &cacheado::Key) -> BackendResult<bool> { Ok(false) }
    /// #     fn evict_by_scope(&self, _: &cacheado::Scope) -> BackendResult<u64> { Ok(0) }
    /// #     fn clear(&self) -> BackendResult<()> { Ok(()) }
    /// # }
    /// # let store = Store;
    ///
    /// // `store` is `Redis::new("redis://127.0.0.1:6379")?`, or whatever the processes share
    /// let cache = Cache::builder().backend(store).name("storefront").build()?;
    /// assert_eq!(cache.stats().storage_type, "in-process + Store");
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Box::new(backend));
        self
    }

    /// Compresses values larger than `bytes` bytes for the shared tier, by LZ4. Off by default. Without a [`backend`](Self::backend),
    /// `build()` fails.
    ///
    /// It saves network traffic and the store's memory, helps to stay within the store's limits, and costs time in the process.
    /// Measured on JSON, 1 MB was compressed to a fifth in 0.8 ms and decompressed in 0.3 ms; 1000 bytes were compressed to two fifths
    /// in 0.7 µs and decompressed in 0.2 µs. A value that gets no smaller is stored as it is, and so is one of more than 64 MiB.
    ///
    /// This only decides what is stored: every cache built with the feature `lz4` reads compressed values. To a cache built without it
    /// they are misses, which `backend_errors` counts.
    ///
    /// ```
    /// use cacheado::Cache;
    /// # use cacheado::backends::{Backend, BackendResult, Lookup, Payload};
    /// # struct Store;
    /// # impl Backend for Store {
    /// #     fn name(&self) -> &str { "Store" }
    /// #     fn get(&self, _: &cacheado::Key) -> BackendResult<Lookup> { Ok(None.into()) }
    /// #     fn set(&self, _: &cacheado::Key, payload: &Payload) -> BackendResult<()> {
    /// #         assert!(payload.bytes.len() < 1000);
    /// #         Ok(())
    /// #     }
    /// #     fn evict(&self, _: &cacheado::Key) -> BackendResult<bool> { Ok(false) }
    /// #     fn evict_by_scope(&self, _: &cacheado::Scope) -> BackendResult<u64> { Ok(0) }
    /// #     fn clear(&self) -> BackendResult<()> { Ok(()) }
    /// # }
    /// # let store = Store;
    ///
    /// let cache = Cache::builder().backend(store).compress_above(1024).build()?;
    /// // some hundred bytes go to the store
    /// cache.set("page", &"<p>text</p>".repeat(1000)).run()?;
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[cfg(feature = "lz4")]
    pub fn compress_above(mut self, bytes: usize) -> Self {
        self.compression = Some(Compression::above(bytes));
        self
    }

    /// Whether values are kept in the process; `true` by default. `false` needs a backend, which is then asked on each lookup.
    /// [Rules](Self::rule) then decide on the entries that this process has met in the backend: the process keeps their keys, and what
    /// the rules choose is evicted from the shared tier.
    ///
    /// With `false`, nothing is renewed in the background: `refresh_after` and `xfetch` do nothing, a value past its lifetime is
    /// loaded by the call and served only if that fails, and `expire!` evicts.
    pub fn in_process(mut self, in_process: bool) -> Self {
        self.in_process = in_process;
        self
    }

    /// The prefix of everything that the cache stores outside the process; `cacheado` by default. Caches of one name share their
    /// entries in a store: give each service its own name. `build()` fails if it is empty.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The source of time: a [`ManualClock`](crate::testing::ManualClock) in tests.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// How long callers wait for another caller's load before one of them runs the body itself, and the rest wait for that one. 5 s by
    /// default, in real time. `build()` fails if it is zero.
    ///
    /// The time counts from when the first of them began to wait, or from the last poll of the load's future after that. So a caller
    /// whose future is never polled again, or a thread that waits for one of its own waiters, holds nobody up for longer. Give more
    /// than the slowest body takes; otherwise several callers run it. A background refresh that takes longer does not keep another
    /// from beginning.
    pub fn flight_timeout(mut self, timeout: Duration) -> Self {
        self.flight_timeout = timeout;
        self
    }

    /// How long the process keeps a copy of a value in the shared tier while nothing reports when the copy gets old. 5 s by default.
    /// It applies to a backend that does not [report](Backend::watch) what other processes evict and put, and to any other while its
    /// connection is lost.
    ///
    /// Zero keeps no copies. [`Duration::MAX`] keeps them for their whole lifetimes, which is right if no other process uses the
    /// store. Without a [`backend`](Self::backend), `build()` fails; with `in_process(false)` there are no copies, and this has no
    /// effect.
    pub fn coherence(mut self, bound: Duration) -> Self {
        self.coherence = Some(bound);
        self
    }

    /// After `failures` consecutive failures the shared tier is not asked for `pause`; then one call asks it, and its outcome decides.
    /// 5 failures and 1 s by default. Meanwhile lookups there are misses, which run their bodies, and evictions are kept and sent
    /// later. Time is the [clock](Self::clock)'s.
    ///
    /// Where [parts](Backend::part) of the store may be down separately, such as the nodes of a Redis Cluster, each part is counted
    /// separately. So are blocking and async calls, which have connections of their own. Without a [`backend`](Self::backend), or with
    /// zero for either, `build()` fails.
    pub fn circuit_breaker(mut self, failures: u32, pause: Duration) -> Self {
        self.breaker = Some(BreakerOptions { failures, pause });
        self
    }

    /// How long past its lifetime a value may still be served in place of one that can't be loaded, for functions whose attribute has
    /// neither `stale` nor `idle`. Off by default: a value then ends with its lifetime, as values stored by programmatic calls always
    /// do. More than a hundred years counts as a hundred.
    ///
    /// A function whose body may run in the background (its attribute has `stale`, `refresh_after`, `xfetch`, `timeout`,
    /// `hard_timeout` or `detached`) serves such a value at once and runs the body there; with a [`timeout`](Self::timeout), it first
    /// waits that long for the new value. Any other function runs its body when it is called, and serves the value if the body fails:
    /// returns an `Err`, or panics. See [`guide::stale`](crate::guide::stale).
    pub fn stale(mut self, span: Duration) -> Self {
        self.aging.stale = Some(span);
        self
    }

    /// The fraction of a value's lifetime after which a hit starts a background refresh, for functions whose body may run
    /// [there](Self::stale) and whose attribute has none of `refresh_after`, `xfetch` and `idle`. Off by default: a value is not
    /// refreshed within its lifetime. `build()` fails unless it is more than 0 and less than 1. See
    /// [`guide::early_refresh`](crate::guide::early_refresh).
    pub fn refresh_after(mut self, part: f64) -> Self {
        self.aging.refresh_after = Some(part);
        self
    }

    /// How long a call waits for the body while a value past its lifetime may be served, for functions whose body may run in the
    /// [background](Self::stale) and whose attribute has no `timeout`. Without one, the call does not wait at all. See
    /// [`guide::timeouts`](crate::guide::timeouts).
    pub fn timeout(mut self, span: Duration) -> Self {
        self.aging.timeout = Some(span);
        self
    }

    /// The fraction of itself by which a lifetime may be extended, evenly distributed, so that values stored together don't all expire
    /// together. It applies to functions whose attribute has no `jitter`, and to values stored by programmatic calls. Off by default.
    /// `build()` fails if it is less than 0 or more than 1. See [`guide::jitter`](crate::guide::jitter).
    pub fn jitter(mut self, part: f64) -> Self {
        self.aging.jitter = Some(part);
        self
    }

    /// How long a body is not run again after it failed while an old value could be served in its place. 5 s by default. Time is the
    /// [clock](Self::clock)'s. Where the old value is not [in the process](Self::in_process), this process remembers failures of at
    /// most 10,000 keys.
    pub fn retry_after(mut self, span: Duration) -> Self {
        self.rest = span;
        self
    }

    /// How many bodies run in the background at once; 64 by default. At the limit no refresh begins, and a call with a `timeout`, or that
    /// is `detached`, runs its body itself and waits for it. With zero nothing is renewed in the background: an old value is served for
    /// as long as `stale` allows, and then the next call loads.
    pub fn background_limit(mut self, most: usize) -> Self {
        self.background = most;
        self
    }

    /// The key with which ids of levels marked `#[secret]` are hashed before they leave the process: 32 random bytes, the same in all
    /// processes that share the store. Without it the entries of such levels stay in the process, and `build()` fails if there is a
    /// backend and the hierarchy given by [`scopes`](Self::scopes) has such a level. Without a backend the key has no effect, and may
    /// be given all the same.
    ///
    /// Entries that stay in the process are separate in each process: without a key, evicting a call of such a level, or a scope with
    /// such an id, reaches no other process. Evicting the level above does.
    ///
    /// While processes have different keys, none reaches the others' entries of such levels, by a key or by a scope: evict the level
    /// above until all have the new key.
    #[cfg(feature = "shared")]
    pub fn secret_key(mut self, key: [u8; 32]) -> Self {
        self.secret = Some(SecretKey::new(key));
        self
    }

    /// For simulations, which have no threads: evictions that could not be sent are sent by [`Cache::__send_next`].
    #[doc(hidden)]
    pub fn __sends_by_hand(mut self) -> Self {
        self.sends_by_hand = true;
        self
    }

    /// Builds the cache.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if the configuration makes no sense:
    ///
    /// - a rule that refuses its own settings (`Lru::new(0)`), or two rules that each keep the entries in an order of their own;
    /// - more than one bound, or a bound or weigher for a cache that keeps nothing in the process;
    /// - a weigher without a rule or together with a bound, or two weighers;
    /// - an empty name, or a cache without any tier;
    /// - an option of the shared tier without a backend, a backend that refuses its own settings (a timeout of zero), a circuit
    ///   breaker with a zero, or secret ids that nothing hides from the shared tier;
    /// - a flight timeout of zero, or a `refresh_after` or `jitter` out of its range.
    pub fn build(mut self) -> Result<Cache> {
        self.check()?;
        let weigher = self.apply_bound()?;
        self.check_rules()?;
        Ok(self.assemble(weigher, true))
    }

    /// A cache that stores nothing, as [`Cache::disabled`], but that knows the builder's [`scopes`](Self::scopes). All other settings
    /// are ignored, and no store is contacted.
    ///
    /// ```
    /// use cacheado::{Cache, Hierarchy};
    ///
    /// let hierarchy = Hierarchy::builder().level("user", "user_id").build()?;
    /// let cache = Cache::builder().scopes(hierarchy).max_items(10_000).build_disabled();
    /// let ada = cache.scope("user", [("user_id", "ada")])?;
    /// assert!(!cache.set("theme", &"dark".to_owned()).scope(ada).run()?);
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[must_use]
    pub fn build_disabled(self) -> Cache {
        let of_none = Self {
            hierarchy: self.hierarchy,
            ..Self::default()
        };
        of_none.assemble(Weigher::One, false)
    }

    /// An unbounded cache in the process.
    pub(crate) fn build_plain() -> Cache {
        Self::default().assemble(Weigher::One, true)
    }

    fn assemble(self, weigher: Weigher, enabled: bool) -> Cache {
        let counters = Arc::new(Counters::default());
        let observed = Arc::clone(&counters);
        let ledger = (!self.in_process).then(Arc::<Ledger>::default);
        let noted = ledger.clone();
        let observer = Box::new(move |key: &Key, cause| {
            if let Some(ledger) = noted.as_ref().filter(|_| cause == Cause::Rule) {
                ledger.note(key);
            }
            let event = if cause == Cause::Expired {
                Event::Expiration
            } else {
                Event::Eviction
            };
            observed.count_key(key, event);
        });
        let ruled = !self.rules.is_empty();
        let clock = self.clock.clone();
        let store = Store::new(self.clock.clone(), self.rules, observer);
        let flights = Arc::new(Flights::new(self.flight_timeout));
        let repeats = Arc::new(Repeats::new(self.clock.clone()));
        let shared = self.backend.map(|backend| {
            let copies = self.in_process.then(|| self.coherence.unwrap_or(COHERENCE));
            let coherence = Coherence::new(Arc::clone(&store), Arc::clone(&flights), copies);
            let options = SharedOptions {
                name: self.name.clone(),
                clock: self.clock,
                breaker: self.breaker.unwrap_or_default(),
                secret: self.secret,
                compression: self.compression.unwrap_or_default(),
                sends_by_hand: self.sends_by_hand,
                repeats: Arc::clone(&repeats),
            };
            SharedTier::new(backend, options, Arc::clone(&counters), coherence)
        });
        Cache::from_inner(Inner {
            store,
            shared,
            flights,
            counters,
            repeats,
            hierarchy: self.hierarchy,
            name: self.name,
            weigher,
            enabled,
            ledger,
            ruled,
            clock,
            aging: self.aging,
            rest: self.rest,
            rests: Rests::default(),
            background: Background::new(self.background),
        })
    }
}

impl fmt::Debug for CacheBuilder {
    /// No secret key; and of a backend its name alone, which tells neither user nor password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules.iter().map(Rule::name).collect();
        let bounds = self.bounds.iter().map(|bound| (bound.method, bound.most));
        f.debug_struct("CacheBuilder")
            .field("name", &self.name)
            .field("in_process", &self.in_process)
            .field("backend", &self.backend.as_ref().map(Backend::name))
            .field("rules", &rules)
            .field("bounds", &bounds.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

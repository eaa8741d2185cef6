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

/// How long a leader that is not polled is waited for, if the builder is not told otherwise.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long copies of what the shared tier has are kept while nothing says when they are old, if the builder is not told otherwise.
const COHERENCE: Duration = Duration::from_secs(5);

/// After a load that failed while a value could stand in, how long there is no other, if the builder is not told otherwise.
const REST: Duration = Duration::from_secs(5);

/// Makes a [`Cache`].
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
    /// `None`: the builder was not asked for any.
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
    /// The builder's method that said so.
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
    /// The hierarchy that scopes are looked up in when they are named at run time: `scope::hierarchy()`, or one of a
    /// [`HierarchyBuilder`](crate::HierarchyBuilder). Scopes that are made by `scope::user(…)` need none.
    pub fn scopes(mut self, hierarchy: Hierarchy) -> Self {
        self.hierarchy = hierarchy;
        self
    }

    /// Adds a rule: one of [`rules`](crate::rules), or a type of one's own that implements [`Rule`]. Rules are asked in the order in
    /// which they are added, and a bound as [`max_items`](Self::max_items) after all of them.
    pub fn rule(mut self, rule: impl Rule) -> Self {
        self.rules.push(Box::new(rule));
        self
    }

    /// Holds at most `most` entries in the process: when full, [`WTinyLfu`](crate::rules::WTinyLfu) decides what goes. Zero makes `build()` fail, and so
    /// does a second bound.
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

    /// Holds entries of at most `most` bytes in the process, as [`Weighed::bytes`] says: about what they take in memory, all
    /// together. When full, [`WTinyLfu`](crate::rules::WTinyLfu) decides what goes; an entry that is larger than all of it is not stored. Zero makes
    /// `build()` fail, and so does a second bound.
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

    /// Holds entries that weigh at most `most` together in the process, by what `weigher` says of each when it is stored. When
    /// full, [`WTinyLfu`](crate::rules::WTinyLfu) decides what goes; an entry that is heavier than all of it is not stored. One that weighs 0 is not counted,
    /// one over which `weigher` panics weighs 1. Zero for `most` makes `build()` fail, and so does a second bound.
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

    /// What each entry weighs, for [rules](Self::rule) that ask for it: a rule of one's own, or [`WTinyLfu::new`](crate::rules::WTinyLfu::new), whose bound is a
    /// weight. Asked once, when the entry is stored. Without one each weighs 1, and so does one over which it panics. With `max_items`,
    /// `max_bytes` or `max_weight`, which weigh in their own ways, `build()` fails, and so it does without any rule, with a second weigher,
    /// and on a cache that keeps nothing in the process.
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

    /// The shared tier behind the in-process one: one of [`backends`](crate::backends), or a type of one's own that implements
    /// [`Backend`]. There is one at most; a second call replaces the first. What is looked up and not in the process costs a round
    /// trip there.
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

    /// Compresses what goes to the shared tier if it is larger than `bytes` bytes, by LZ4. Off if not given. Without a
    /// [`backend`](Self::backend), `build()` fails.
    ///
    /// It saves what the network, the store's memory and its limits cost, and costs the process: measured on JSON, 1 MB came to a fifth
    /// in 0.8 ms, and back in 0.3 ms; 1000 bytes came to two fifths in 0.7 µs, and back in 0.2 µs. What gets no smaller is stored as it
    /// is, and so is what has more than 64 MiB.
    ///
    /// Only what is stored is decided by it: whatever is compressed is read by every cache, if it is built with the feature `lz4`.
    /// To one that is not it is a miss, which `backend_errors` counts.
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

    /// Whether values are kept in the process. `false` needs a backend, which then is asked each time. [Rules](Self::rule) then decide on
    /// what this process has met there: it keeps the keys, and what they choose to go is evicted from the shared tier.
    ///
    /// Nothing is then renewed in the background: `refresh_after` and `xfetch` do nothing, a value past its lifetime is loaded by the call
    /// and stands in only if that fails, and `expire!` evicts.
    pub fn in_process(mut self, in_process: bool) -> Self {
        self.in_process = in_process;
        self
    }

    /// The prefix of all that the cache stores outside the process; `cacheado` if not given. Caches of one name share what they have in
    /// one store: give each service its own. An empty one makes `build()` fail.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Where time comes from: a [`ManualClock`](crate::testing::ManualClock) in tests.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// How long callers wait for a load of another before one of them runs the body itself, and the rest wait for that one: 5 s
    /// if not given, in real time.
    ///
    /// It counts from when the first of them began to wait, or from the last time after that that the load's future was polled. A
    /// caller whose future is never polled again, or a thread that waits for one of those who wait for it, so holds nobody up for
    /// longer. Give more than the slowest body takes, or of several callers more than one runs it. A refresh in the background that
    /// takes longer does not keep another from being begun. Zero makes `build()` fail.
    pub fn flight_timeout(mut self, timeout: Duration) -> Self {
        self.flight_timeout = timeout;
        self
    }

    /// How long the process keeps a copy of what the shared tier has while nothing tells it when the copy is old: 5 s if not given.
    /// So it is with a backend that [reports](Backend::watch) nothing of what other processes evict and put, and with any other
    /// while its connection is lost. Zero keeps none. [`Duration::MAX`] keeps them for all of their lifetimes, which is right if no
    /// other process uses the store. Without a [`backend`](Self::backend), `build()` fails; with `in_process(false)` there are no copies, and
    /// it changes nothing.
    pub fn coherence(mut self, bound: Duration) -> Self {
        self.coherence = Some(bound);
        self
    }

    /// After `failures` of the shared tier in a row it is not asked for `pause`, and then by one call, whose answer decides: 5 and 1 s
    /// if not given. Meanwhile look-ups there are misses, which run their bodies, and evictions are kept and sent later. Time is the
    /// [clock](Self::clock)'s. Where [parts](Backend::part) of the store may be down each by itself, as the nodes of a Redis Cluster may,
    /// each is counted by itself, and so are blocking and async calls, which have connections of their own. Without a
    /// [`backend`](Self::backend), or with zero for either, `build()` fails.
    pub fn circuit_breaker(mut self, failures: u32, pause: Duration) -> Self {
        self.breaker = Some(BreakerOptions { failures, pause });
        self
    }

    /// How long past its lifetime a value may stand in for one that can't be had, for functions whose attribute has neither `stale` nor
    /// `idle`. Without one, it ends with its lifetime, as what programmatic calls store always does. More than a hundred years are a hundred.
    ///
    /// A function whose body may run in the background (its attribute has `stale`, `refresh_after`, `xfetch`, `timeout`, `hard_timeout`
    /// or `detached`) serves such a value at once and has the body run there; with a [`timeout`](Self::timeout), it waits so long for the
    /// new value before. Any other runs its body when it is called, and serves the value if that fails: returns an `Err`, or
    /// panics. See [`guide::stale`](crate::guide::stale).
    pub fn stale(mut self, span: Duration) -> Self {
        self.aging.stale = Some(span);
        self
    }

    /// The part of its lifetime past which a hit of a value begins a refresh in the background, for functions whose body may run
    /// [there](Self::stale) and whose attribute has none of `refresh_after`, `xfetch` and `idle`. Without one, a value is not refreshed
    /// while it is good. What is not more than 0 and less than 1 makes `build()` fail. See
    /// [`guide::early_refresh`](crate::guide::early_refresh).
    pub fn refresh_after(mut self, part: f64) -> Self {
        self.aging.refresh_after = Some(part);
        self
    }

    /// How long a body is waited for while a value past its lifetime may stand in, for functions whose body may run in the
    /// [background](Self::stale) and whose attribute has no `timeout`. Without one, it is not waited for at all. See
    /// [`guide::timeouts`](crate::guide::timeouts).
    pub fn timeout(mut self, span: Duration) -> Self {
        self.aging.timeout = Some(span);
        self
    }

    /// By how much of itself a lifetime may be longer, evenly spread, so that what is stored at once does not end at once: for functions
    /// whose attribute has no `jitter`, and for what programmatic calls store. Without one, lifetimes are as they are given. What is less
    /// than 0 or more than 1 makes `build()` fail. See [`guide::jitter`](crate::guide::jitter).
    pub fn jitter(mut self, part: f64) -> Self {
        self.aging.jitter = Some(part);
        self
    }

    /// After a body that failed while a value could stand in for what it should have returned, how long it is not run again: 5 s if
    /// not given. Time is the [clock](Self::clock)'s. Where the value that stands in is not [in the process](Self::in_process), this
    /// process remembers so of 10,000 keys at most.
    pub fn retry_after(mut self, span: Duration) -> Self {
        self.rest = span;
        self
    }

    /// How many bodies run in the background at once: 64 if not given. At that many no refresh begins, and a call with a `timeout`
    /// runs its body itself and waits for it. With zero nothing is renewed
    /// in the background: what may stand in does so to its end, and then the next call loads.
    pub fn background_limit(mut self, most: usize) -> Self {
        self.background = most;
        self
    }

    /// What ids of levels marked `#[secret]` are hashed with before they leave the process: 32 random bytes, the same in all
    /// processes that share the store. Without it their entries stay in the process, and `build()` fails if the hierarchy given by
    /// [`scopes`](Self::scopes) has such a level and there is a backend. Without a backend it does nothing, and may be given all the same.
    ///
    /// What stays in the process each process has for itself: without it, evicting a call of such a level, or a scope with such an id, is
    /// told to no other. Evicting the level above is.
    ///
    /// While processes have different ones, none reaches the other's entries of such levels, by a key or by a scope: evict the level
    /// above until all have the new one.
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

    /// The cache.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) for a rule without sense (`Lru::new(0)`), two rules that each keep the entries in an order of their own, more
    /// than one bound, a weigher without a rule, two weighers, an empty name, an option of the shared tier without a backend, a backend without sense (a
    /// timeout of zero), a flight timeout of zero, a `refresh_after` or `jitter` that is no part, a circuit breaker without sense, secret ids
    /// that nothing hides from the shared tier, a cache without any tier, and a bound of what is in the process on a cache that keeps
    /// nothing there.
    pub fn build(mut self) -> Result<Cache> {
        self.check()?;
        let weigher = self.apply_bound()?;
        self.check_rules()?;
        Ok(self.assemble(weigher, true))
    }

    /// As [`Cache::disabled`]: a cache that stores nothing, and that knows the builder's [`scopes`](Self::scopes). What else the builder was told
    /// is left aside, and no store is asked for anything.
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

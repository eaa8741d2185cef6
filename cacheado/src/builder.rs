//! What makes a cache.

use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::memory::Store;
use cacheado_backends::rule::Cause;
use cacheado_backends::{Backend, Clock, Error, Hierarchy, Key, Result, Rule};

use crate::cache::{Cache, Inner};
use crate::counters::{Counters, Event};
use crate::flight::Flights;
use crate::shared::SharedTier;

/// How long a leader that is not polled is waited for, if the builder is not told otherwise.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(5);

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
    backend: Option<Box<dyn Backend>>,
    hierarchy: Hierarchy,
    name: String,
    in_process: bool,
    flight_timeout: Duration,
}

impl Default for CacheBuilder {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            rules: Vec::new(),
            backend: None,
            hierarchy: Hierarchy::default(),
            name: "cacheado".to_owned(),
            in_process: true,
            flight_timeout: FLIGHT_TIMEOUT,
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

    /// Adds a rule. Rules are asked in the order in which they are added.
    pub fn rule(mut self, rule: impl Rule) -> Self {
        self.rules.push(Box::new(rule));
        self
    }

    /// The shared tier behind the in-process one. There is one at most; a second call replaces the first.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Box::new(backend));
        self
    }

    /// Whether values are kept in the process. `false` needs a backend, which then is asked each time.
    pub fn in_process(mut self, in_process: bool) -> Self {
        self.in_process = in_process;
        self
    }

    /// The prefix of all that the cache stores outside the process; `cacheado` if not given.
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
    /// It counts from the last time that the load's future was polled, or from the beginning of a load that blocks its thread.
    /// A caller whose future is never polled again, or a thread that waits for one of those who wait for it, so holds nobody up
    /// for longer. Give more than the slowest body takes, or of several callers more than one runs it.
    pub fn flight_timeout(mut self, timeout: Duration) -> Self {
        self.flight_timeout = timeout;
        self
    }

    /// The cache.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a rule without sense (`Lru::new(0)`), an empty name, a flight timeout of zero, a cache without any
    /// tier, and rules on a cache that keeps nothing in the process.
    pub fn build(self) -> Result<Cache> {
        if self.name.is_empty() {
            return Err(Error::config(
                "name(\"\")",
                "give the cache a name: it keeps its keys apart from others in a shared tier",
            ));
        }
        if self.flight_timeout.is_zero() {
            return Err(Error::config(
                "flight_timeout(0)",
                "give a duration longer than zero; for no waiting at all use `single_flight = false`",
            ));
        }
        if !self.in_process && self.backend.is_none() {
            return Err(Error::config(
                "in_process(false)",
                "it leaves the cache without any tier: add a `backend(…)`, or use `Cache::disabled()`",
            ));
        }
        if !self.in_process && !self.rules.is_empty() {
            return Err(Error::config(
                "in_process(false)",
                "rules on a shared-only cache are not supported yet: leave out one of the two",
            ));
        }
        for rule in &self.rules {
            rule.check()?;
        }
        let mut keepers = self.rules.iter().filter(|rule| rule.keeps_notes());
        if let (Some(first), Some(second)) = (keepers.next(), keepers.next()) {
            return Err(Error::config(
                format!("the rules {} and {}", first.name(), second.name()),
                "each keeps the entries in an order of its own, and a cache has one: leave out one of the two",
            ));
        }
        Ok(self.assemble(true))
    }

    /// A cache that stores nothing.
    pub(crate) fn build_disabled(self) -> Cache {
        self.assemble(false)
    }

    /// An unbounded cache in the process.
    pub(crate) fn build_plain() -> Cache {
        Self::default().assemble(true)
    }

    fn assemble(self, enabled: bool) -> Cache {
        let counters = Arc::new(Counters::default());
        let observed = Arc::clone(&counters);
        let observer = Box::new(move |key: &Key, cause| {
            let event = if cause == Cause::Expired {
                Event::Expiration
            } else {
                Event::Eviction
            };
            observed.count(key.space(), event);
        });
        Cache::from_inner(Inner {
            store: Store::new(self.clock, self.rules, observer),
            shared: self
                .backend
                .map(|backend| SharedTier::new(backend, self.name.clone(), Arc::clone(&counters))),
            flights: Arc::new(Flights::new(self.flight_timeout)),
            counters,
            hierarchy: self.hierarchy,
            name: self.name,
            enabled,
            in_process: self.in_process,
        })
    }
}

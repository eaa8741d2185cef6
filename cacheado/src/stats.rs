//! Statistics: what was counted, in total, by function and by scope level.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cacheado_backends::Space;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::cache::Inner;
use crate::counters::{Event, Tally};
use crate::shared::SharedTier;

/// What a cache has counted. Each lookup is one hit or one miss; one whose future is dropped before the result is known is a miss.
///
/// Prints as a table. Serializes with [`hit_rate`](Self::hit_rate) as an additional field.
///
/// ```
/// use cacheado::{Cache, cache};
///
/// #[cache(name = "square", cache = cache, skip(cache))]
/// fn square(cache: &Cache, x: u64) -> u64 {
/// #    let _ = cache;
///     x * x
/// }
///
/// let cache = Cache::builder().build()?;
/// for x in [2, 3, 2, 2] {
///     square(&cache, x);
/// }
/// let stats = cache.stats();
/// assert_eq!((stats.hits, stats.misses, stats.total_keys), (2, 2, 2));
/// assert_eq!(stats.by_function["square"].hit_rate(), 0.5);
/// assert_eq!(stats.by_level["global"].loads, 2);
/// # Ok::<(), cacheado::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Lookups that were answered by an entry.
    pub hits: u64,
    /// Lookups that were not.
    pub misses: u64,
    /// Bodies and loaders that were run for a miss, by `refresh!`, or by `#[cache_put]`.
    pub loads: u64,
    /// Entries that were evicted: by key, with their scope, or by a rule. Entries removed by [`clear`](crate::Cache::clear) are not
    /// counted.
    pub evictions: u64,
    /// Entries whose lifetime was over, and copies from the shared tier whose `coherence` was over. Counted when they are freed.
    pub expirations: u64,
    /// Operations of the shared tier that failed, values that could not be encoded for it, and payloads from it that could not be
    /// used.
    pub backend_errors: u64,
    /// Operations of the shared tier that were not tried: the circuit breaker was open after several failures in a row, or an eviction
    /// of the key was still to be sent.
    pub backend_skips: u64,
    /// Calls that ran uncached because no key could be made: an argument failed to serialize or a scope id to print, or the function
    /// has a `name` under which other functions have other arguments, values or scopes.
    pub key_errors: u64,
    /// Calls that were answered by a value past its lifetime, in place of a new one. Those that did not wait for the new one count as
    /// hits as well, the others as misses.
    pub stale_hits: u64,
    /// Bodies that were run in the background while there was a value: past its `refresh_after`, or past its lifetime.
    pub refreshes: u64,
    /// Bodies that failed, by an `Err` or a panic, while there was a value that could be served instead.
    pub failures: u64,
    /// Calls that stopped waiting for a body at their `timeout` or `hard_timeout`.
    pub timeouts: u64,
    /// Live entries in the process.
    pub total_keys: u64,
    /// Evictions that could not be sent to the shared tier and wait for it to be back, at this moment: one per key or scope. They are
    /// lost if the process ends first. If there were more than 10,000, they have become a single one of everything.
    pub unsent_evictions: u64,
    /// The tiers of the cache: `in-process`, `in-process + Redis`, …, `disabled`.
    pub storage_type: String,
    /// The counts of each function, by its full path or explicit name; programmatic calls are `(programmatic)`.
    pub by_function: BTreeMap<String, Counts>,
    /// The counts of each scope level, by its path: `global`, `organization/user`.
    pub by_level: BTreeMap<String, Counts>,
    /// The functions whose entries stay in this process although there is a shared tier, since no other process could tell them from
    /// others. A `name` shares them, unless they are `local` as well. An eviction of these entries here does not reach other
    /// processes.
    pub unshared: BTreeSet<String>,
}

/// The counts of one function or one scope level.
///
/// Serializes with [`hit_rate`](Self::hit_rate) as an additional field. [`Stats`] explains each count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Lookups that were answered by an entry.
    pub hits: u64,
    /// Lookups that were not.
    pub misses: u64,
    /// Bodies and loaders that were run for a miss, by `refresh!`, or by `#[cache_put]`.
    pub loads: u64,
    /// Entries that were evicted.
    pub evictions: u64,
    /// Entries whose lifetime was over, and copies whose `coherence` was over.
    pub expirations: u64,
    /// Operations of the shared tier that failed.
    pub backend_errors: u64,
    /// Operations of the shared tier that were not tried.
    pub backend_skips: u64,
    /// Calls whose key could not be made.
    pub key_errors: u64,
    /// Calls that were answered by a value past its lifetime.
    pub stale_hits: u64,
    /// Bodies that were run in the background while there was a value.
    pub refreshes: u64,
    /// Bodies that failed while there was a value that could be served instead.
    pub failures: u64,
    /// Calls that stopped waiting for a body.
    pub timeouts: u64,
}

/// The share of lookups that were hits, from 0 to 1; 0 if there were no lookups.
#[allow(clippy::cast_precision_loss, reason = "a rate")]
fn rate(hits: u64, misses: u64) -> f64 {
    if hits == 0 {
        0.0
    } else {
        hits as f64 / (hits as f64 + misses as f64)
    }
}

impl Counts {
    /// The share of lookups that were hits, from 0 to 1; 0 if there were no lookups.
    #[doc(alias("hit_ratio"))]
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        rate(self.hits, self.misses)
    }
}

impl Stats {
    /// The share of lookups that were hits, from 0 to 1; 0 if there were no lookups.
    #[doc(alias("hit_ratio"))]
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        rate(self.hits, self.misses)
    }

    pub(crate) fn of(cache: &Inner) -> Self {
        // frees what has expired, and so counts it
        let total_keys = cache.store.len() as u64;
        let mut total = Counts::default();
        let mut by_function: BTreeMap<String, Counts> = BTreeMap::new();
        let mut by_level: BTreeMap<String, Counts> = BTreeMap::new();
        let mut unshared = BTreeSet::new();
        for (space, tally) in cache.counters.tallies() {
            if tally == Tally::default() {
                continue;
            }
            let Some(space) = Space::by_id(space) else {
                continue;
            };
            total.add(&tally);
            by_function
                .entry(space.to_string())
                .or_default()
                .add(&tally);
            if cache.shared.is_some() && !space.is_stable() {
                unshared.insert(space.to_string());
            }
            by_level
                .entry(space.level().path().to_owned())
                .or_default()
                .add(&tally);
        }
        let tiers = [
            cache.ledger.is_none().then_some("in-process"),
            cache.shared.as_deref().map(SharedTier::backend_name),
        ];
        let tiers: Vec<&str> = tiers.into_iter().flatten().collect();
        let mut stats = Self {
            total_keys,
            unsent_evictions: cache.shared.as_deref().map_or(0, SharedTier::unsent),
            storage_type: if cache.enabled {
                tiers.join(" + ")
            } else {
                "disabled".to_owned()
            },
            by_function,
            by_level,
            unshared,
            ..Self::default()
        };
        stats.count(&total);
        stats
    }
}

/// The fields, and the rate that they come to.
macro_rules! serialized {
    ($type:ident: $($field:ident),*) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                // none is left out
                let Self { $($field),* } = self;
                let len = [$(stringify!($field)),*].len() + 1;
                let mut fields = serializer.serialize_struct(stringify!($type), len)?;
                $(fields.serialize_field(stringify!($field), $field)?;)*
                fields.serialize_field("hit_rate", &self.hit_rate())?;
                fields.end()
            }
        }
    };
}

/// What is counted: each count is a field of both, and of which event it is.
macro_rules! counted {
    ($($field:ident = $event:ident),* $(,)?) => {
        impl Counts {
            fn add(&mut self, tally: &Tally) {
                $(self.$field += tally[Event::$event as usize];)*
            }
        }

        impl Stats {
            /// Takes over what was counted in all.
            fn count(&mut self, total: &Counts) {
                $(self.$field = total.$field;)*
            }

            fn total(&self) -> Counts {
                Counts { $($field: self.$field),* }
            }
        }

        serialized!(Stats: $($field,)* total_keys, unsent_evictions, storage_type, by_function, by_level, unshared);
        serialized!(Counts: $($field),*);
    };
}
counted! {
    hits = Hit,
    misses = Miss,
    loads = Load,
    evictions = Eviction,
    expirations = Expiration,
    backend_errors = BackendError,
    backend_skips = BackendSkip,
    key_errors = KeyError,
    stale_hits = StaleHit,
    refreshes = Refresh,
    failures = Failure,
    timeouts = Timeout,
}

/// A column of the table, right of the hits and the misses.
struct Column {
    title: &'static str,
    width: usize,
    of: fn(&Counts) -> u64,
    /// Whether it is there if there is nothing in it.
    always: bool,
}

impl Column {
    const fn new(title: &'static str, width: usize, of: fn(&Counts) -> u64) -> Self {
        Self {
            title,
            width,
            of,
            always: true,
        }
    }

    /// What most caches have nothing of takes no room.
    const fn if_any(mut self) -> Self {
        self.always = false;
        self
    }
}

const COLUMNS: [Column; 9] = [
    Column::new("loads", 10, |counts| counts.loads),
    Column::new("evictions", 10, |counts| counts.evictions),
    Column::new("expirations", 11, |counts| counts.expirations),
    Column::new("errors", 7, |counts| {
        counts.backend_errors + counts.key_errors
    }),
    Column::new("skipped", 7, |counts| counts.backend_skips).if_any(),
    Column::new("stale hits", 10, |counts| counts.stale_hits).if_any(),
    Column::new("refreshes", 9, |counts| counts.refreshes).if_any(),
    Column::new("failures", 8, |counts| counts.failures).if_any(),
    Column::new("timeouts", 8, |counts| counts.timeouts).if_any(),
];

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} keys", self.storage_type, self.total_keys)?;
        let total = self.total();
        let functions = self
            .by_function
            .iter()
            .map(|(name, counts)| (name.as_str(), counts));
        let levels = self
            .by_level
            .iter()
            .map(|(name, counts)| (name.as_str(), counts));
        let names = self
            .by_function
            .keys()
            .chain(self.by_level.keys())
            .map(|name| name.chars().count());
        let width = names.max().unwrap_or(0).max("function".len());
        let columns: Vec<&Column> = COLUMNS
            .iter()
            .filter(|it| it.always || (it.of)(&total) > 0)
            .collect();
        let mut section = |title: &str, rows: &mut dyn Iterator<Item = (&str, &Counts)>| {
            write!(
                f,
                "{title:<width$}  {:>10} {:>10} {:>8}",
                "hits", "misses", "hit rate"
            )?;
            for column in &columns {
                write!(f, " {:>1$}", column.title, column.width)?;
            }
            writeln!(f)?;
            for (name, counts) in rows {
                let rate = counts.hit_rate() * 100.0;
                write!(
                    f,
                    "{name:<width$}  {:>10} {:>10} {rate:>7.1}%",
                    counts.hits, counts.misses
                )?;
                for column in &columns {
                    write!(f, " {:>1$}", (column.of)(counts), column.width)?;
                }
                writeln!(f)?;
            }
            Ok(())
        };
        section("function", &mut functions.chain([("total", &total)]))?;
        section("level", &mut levels.chain([]))?;
        if !self.unshared.is_empty() {
            let names: Vec<&str> = self.unshared.iter().map(String::as_str).collect();
            writeln!(f, "in this process alone: {}", names.join(", "))?;
        }
        if self.unsent_evictions > 0 {
            writeln!(f, "evictions not sent yet: {}", self.unsent_evictions)?;
        }
        Ok(())
    }
}

//! The policies whose hit ratios are compared, each with the settings that serve it best. They have a single shard where that can be
//! set, since the spare room of one shard can't help another.

use cacheado::rules::{Lru, WTinyLfu};
use cacheado::{Cache, Weighed, cache};
use foyer_memory::{
    Cache as FoyerCache, CacheBuilder as FoyerBuilder, EvictionConfig, LfuConfig, LruConfig,
    S3FifoConfig, SieveConfig,
};
use moka::policy::EvictionPolicy;
use moka::sync::{Cache as MokaCache, CacheBuilder as MokaBuilder};
use quick_cache::sync::{Cache as QuickCache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter, Weighter};

use crate::shapes::{self, Numbers, Shape};

use super::weighted::{MEAN, weight};

/// A cache with a bound.
pub(super) trait Bounded {
    /// Looks up, and loads on a miss. Returns whether no load was needed.
    fn hit(&self, key: u64) -> bool;
}

pub(super) struct Policy {
    pub(super) name: &'static str,
    /// A description, for people.
    pub(super) what: &'static str,
    /// Creates a cache of so many entries.
    pub(super) make: fn(usize) -> Box<dyn Bounded>,
    /// Creates a cache of so many units of [`weight`], if it can be bounded that way.
    pub(super) weighted: Option<fn(u64) -> Box<dyn Bounded>>,
}

/// The rules of cacheado. The first one is compared with the best peer.
pub(super) const OURS: [Policy; 2] = [
    Policy {
        name: "cacheado",
        what: "an annotated function, Cache::builder().rule(WTinyLfu::new(n))",
        make: |capacity| {
            let rule = WTinyLfu::new(capacity as u64);
            ours(Cache::builder().rule(rule).build())
        },
        weighted: Some(|units| {
            let weigher = |it: &Weighed<'_>| it.value().copied().map_or(1, weight);
            ours(Cache::builder().max_weight(units, weigher).build())
        }),
    },
    Policy {
        name: "cacheado Lru",
        what: "an annotated function, Cache::builder().rule(Lru::new(n))",
        make: |capacity| ours(Cache::builder().rule(Lru::new(capacity)).build()),
        weighted: None,
    },
];

pub(super) const PEERS: [Policy; 6] = [
    Policy {
        name: "moka",
        what: "sync, TinyLFU; what it puts off is run after each access",
        make: |capacity| Box::new(moka(capacity as u64).build()),
        weighted: Some(|units| Box::new(moka(units).weigher(|key, _| weight(*key)).build())),
    },
    Policy {
        name: "quick_cache",
        what: "sync, one shard",
        make: |capacity| quick_cache(capacity, capacity as u64, UnitWeighter),
        weighted: Some(|units| quick_cache(entries(units), units, ByKey)),
    },
    Policy {
        name: "foyer lru",
        what: "its defaults, one shard",
        make: |capacity| foyer(capacity, LruConfig::default(), |_, _| 1),
        weighted: Some(|units| foyer_weighted(units, LruConfig::default())),
    },
    Policy {
        name: "foyer lfu",
        what: "W-TinyLFU with its defaults, one shard",
        make: |capacity| foyer(capacity, LfuConfig::default(), |_, _| 1),
        weighted: Some(|units| foyer_weighted(units, LfuConfig::default())),
    },
    Policy {
        name: "foyer s3fifo",
        what: "its defaults, one shard",
        make: |capacity| foyer(capacity, S3FifoConfig::default(), |_, _| 1),
        weighted: Some(|units| foyer_weighted(units, S3FifoConfig::default())),
    },
    Policy {
        name: "foyer sieve",
        what: "its defaults, one shard",
        make: |capacity| foyer(capacity, SieveConfig, |_, _| 1),
        weighted: Some(|units| foyer_weighted(units, SieveConfig)),
    },
];

#[cache(cache = cache, skip(cache), local)]
fn traced(cache: &Cache, key: u64) -> u64 {
    let _ = cache;
    // counts the load; the value determines the entry's weight, as the key does
    Numbers::load(key);
    key
}

fn ours(cache: cacheado::Result<Cache>) -> Box<dyn Bounded> {
    Box::new(cache.expect("a rule alone is always accepted"))
}

fn moka(capacity: u64) -> MokaBuilder<u64, u64, MokaCache<u64, u64>> {
    MokaCache::builder()
        .max_capacity(capacity)
        .eviction_policy(EvictionPolicy::tiny_lfu())
}

/// Weighs entries by their keys, for `quick_cache`.
#[derive(Clone)]
struct ByKey;

impl Weighter<u64, u64> for ByKey {
    fn weight(&self, key: &u64, _: &u64) -> u64 {
        weight(*key).into()
    }
}

/// The approximate number of entries that weigh so much.
fn entries(units: u64) -> usize {
    usize::try_from(units).unwrap_or(usize::MAX) / MEAN
}

fn quick_cache(
    entries: usize,
    capacity: u64,
    weighter: impl Weighter<u64, u64> + Clone + Send + Sync + 'static,
) -> Box<dyn Bounded> {
    let options = OptionsBuilder::new()
        .shards(1)
        .estimated_items_capacity(entries)
        .weight_capacity(capacity)
        .build()
        .expect("all that must be given is given");
    Box::new(QuickCache::<u64, u64, _>::with_options(
        options,
        weighter,
        DefaultHashBuilder::default(),
        DefaultLifecycle::default(),
    ))
}

fn foyer(
    capacity: usize,
    config: impl Into<EvictionConfig>,
    weigher: impl Fn(&u64, &u64) -> usize + Send + Sync + 'static,
) -> Box<dyn Bounded> {
    let cache: FoyerCache<u64, u64> = FoyerBuilder::new(capacity)
        .with_shards(1)
        .with_eviction_config(config)
        .with_weighter(weigher)
        .build();
    Box::new(cache)
}

fn foyer_weighted(units: u64, config: impl Into<EvictionConfig>) -> Box<dyn Bounded> {
    let units = usize::try_from(units).unwrap_or(usize::MAX);
    foyer(units, config, |key, _| weight(*key) as usize)
}

impl Bounded for Cache {
    fn hit(&self, key: u64) -> bool {
        let before = shapes::loads();
        traced(self, key);
        shapes::loads() == before
    }
}

impl Bounded for MokaCache<u64, u64> {
    fn hit(&self, key: u64) -> bool {
        let found = self.get(&key).is_some();
        if !found {
            self.insert(key, key);
        }
        self.run_pending_tasks();
        found
    }
}

impl<W: Weighter<u64, u64> + Clone> Bounded for QuickCache<u64, u64, W> {
    fn hit(&self, key: u64) -> bool {
        let found = self.get(&key).is_some();
        if !found {
            self.insert(key, key);
        }
        found
    }
}

impl Bounded for FoyerCache<u64, u64> {
    fn hit(&self, key: u64) -> bool {
        let found = self.get(&key).is_some();
        if !found {
            self.insert(key, key);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finds_what_it_was_asked_for_last_and_forgets_most_of_what_does_not_fit() {
        for policy in OURS.iter().chain(&PEERS) {
            let cache = (policy.make)(100);
            assert!(!cache.hit(7), "{}", policy.name);
            assert!(cache.hit(7), "{}", policy.name);
            for key in 1000..11_000 {
                assert!(!cache.hit(key), "{}", policy.name);
            }
            let kept = (1000..11_000).filter(|&key| cache.hit(key)).count();
            assert!(kept <= 300, "{} keeps {kept} of 100", policy.name);
        }
    }
}

use super::segments::{Admission, Segments, Usage};
use super::{Inserted, Policy};
use proptest::prelude::*;

/// A cache of keys that tells the policy its hits as the store does.
struct Cache {
    policy: Policy,
    node: Vec<Option<u32>>,
    /// The keys by node.
    key: Vec<usize>,
    hits: Vec<u8>,
    evicted: Vec<u32>,
}

impl Cache {
    fn new(capacity: u64, keys: usize) -> Self {
        Self {
            policy: Policy::new(capacity),
            node: vec![None; keys],
            key: vec![0; keys + 1],
            hits: vec![0; keys],
            evicted: Vec::new(),
        }
    }

    /// Requests `key`. Returns whether it hit.
    fn get(&mut self, key: usize, weight: u32) -> bool {
        if self.node[key].is_some() {
            self.hits[key] = 15.min(self.hits[key] + 1);
            return true;
        }
        self.hits[key] = 0;
        let hash = hash(key);
        let (hits, keys) = (&mut self.hits, &self.key);
        let read = |node: u32| std::mem::take(&mut hits[keys[node as usize]]);
        let evict = |node| self.evicted.push(node);
        let inserted = self.policy.insert(hash, weight, read, evict);
        self.forget_evicted();
        if let Inserted::Held(node) = inserted {
            self.node[key] = Some(node);
            self.key[node as usize] = key;
        }
        false
    }

    fn forget_evicted(&mut self) {
        for node in self.evicted.drain(..) {
            let key = self.key[node as usize];
            assert_eq!(self.node[key].take(), Some(node), "{key} was not held");
        }
    }

    fn hits(&mut self, keys: impl IntoIterator<Item = usize>) -> usize {
        keys.into_iter().filter(|key| self.get(*key, 1)).count()
    }

    fn hit_ratio(&mut self, keys: impl Iterator<Item = usize>) -> f64 {
        let mut all = 0_u32;
        let hits = self.hits(keys.inspect(|_| all += 1));
        f64::from(u32::try_from(hits).unwrap()) / f64::from(all)
    }
}

fn hash(key: usize) -> u64 {
    let mixed = (key as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// Pseudorandom numbers, the same in each run.
fn random(seed: u64) -> impl Iterator<Item = usize> {
    (seed..).map(|n| usize::try_from(hash(usize::try_from(n).unwrap()) >> 33).unwrap())
}

/// Keys of which a few are requested often: powers of a uniform number are skewed.
fn skewed(seed: u64, keys: usize) -> impl Iterator<Item = usize> {
    random(seed).map(move |number| {
        let uniform = number % keys;
        uniform * uniform / keys * uniform / keys
    })
}

#[derive(Clone, Debug)]
enum Step {
    Get(usize, u32),
    Remove(usize),
    Reweigh(usize, u32),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => (0..200_usize, 1..12_u32).prop_map(|(key, weight)| Step::Get(key * key / 200, weight)),
        4 => (0..200_usize).prop_map(Step::Remove),
        4 => (0..200_usize, 0..120_u32).prop_map(|(key, weight)| Step::Reweigh(key, weight)),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn what_the_policy_and_the_store_hold_is_the_same(
        capacity in 1..100_u64,
        steps in proptest::collection::vec(step(), 0..600),
    ) {
        let mut cache = Cache::new(capacity, 200);
        let mut weights = vec![0; 200];
        for step in steps {
            match step {
                Step::Get(key, weight) => {
                    if !cache.get(key, weight) {
                        weights[key] = weight;
                    }
                }
                Step::Remove(key) => {
                    if let Some(node) = cache.node[key].take() {
                        prop_assert_eq!(cache.policy.remove(node), Some(()));
                        prop_assert_eq!(cache.policy.remove(node), None);
                    }
                }
                Step::Reweigh(key, weight) => {
                    if let Some(node) = cache.node[key] {
                        weights[key] = weight;
                        let (hits, keys) = (&mut cache.hits, &cache.key);
                        let read = |node: u32| std::mem::take(&mut hits[keys[node as usize]]);
                        let evict = |node| cache.evicted.push(node);
                        cache.policy.renew(node, weight, read, evict);
                        cache.forget_evicted();
                    }
                }
                Step::Clear => {
                    cache.policy.clear();
                    cache.node.fill(None);
                }
            }
            let held: Vec<_> = (0..200).filter(|key| cache.node[*key].is_some()).collect();
            prop_assert_eq!(cache.policy.len(), held.len());
            let weight: u64 = held.iter().map(|key| u64::from(weights[*key])).sum();
            prop_assert_eq!(cache.policy.weight(), weight);
            prop_assert!(weight <= capacity);
            let mut nodes: Vec<_> = held.iter().map(|key| cache.node[*key]).collect();
            nodes.sort_unstable();
            nodes.dedup();
            prop_assert_eq!(nodes.len(), held.len());
        }
    }
}

#[test]
fn what_fits_is_kept() {
    let mut cache = Cache::new(1000, 1000);
    assert_eq!(cache.hits(0..1000), 0);
    assert_eq!(cache.hits((0..1000).rev()), 1000);
}

#[test]
fn what_is_heavier_than_the_capacity_is_refused_and_nothing_goes_for_it() {
    let mut cache = Cache::new(10, 20);
    assert_eq!(cache.hits(0..10), 0);
    assert!(!cache.get(11, 11));
    assert!(!cache.get(11, 11), "it was not kept");
    assert_eq!(cache.hits(0..10), 10);
}

#[test]
fn a_heavy_entry_costs_as_many_light_ones_as_it_weighs() {
    let mut cache = Cache::new(100, 1000);
    cache.hit_ratio(0..100);
    // requested until it is worth its place
    for _ in 0..1000 {
        cache.get(500, 30);
    }
    for key in 0..100 {
        cache.get(key, 1);
    }
    assert!(cache.policy.weight() <= 100 && cache.policy.len() <= 100);
}

#[test]
fn a_loop_over_more_than_fits_keeps_nearly_what_fits() {
    let mut cache = Cache::new(500, 1000);
    cache.hit_ratio((0..1000).cycle().take(20_000));
    let ratio = cache.hit_ratio((0..1000).cycle().take(50_000));
    assert!(ratio > 0.47, "{ratio}: LRU has 0, the optimum 0.5");
}

#[test]
fn a_scan_does_not_drive_out_what_is_used_often() {
    let mut cache = Cache::new(500, 120_000);
    let before = cache.hit_ratio(skewed(1, 4000).take(100_000));
    cache.hit_ratio(20_000..25_000);
    let after = cache.hit_ratio(skewed(2, 4000).take(2000));
    assert!(after > before - 0.05, "{before} before, {after} after");
}

#[test]
fn what_is_used_soon_again_and_then_no_more_gets_its_hits() {
    // each key is used twice, a hundred others apart: only new entries are worth keeping
    let uses = |from: usize| (from..from + 30_000).flat_map(|n| [n + 100, n]);
    let mut cache = Cache::new(400, 70_000);
    cache.hit_ratio(uses(0));
    let ratio = cache.hit_ratio(uses(31_000));
    assert!(ratio > 0.49, "{ratio}: LRU has 0.5");
}

#[test]
fn back_and_forth_over_more_than_fits_finds_what_was_there_last() {
    // all hits come at once after a turn, and the trials hear of them only with the next misses
    let there = (0..2001).chain((1..2000).rev());
    let mut cache = Cache::new(100, 2001);
    let ratio = cache.hit_ratio(there.cycle().take(52_000));
    assert!(ratio > 0.043, "{ratio}: LRU has 0.0476");
}

#[test]
fn it_adapts_when_the_use_changes() {
    let recent = |from: usize| (from..from + 50_000).flat_map(|n| [n + 100, n]);
    let mut cache = Cache::new(400, 130_000);
    assert!(cache.hit_ratio(recent(0)) > 0.47);
    assert!(
        cache.hit_ratio((0..1000).cycle().take(300_000)) > 0.35,
        "the optimum is 0.4"
    );
    assert!(cache.hit_ratio(recent(60_000)) > 0.45);
}

#[test]
fn the_same_uses_have_the_same_outcome() {
    let run = || {
        let mut cache = Cache::new(300, 5000);
        let hits: Vec<bool> = skewed(7, 5000)
            .take(50_000)
            .map(|key| cache.get(key, 1))
            .collect();
        hits
    };
    assert_eq!(run(), run());
}

#[test]
fn nodes_are_used_again() {
    let mut cache = Cache::new(100, 100_000);
    cache.hit_ratio(0..100_000);
    let highest = cache.node.iter().flatten().max();
    assert!(highest.is_some_and(|node| *node <= 100), "{highest:?}");
}

/// Entries below some number are hit over and over. The others are not, though their keys were requested more often recently.
struct Burst {
    often: u32,
}

impl Usage for Burst {
    fn hits(&mut self, _: u32, fingerprint: u32, _: u32) -> u8 {
        u8::from(fingerprint < self.often)
    }

    fn frequency(&self, fingerprint: u32) -> u8 {
        if fingerprint < self.often { 3 } else { 9 }
    }
}

#[test]
fn a_main_space_of_which_all_is_hit_has_no_victim() {
    for admission in [Admission::MoreFrequent, Admission::SeenBefore] {
        let mut segments = Segments::new(500, 20, admission);
        let mut usage = Burst { often: 480 };
        let mut evicted = Vec::new();
        for fingerprint in 0..1000 {
            let node = segments.insert(fingerprint, 1, ());
            segments.settle(node, &mut usage, |_, gone, ()| evicted.push(gone));
        }
        assert_eq!(evicted.len(), 500);
        assert!(evicted.iter().all(|gone| *gone >= 480), "{evicted:?}");
    }
}

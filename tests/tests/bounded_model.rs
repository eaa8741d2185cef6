//! A bounded cache against a model: after any operations in any order, the bound holds, in number and in weight, and what the cache
//! lists, counts and serves agrees.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cacheado::rules::WTinyLfu;
use cacheado::testing::ManualClock;
use cacheado::{Cache, Key, Scope, Weighed, scopes};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde::{Deserialize, Serialize};

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

const PLACES: [&[&str]; 4] = [&[], &["acme"], &["acme", "1"], &["initech", "1"]];
const ARGS: u16 = 120;

/// An entry's name in the model: the index of its scope and its argument.
type Name = (usize, u16);

fn scope_of(place: usize) -> Scope {
    match PLACES[place] {
        [org, user] => scope::user(org, user),
        [org] => scope::organization(org),
        _ => scope::global(),
    }
}

/// Maps the keys that the cache lists to the model's names.
static NAMES: LazyLock<HashMap<Key, Name>> = LazyLock::new(|| {
    let names = (0..PLACES.len()).flat_map(|place| (0..ARGS).map(move |arg| (place, arg)));
    let key = |(place, arg): Name| {
        let cache = Cache::builder().build().unwrap();
        cache.set(arg, &0).scope(scope_of(place)).run().unwrap();
        let key = cache.keys().run().unwrap().pop().unwrap();
        (key, (place, arg))
    };
    names.map(key).collect()
});

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Value {
    nth: usize,
    weight: u32,
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    Items(u64),
    Rule(u64),
    Weight(u64),
    Bytes(u64),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Set(Name, u32, Option<u64>),
    /// Stores this many keys in a scope, from the given one on.
    Fill(Name, u16),
    Get(Name),
    Evict(Name),
    EvictScope(usize),
    Clear,
    Advance(u64),
}

fn bound() -> impl Strategy<Value = Bound> {
    let capacity = || prop_oneof![1..4_u64, 4..20_u64, 20..400_u64];
    prop_oneof![
        capacity().prop_map(Bound::Items),
        capacity().prop_map(Bound::Rule),
        capacity().prop_map(Bound::Weight),
        (1..40_000_u64).prop_map(Bound::Bytes),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let name = || {
        prop_oneof![
            3 => (0..PLACES.len(), 0..6_u16),
            1 => (0..PLACES.len(), 0..ARGS),
        ]
    };
    let weight = prop_oneof![6 => 1..6_u32, 1 => Just(0), 1 => 6..450_u32];
    prop_oneof![
        16 => (name(), weight, proptest::option::of(1..5_u64)).prop_map(|(name, weight, ttl)| Step::Set(name, weight, ttl)),
        2 => (name(), 1..80_u16).prop_map(|(name, count)| Step::Fill(name, count)),
        12 => name().prop_map(Step::Get),
        2 => name().prop_map(Step::Evict),
        1 => (0..PLACES.len()).prop_map(Step::EvictScope),
        1 => Just(Step::Clear),
        2 => (1..4_u64).prop_map(Step::Advance),
    ]
}

/// The last value stored under a name; it is present unless a rule has evicted it since.
struct Held {
    value: Value,
    weight: u64,
    deadline: Option<u64>,
}

/// A bounded cache and its model.
struct World {
    cache: Cache,
    clock: ManualClock,
    most: u64,
    /// Weighs values if the cache is bounded by weight or bytes: a second cache, and the last weight that it computed.
    scales: Option<(Cache, Arc<AtomicU32>)>,
    now: u64,
    held: HashMap<Name, Held>,
    inserted: u64,
    cleared: u64,
    expired: u64,
    hits: u64,
    misses: u64,
}

fn weight_of(it: &Weighed<'_>) -> u32 {
    it.value::<Value>().expect("a value of these tests").weight
}

fn bytes_of(it: &Weighed<'_>) -> u32 {
    it.bytes()
}

impl World {
    fn new(bound: Bound) -> Self {
        let clock = ManualClock::new();
        let builder = Cache::builder().clock(clock.clone());
        let pan = Arc::new(AtomicU32::new(1));
        let weighed = Arc::clone(&pan);
        let scales = |weigh: fn(&Weighed<'_>) -> u32| {
            let weigher = move |it: &Weighed<'_>| {
                weighed.store(weigh(it), Ordering::Relaxed);
                0
            };
            let scales = Cache::builder().max_weight(u64::MAX, weigher).build();
            Some((scales.unwrap(), pan))
        };
        let (builder, most, scales) = match bound {
            Bound::Items(most) => (builder.max_items(most), most, None),
            Bound::Rule(most) => (builder.rule(WTinyLfu::new(most)), most, None),
            Bound::Weight(most) => (builder.max_weight(most, weight_of), most, scales(weight_of)),
            Bound::Bytes(most) => (builder.max_bytes(most), most, scales(bytes_of)),
        };
        Self {
            cache: builder.build().unwrap(),
            clock,
            most,
            scales,
            now: 0,
            held: HashMap::new(),
            inserted: 0,
            cleared: 0,
            expired: 0,
            hits: 0,
            misses: 0,
        }
    }

    fn weigh(&self, name: Name, value: &Value) -> u64 {
        let Some((scales, pan)) = &self.scales else {
            return 1;
        };
        let set = scales.set(name.1, value).scope(scope_of(name.0));
        assert!(set.run().unwrap());
        pan.load(Ordering::Relaxed).into()
    }

    fn listed(&self) -> Result<HashSet<Name>, TestCaseError> {
        let keys = self.cache.keys().run()?;
        let names: HashSet<Name> = keys.iter().map(|key| NAMES[key]).collect();
        prop_assert_eq!(names.len(), keys.len(), "each is listed once");
        Ok(names)
    }

    fn set(&mut self, name: Name, value: Value, ttl: Option<u64>) -> Result<(), TestCaseError> {
        let weight = self.weigh(name, &value);
        let set = self.cache.set(name.1, &value).scope(scope_of(name.0));
        let set = match ttl {
            Some(ttl) => set.ttl(Duration::from_secs(ttl)),
            None => set,
        };
        let stored = set.run()?;
        let old = self.held.remove(&name);
        let others: u64 = self.held.values().map(|held| held.weight).sum();
        let listed = self.listed()?;
        prop_assert_eq!(listed.contains(&name), stored, "what was answered is so");
        if others + weight <= self.most {
            prop_assert!(stored, "there is room");
            prop_assert_eq!(listed.len(), self.held.len() + 1, "nothing need go");
        }
        if weight > self.most {
            prop_assert!(!stored, "it can't fit");
        }
        self.inserted += u64::from(stored && old.is_none());
        // the rule chose what to evict
        self.held.retain(|name, _| listed.contains(name));
        if stored {
            let held = Held {
                value,
                weight,
                deadline: ttl.map(|ttl| self.now + ttl),
            };
            self.held.insert(name, held);
        }
        Ok(())
    }

    fn get(&mut self, name: Name) -> Result<(), TestCaseError> {
        let found: Option<Value> = self.cache.get(name.1).scope(scope_of(name.0)).run()?;
        let expected = self.held.get(&name).map(|held| &held.value);
        prop_assert_eq!(found.as_ref(), expected, "the last that was set");
        self.hits += u64::from(found.is_some());
        self.misses += u64::from(found.is_none());
        Ok(())
    }

    fn take(&mut self, nth: usize, step: Step) -> Result<(), TestCaseError> {
        let value = |weight: u32| Value {
            nth,
            weight,
            text: "x".repeat(20 * weight as usize),
        };
        match step {
            Step::Set(name, weight, ttl) => self.set(name, value(weight), ttl)?,
            Step::Fill((place, first), count) => {
                for arg in first..first + count {
                    self.set((place, arg % ARGS), value(1), None)?;
                }
            }
            Step::Get(name) => self.get(name)?,
            Step::Evict(name) => {
                let evicted = self.cache.evict(name.1).scope(scope_of(name.0)).run()?;
                prop_assert_eq!(evicted, self.held.remove(&name).is_some());
            }
            Step::EvictScope(place) => {
                let evicted = self.cache.evict_by_scope(scope_of(place)).run()?;
                let before = self.held.len();
                self.held
                    .retain(|(other, _), _| !PLACES[*other].starts_with(PLACES[place]));
                prop_assert_eq!(evicted as usize, before - self.held.len());
            }
            Step::Clear => {
                self.cache.clear().run()?;
                self.cleared += self.held.drain().count() as u64;
            }
            Step::Advance(by) => {
                self.clock.advance(Duration::from_secs(by));
                self.now += by;
                let before = self.held.len();
                let lives = |held: &Held| held.deadline.is_none_or(|deadline| deadline > self.now);
                self.held.retain(|_, held| lives(held));
                self.expired += (before - self.held.len()) as u64;
            }
        }
        Ok(())
    }

    /// The invariants after each step.
    fn agrees(&self) -> Result<(), TestCaseError> {
        let names = self.listed()?;
        prop_assert_eq!(&names, &self.held.keys().copied().collect());
        let weight: u64 = self.held.values().map(|held| held.weight).sum();
        prop_assert!(weight <= self.most, "{} of {}", weight, self.most);
        let stats = self.cache.stats();
        prop_assert_eq!(stats.total_keys as usize, names.len());
        prop_assert_eq!(stats.expirations, self.expired);
        let gone = stats.evictions + stats.expirations + self.cleared;
        prop_assert_eq!(gone + stats.total_keys, self.inserted);
        prop_assert_eq!((stats.hits, stats.misses), (self.hits, self.misses));
        Ok(())
    }
}

/// The same cases in each run.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 100,
        rng_seed: RngSeed::Fixed(0x000B_0DED),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_bound_holds_after_each_step(bound in bound(), steps in vec(step(), 1..150)) {
        let mut world = World::new(bound);
        for (nth, step) in steps.into_iter().enumerate() {
            let taken = world.take(nth, step).and_then(|()| world.agrees());
            prop_assert!(taken.is_ok(), "step {}, {:?}: {:?}", nth, step, taken);
        }
        for name in NAMES.values() {
            world.get(*name)?;
        }
        // after an eviction of everything, nothing takes up room
        world.cache.evict_by_scope(scope::global()).run()?;
        world.inserted -= world.held.drain().count() as u64;
        prop_assert!(world.cache.keys().run()?.is_empty());
        world.set((0, 0), Value { nth: 0, weight: 1, text: String::new() }, None)?;
    }
}

//! The rules that ship: after any operations in any order, rules and store agree with a plainly written model, whichever rules are
//! composed and in whichever order.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use std::time::Duration;

use cacheado::rules::{Lru, MaxItems, Ttl};
use cacheado::testing::ManualClock;
use cacheado::{Cache, Key, Scope, Weighed, cache, evict, peek, put, scopes};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

const PLACES: [&[&str]; 6] = [
    &[],
    &["acme"],
    &["initech"],
    &["acme", "1"],
    &["acme", "2"],
    &["initech", "1"],
];

fn scope_of(place: usize) -> Scope {
    match PLACES[place] {
        [org, user] => scope::user(org, user),
        [org] => scope::organization(org),
        _ => scope::global(),
    }
}

/// An entry's name in the model: the index of its scope and its argument.
type Name = (usize, u8);

const ARGS: u8 = 3;

/// The cache's key for each name.
static KEYS: LazyLock<HashMap<Name, Key>> = LazyLock::new(|| {
    let names = (0..PLACES.len()).flat_map(|place| (0..ARGS).map(move |arg| (place, arg)));
    let key = |(place, arg): Name| {
        let cache = Cache::builder().build().unwrap();
        cache.set(arg, &0).scope(scope_of(place)).run().unwrap();
        let key = cache.keys().run().unwrap().pop().unwrap();
        ((place, arg), key)
    };
    names.map(key).collect()
});

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[derive(Clone, Copy, Debug)]
enum Shipped {
    Lru(usize),
    MaxItems(usize),
    Ttl {
        default: Option<u64>,
        max: Option<u64>,
    },
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Set(Name, Option<u64>),
    Get(Name),
    Evict(Name),
    EvictScope(usize),
    Clear,
    Advance(u64),
}

fn shipped() -> impl Strategy<Value = Shipped> {
    let lifetime = || proptest::option::of(1..5_u64);
    prop_oneof![
        (1..6_usize).prop_map(Shipped::Lru),
        (1..6_usize).prop_map(Shipped::MaxItems),
        (lifetime(), lifetime()).prop_map(|(default, max)| Shipped::Ttl {
            default: default.min(max.or(default)),
            max,
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let name = || (0..PLACES.len(), 0..ARGS);
    prop_oneof![
        8 => (name(), proptest::option::of(1..5_u64)).prop_map(|(name, ttl)| Step::Set(name, ttl)),
        8 => name().prop_map(Step::Get),
        2 => name().prop_map(Step::Evict),
        2 => (0..PLACES.len()).prop_map(Step::EvictScope),
        1 => Just(Step::Clear),
        2 => (1..4_u64).prop_map(Step::Advance),
    ]
}

/// What the cache should hold, by the plainest and slowest rules.
#[derive(Default)]
struct Model {
    rules: Vec<Shipped>,
    now: u64,
    /// Least recently used first.
    entries: Vec<Item>,
    evictions: u64,
    expirations: u64,
    hits: u64,
    misses: u64,
}

#[derive(Clone, Copy)]
struct Item {
    name: Name,
    value: usize,
    deadline: Option<u64>,
}

impl Model {
    fn set(&mut self, name: Name, value: usize, ttl: Option<u64>) -> bool {
        let replaces = self.entries.iter().any(|item| item.name == name);
        let mut lifetime = ttl;
        // the victims are always the oldest entries
        let mut victims = 0;
        for rule in &self.rules {
            let len = self.entries.len() - victims;
            match *rule {
                Shipped::Lru(bound) if !replaces => victims += (len + 1).saturating_sub(bound),
                Shipped::MaxItems(bound) if !replaces && len >= bound => return false,
                Shipped::Lru(_) | Shipped::MaxItems(_) => {}
                Shipped::Ttl { default, max } => {
                    lifetime = lifetime.or(default).or(max);
                    lifetime = lifetime.map(|lifetime| lifetime.min(max.unwrap_or(lifetime)));
                }
            }
        }
        self.evictions += victims as u64;
        self.entries.drain(..victims);
        self.entries.retain(|item| item.name != name);
        self.entries.push(Item {
            name,
            value,
            deadline: lifetime.map(|lifetime| self.now + lifetime),
        });
        true
    }

    fn get(&mut self, name: Name) -> Option<usize> {
        let Some(at) = self.entries.iter().position(|item| item.name == name) else {
            self.misses += 1;
            return None;
        };
        let item = self.entries.remove(at);
        self.entries.push(item);
        self.hits += 1;
        Some(item.value)
    }

    fn evict(&mut self, goes: impl Fn(Name) -> bool) -> u64 {
        let before = self.entries.len();
        self.entries.retain(|item| !goes(item.name));
        let gone = (before - self.entries.len()) as u64;
        self.evictions += gone;
        gone
    }

    fn advance(&mut self, by: u64) {
        self.now += by;
        let before = self.entries.len();
        self.entries
            .retain(|item| item.deadline.is_none_or(|deadline| deadline > self.now));
        self.expirations += (before - self.entries.len()) as u64;
    }
}

fn build(rules: &[Shipped], clock: &ManualClock) -> Cache {
    let builder = Cache::builder().clock(clock.clone());
    let with_rules = rules.iter().fold(builder, |builder, rule| match *rule {
        Shipped::Lru(bound) => builder.rule(Lru::new(bound)),
        Shipped::MaxItems(bound) => builder.rule(MaxItems::new(bound)),
        Shipped::Ttl { default, max } => {
            let rule = default.map_or(Ttl::new(), |default| Ttl::new().default(seconds(default)));
            builder.rule(max.map_or(rule.clone(), |max| rule.max(seconds(max))))
        }
    });
    with_rules.build().expect("rules with sense")
}

/// Takes each step on the cache and on the model, and compares them after each.
fn agree(rules: Vec<Shipped>, steps: &[Step]) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    let cache = build(&rules, &clock);
    let mut model = Model {
        rules,
        ..Model::default()
    };
    for (nth, step) in steps.iter().enumerate() {
        match *step {
            Step::Set(name, ttl) => {
                let set = cache.set(name.1, &nth).scope(scope_of(name.0));
                let set = match ttl {
                    Some(ttl) => set.ttl(seconds(ttl)),
                    None => set,
                };
                prop_assert_eq!(set.run()?, model.set(name, nth, ttl), "{:?}", step);
            }
            Step::Get(name) => {
                let found: Option<usize> = cache.get(name.1).scope(scope_of(name.0)).run()?;
                prop_assert_eq!(found, model.get(name), "{:?}", step);
            }
            Step::Evict(name) => {
                let evicted = cache.evict(name.1).scope(scope_of(name.0)).run()?;
                prop_assert_eq!(u64::from(evicted), model.evict(|other| other == name));
            }
            Step::EvictScope(place) => {
                let evicted = cache.evict_by_scope(scope_of(place)).run()?;
                let below = |(other, _): Name| PLACES[other].starts_with(PLACES[place]);
                prop_assert_eq!(evicted, model.evict(below), "{:?}", step);
            }
            Step::Clear => {
                cache.clear().run()?;
                model.entries.clear();
            }
            Step::Advance(by) => {
                clock.advance(seconds(by));
                model.advance(by);
            }
        }
        let keys = cache.keys().run()?;
        prop_assert_eq!(keys.len(), model.entries.len(), "after {:?}", step);
        prop_assert_eq!(cache.stats().total_keys, model.entries.len() as u64);
        let held: HashSet<Key> = keys.into_iter().collect();
        let expected = model.entries.iter().map(|item| KEYS[&item.name].clone());
        prop_assert_eq!(held, expected.collect(), "after {:?}", step);
    }
    let stats = cache.stats();
    prop_assert_eq!(
        (stats.evictions, stats.expirations),
        (model.evictions, model.expirations)
    );
    prop_assert_eq!((stats.hits, stats.misses), (model.hits, model.misses));
    Ok(())
}

/// The same cases in each run.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 128,
        rng_seed: RngSeed::Fixed(0x000E_71C7),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn lru_keeps_the_exact_order_of_use(bound in 1..6_usize, steps in vec(step(), 1..80)) {
        agree(vec![Shipped::Lru(bound)], &steps)?;
    }

    #[test]
    fn no_rule_keeps_everything(steps in vec(step(), 1..80)) {
        agree(Vec::new(), &steps)?;
    }

    #[test]
    fn any_rules_in_any_order_agree_with_the_store(
        rules in vec(shipped(), 1..5),
        steps in vec(step(), 1..80),
    ) {
        agree(rules, &steps)?;
    }

    #[test]
    fn one_rule_of_each_kind_in_each_permutation(
        rules in Just(vec![
            Shipped::Lru(3),
            Shipped::MaxItems(4),
            Shipped::Ttl { default: Some(2), max: Some(3) },
        ]).prop_shuffle(),
        steps in vec(step(), 1..80),
    ) {
        agree(rules, &steps)?;
    }
}

fn lru(bound: usize) -> Cache {
    Cache::builder().rule(Lru::new(bound)).build().unwrap()
}

fn get(cache: &Cache, key: &str) -> Option<u32> {
    cache.get(key).run().unwrap()
}

fn set(cache: &Cache, key: &str, value: u32) -> bool {
    cache.set(key, &value).run().unwrap()
}

#[test]
fn lru_evicts_the_one_used_longest_ago() {
    let cache = lru(3);
    for key in ["a", "b", "c"] {
        set(&cache, key, 0);
    }
    get(&cache, "a");
    set(&cache, "b", 1);
    // least recently used first: c, a, b
    set(&cache, "d", 0);
    assert_eq!(get(&cache, "c"), None);
    set(&cache, "e", 0);
    assert_eq!(get(&cache, "a"), None);
    assert_eq!(get(&cache, "b"), Some(1));
    assert_eq!(cache.stats().evictions, 2);
}

/// On the real clock too, which may return the same time twice.
#[test]
fn lru_is_exact_for_uses_in_quick_succession() {
    let cache = lru(100);
    for key in 0..100_u32 {
        cache.set(key, &key).run().unwrap();
    }
    for key in (0..100_u32).rev() {
        assert_eq!(cache.get(key).run().unwrap(), Some(key));
    }
    // the entry hit first is evicted first
    for oldest in (0..100_u32).rev() {
        cache.set(1000 + oldest, &oldest).run().unwrap();
        let left = cache.keys().run().unwrap();
        let held = |key: u32| {
            let key = format!("({key})");
            left.iter().any(|left| left.to_string().ends_with(&key))
        };
        assert_eq!(left.len(), 100);
        assert!(!held(oldest), "{oldest} is still there");
        assert!(
            oldest == 0 || held(oldest - 1),
            "{oldest} was not the oldest"
        );
    }
}

#[test]
fn looking_by_peek_or_listing_is_no_use() {
    #[cache(cache = cache, skip(cache))]
    fn item(cache: &Cache, x: u8) -> u8 {
        let _ = cache;
        x
    }

    let cache = lru(2);
    item(&cache, 1);
    item(&cache, 2);
    assert_eq!(peek!(item(&cache, 1)).unwrap(), Some(1));
    cache.keys().run().unwrap();
    item(&cache, 3);
    assert_eq!(peek!(item(&cache, 1)).unwrap(), None);
    assert_eq!(peek!(item(&cache, 2)).unwrap(), Some(2));
}

#[test]
fn a_full_max_items_refuses_new_keys_and_takes_known_ones() {
    let cache = Cache::builder().rule(MaxItems::new(2)).build().unwrap();
    assert!(set(&cache, "a", 0));
    assert!(set(&cache, "b", 0));
    assert!(!set(&cache, "c", 0));
    assert!(set(&cache, "a", 1));
    assert_eq!(get(&cache, "a"), Some(1));
    assert_eq!(get(&cache, "c"), None);
    assert_eq!(cache.stats().total_keys, 2);
    assert_eq!(cache.stats().evictions, 0);
    cache.evict("b").run().unwrap();
    assert!(set(&cache, "c", 0));
}

/// An expired entry takes no room, even on a clock for which nothing sweeps.
#[test]
fn an_expired_entry_makes_room() {
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone());
    let cache = builder.rule(MaxItems::new(1)).build().unwrap();
    cache.set("a", &0_u32).ttl(seconds(1)).run().unwrap();
    assert!(!set(&cache, "b", 0));
    clock.advance(seconds(1));
    assert!(set(&cache, "b", 0));
}

#[test]
fn a_refused_value_is_still_returned_by_its_function() {
    #[cache(cache = cache, skip(cache))]
    fn twice(cache: &Cache, x: u32) -> u32 {
        let _ = cache;
        2 * x
    }

    let cache = Cache::builder().rule(MaxItems::new(1)).build().unwrap();
    assert_eq!(twice(&cache, 1), 2);
    assert_eq!(twice(&cache, 2), 4);
    assert_eq!(twice(&cache, 2), 4);
    assert!(!put!(twice(&cache, 2), 5).unwrap());
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.loads, stats.total_keys), (0, 3, 1));
}

/// Rules decide in the order in which the builder is given them.
#[test]
fn what_one_rule_has_evicted_is_room_to_the_next() {
    let room = Cache::builder()
        .rule(Lru::new(2))
        .rule(MaxItems::new(2))
        .build()
        .unwrap();
    let full = Cache::builder()
        .rule(MaxItems::new(2))
        .rule(Lru::new(2))
        .build()
        .unwrap();
    for cache in [&room, &full] {
        set(cache, "a", 0);
        set(cache, "b", 0);
    }
    assert!(set(&room, "c", 0));
    assert_eq!(get(&room, "a"), None);
    assert!(!set(&full, "c", 0));
    assert_eq!(get(&full, "a"), Some(0));
}

#[test]
fn what_is_not_stored_for_its_zero_lifetime_evicts_nothing() {
    let cache = lru(1);
    set(&cache, "a", 0);
    let stored = cache.set("b", &0_u32).ttl(Duration::ZERO).run().unwrap();
    assert!(!stored);
    assert_eq!(get(&cache, "a"), Some(0), "it made room for nothing");
    assert_eq!(cache.stats().evictions, 0);
}

#[cache(cache = cache, skip(cache), max_items = 2)]
fn small(cache: &Cache, x: u8) -> u8 {
    let _ = cache;
    x
}

const MEDIUM: usize = 3;

#[cache(cache = cache, skip(cache), max_items = MEDIUM, ttl = 3)]
fn medium(cache: &Cache, x: u8) -> u8 {
    let _ = cache;
    x
}

#[cache(cache = cache, skip(cache), scope = "organization", max_items = 4)]
async fn scoped(cache: &Cache, org_id: u8, x: u8) -> u8 {
    let _ = (cache, org_id);
    x
}

#[cache(cache = cache, skip(cache))]
fn unbounded(cache: &Cache, x: u8) -> u8 {
    let _ = cache;
    x
}

const BOUNDS: [Option<usize>; 4] = [Some(2), Some(3), Some(4), None];

fn call(cache: &Cache, function: usize, x: u8) -> u8 {
    match function {
        0 => small(cache, x),
        1 => medium(cache, x),
        2 => futures::executor::block_on(scoped(cache, x % 2, x)),
        _ => unbounded(cache, x),
    }
}

fn peeked(cache: &Cache, function: usize, x: u8) -> Option<u8> {
    match function {
        0 => peek!(small(cache, x)),
        1 => peek!(medium(cache, x)),
        2 => futures::executor::block_on(peek!(scoped(cache, x % 2, x))),
        _ => peek!(unbounded(cache, x)),
    }
    .unwrap()
}

fn evicted(cache: &Cache, function: usize, x: u8) -> bool {
    match function {
        0 => evict!(small(cache, x)),
        1 => evict!(medium(cache, x)),
        2 => futures::executor::block_on(evict!(scoped(cache, x % 2, x))),
        _ => evict!(unbounded(cache, x)),
    }
    .unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Call(usize, u8),
    Evict(usize, u8),
    EvictOrganization(u8),
    Clear,
    Advance(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..4_usize, 0..6_u8).prop_map(|(function, x)| Act::Call(function, x)),
        2 => (0..4_usize, 0..6_u8).prop_map(|(function, x)| Act::Evict(function, x)),
        1 => (0..2_u8).prop_map(Act::EvictOrganization),
        1 => Just(Act::Clear),
        2 => (1..4_u64).prop_map(Act::Advance),
    ]
}

proptest! {
    #![proptest_config(config())]

    /// A function's bound considers that function's entries alone; a rule of the cache is asked after it.
    #[test]
    fn max_items_is_an_exact_lru_within_the_function(
        bound in proptest::option::of(1..9_usize),
        acts in vec(act(), 1..80),
    ) {
        let clock = ManualClock::new();
        let builder = Cache::builder().clock(clock.clone());
        let cache = match bound {
            Some(bound) => builder.rule(Lru::new(bound)).build()?,
            None => builder.build()?,
        };
        // function, argument and deadline, least recently used first
        let mut model: Vec<(usize, u8, u64)> = Vec::new();
        let mut now = 0;
        for act in acts {
            match act {
                Act::Call(function, x) => {
                    let loads = cache.stats().loads;
                    prop_assert_eq!(call(&cache, function, x), x);
                    let known = model.iter().position(|item| (item.0, item.1) == (function, x));
                    prop_assert_eq!(cache.stats().loads - loads, u64::from(known.is_none()), "{:?}", act);
                    let deadline = if function == 1 { now + 3 } else { u64::MAX };
                    let item = known.map_or((function, x, deadline), |at| model.remove(at));
                    if known.is_none() {
                        let own = model.iter().filter(|item| item.0 == function).count();
                        if BOUNDS[function].is_some_and(|bound| own >= bound) {
                            let oldest = model.iter().position(|item| item.0 == function);
                            model.remove(oldest.unwrap());
                        }
                        if bound.is_some_and(|bound| model.len() >= bound) {
                            model.remove(0);
                        }
                    }
                    model.push(item);
                }
                Act::Evict(function, x) => {
                    let known = model.iter().position(|item| (item.0, item.1) == (function, x));
                    prop_assert_eq!(evicted(&cache, function, x), known.is_some());
                    known.map(|at| model.remove(at));
                }
                Act::EvictOrganization(org) => {
                    let before = model.len();
                    model.retain(|item| item.0 != 2 || item.1 % 2 != org);
                    let count = cache.evict_by_scope(scope::organization(org)).run()?;
                    prop_assert_eq!(count, (before - model.len()) as u64);
                }
                Act::Clear => {
                    cache.clear().run()?;
                    model.clear();
                }
                Act::Advance(by) => {
                    now += by;
                    clock.advance(seconds(by));
                    model.retain(|item| item.2 > now);
                }
            }
            prop_assert_eq!(cache.stats().total_keys, model.len() as u64, "{:?}", act);
            for function in 0..4 {
                for x in 0..6 {
                    let expected = model.iter().any(|item| (item.0, item.1) == (function, x));
                    prop_assert_eq!(peeked(&cache, function, x), expected.then_some(x), "{:?}", act);
                }
            }
        }
    }
}

/// The bound applies to each cache by itself, not to the process.
#[test]
fn max_items_counts_per_cache() {
    let (one, two) = (Cache::builder().build().unwrap(), lru(10));
    for x in 0..2 {
        small(&one, x);
        small(&two, x);
    }
    assert_eq!(one.stats().total_keys, 2);
    assert_eq!(two.stats().total_keys, 2);
    assert_eq!(one.stats().evictions + two.stats().evictions, 0);
}

/// The function's bound chooses its victim before the cache's bound refuses the new entry.
#[test]
fn a_functions_bound_holds_however_often_what_it_makes_room_for_is_refused() {
    #[cache(cache = cache, skip(cache), max_items = 1)]
    fn one(cache: &Cache, key: u32, weight: u32) -> u32 {
        let _ = (cache, key);
        weight
    }

    let weigh = |it: &Weighed<'_>| it.value::<u32>().copied().unwrap_or(1);
    let cache = Cache::builder().max_weight(10, weigh).build().unwrap();
    one(&cache, 0, 1);
    for key in 1..1000 {
        one(&cache, key, 11);
    }
    assert_eq!(cache.stats().total_keys, 1, "nobody came in");
    for key in 1000..1010 {
        one(&cache, key, 1);
        assert_eq!(cache.stats().total_keys, 1);
    }
}

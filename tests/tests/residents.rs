//! A rule that keeps the entries in an order of its own: it is told of each entry's arrival once and of its departure once, whatever
//! happens to the entry, and the entries it chooses are evicted.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheado::rule::{Admission, Cause, Departed, Newcomer, Reads, Seats, Verdict};
use cacheado::rules::{Lru, WTinyLfu};
use cacheado::testing::ManualClock;
use cacheado::{Cache, CacheBuilder, Key, Rule, Scope, cache, refresh, scopes};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

scopes! { organization(org_id) }

const MOST_HITS: u8 = 3;

/// The text in a key of these tests.
fn text(key: &Key) -> String {
    let shown = key.to_string();
    let text = shown.split('"').nth(1);
    text.unwrap_or_else(|| panic!("no text in {shown}"))
        .to_owned()
}

fn set(cache: &Cache, key: &str) -> bool {
    cache.set(key, &1_u32).run().unwrap()
}

fn get(cache: &Cache, key: &str) -> Option<u32> {
    cache.get(key).run().unwrap()
}

/// First in, first out, with room for `capacity` entries. A replaced value keeps its place.
#[derive(Clone)]
struct Fifo {
    capacity: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next: u32,
    /// The keys by their seats, oldest first.
    queue: BTreeMap<u32, Key>,
    /// Keys chosen for eviction that have not gone yet.
    chosen: HashSet<Key>,
    /// The hits of the oldest entry, each time they were requested.
    hits: Vec<u8>,
    /// How many entries the rule was told had arrived, been replaced, and departed.
    entered: usize,
    replaced: usize,
    removed: usize,
    /// Departures of entries that were not there.
    again: usize,
    clears: usize,
    wrong: Vec<String>,
}

impl State {
    fn make_room(&mut self, capacity: usize, newcomer: u32, seats: &mut Seats<'_>) {
        let mut others = self.queue.keys().filter(|seat| **seat != newcomer);
        if let Some(oldest) = others.next() {
            self.hits.push(seats.take_hits(*oldest));
            self.hits.push(seats.take_hits(*oldest));
        }
        while self.queue.len() > capacity {
            let mut others = self.queue.keys().copied();
            let oldest = others.find(|seat| *seat != newcomer).unwrap();
            let victim = self.queue.remove(&oldest).unwrap();
            seats.vacate(oldest);
            self.chosen.insert(victim);
        }
    }

    fn expect(&mut self, holds: bool, what: &str, key: &Key) {
        if !holds {
            self.wrong.push(format!("{what}: {key:?}"));
        }
    }
}

impl Rule for Fifo {
    fn name(&self) -> &'static str {
        "Fifo"
    }

    fn reads(&self) -> Reads {
        Reads::Count(MOST_HITS)
    }

    fn gives_seats(&self) -> bool {
        true
    }

    fn on_get(&self, _: &Key) -> Verdict {
        panic!("it asked to be told of numbers only")
    }

    fn on_insert(&self, newcomer: &mut Newcomer<'_>, seats: &mut Seats<'_>) -> Admission {
        let state = &mut *self.state.lock().unwrap();
        state.entered += 1;
        let seat = state.next;
        state.next += 1;
        newcomer.take_seat(seat);
        state.queue.insert(seat, newcomer.key().clone());
        state.make_room(self.capacity, seat, seats);
        Admission::Admit
    }

    fn on_replace(
        &self,
        old: Option<u32>,
        newcomer: &mut Newcomer<'_>,
        seats: &mut Seats<'_>,
    ) -> Admission {
        let state = &mut *self.state.lock().unwrap();
        state.entered += 1;
        state.replaced += 1;
        let known = old.filter(|old| state.queue.get(old) == Some(newcomer.key()));
        let Some(seat) = known else {
            state.expect(false, "unknown", newcomer.key());
            return Admission::Admit;
        };
        newcomer.take_seat(seat);
        state.make_room(self.capacity, seat, seats);
        Admission::Admit
    }

    fn on_remove(&self, departed: &Departed<'_>, cause: Cause) {
        let state = &mut *self.state.lock().unwrap();
        let key = departed.key();
        match departed.seat() {
            Some(seat) => {
                let known = state.queue.remove(&seat);
                state.expect(known.as_ref() == Some(key), "unknown", key);
            }
            None if state.chosen.remove(key) => {
                state.expect(cause == Cause::Rule, "gone for another cause", key);
            }
            None => {
                state.again += 1;
                return;
            }
        }
        state.removed += 1;
    }

    fn on_evict(&self, _: &Key, _: Cause) {
        panic!("only the default of `on_remove` calls it")
    }

    fn on_clear(&self) {
        let state = &mut *self.state.lock().unwrap();
        state.clears += 1;
        state.removed += state.queue.len();
        state.queue.clear();
    }
}

/// Admits nothing while closed.
#[derive(Clone, Default)]
struct Gate {
    closed: Arc<AtomicBool>,
    /// The keys that it has refused and not admitted since.
    refused: Arc<Mutex<HashSet<Key>>>,
    told_again: Arc<AtomicBool>,
}

impl Gate {
    fn ask(&self, newcomer: &Newcomer<'_>) -> Admission {
        let mut refused = self.refused.lock().unwrap();
        if self.closed.load(Ordering::Relaxed) {
            refused.insert(newcomer.key().clone());
            return Admission::Reject;
        }
        refused.remove(newcomer.key());
        Admission::Admit
    }
}

impl Rule for Gate {
    fn name(&self) -> &'static str {
        "Gate"
    }

    fn on_insert(&self, newcomer: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        self.ask(newcomer)
    }

    fn on_replace(
        &self,
        _: Option<u32>,
        newcomer: &mut Newcomer<'_>,
        _: &mut Seats<'_>,
    ) -> Admission {
        self.ask(newcomer)
    }

    fn on_remove(&self, departed: &Departed<'_>, _: Cause) {
        let refused = self.refused.lock().unwrap();
        if refused.contains(departed.key()) {
            self.told_again.store(true, Ordering::Relaxed);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Set(u8, Option<u64>),
    /// A set while the gate is closed.
    Refuse(u8),
    Get(u8, u8),
    Evict(u8),
    EvictScope,
    Clear,
    Advance(u64),
}

const NAMES: u8 = 12;

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES;
    prop_oneof![
        12 => (name(), proptest::option::of(1..4_u64)).prop_map(|(name, ttl)| Step::Set(name, ttl)),
        3 => name().prop_map(Step::Refuse),
        10 => (name(), 1..6_u8).prop_map(|(name, times)| Step::Get(name, times)),
        2 => name().prop_map(Step::Evict),
        1 => Just(Step::EvictScope),
        1 => Just(Step::Clear),
        2 => (1..3_u64).prop_map(Step::Advance),
    ]
}

/// Every third name belongs to the organization, the others are global.
fn scope_of(name: u8) -> Scope {
    if name.is_multiple_of(3) {
        scope::organization("acme")
    } else {
        scope::global()
    }
}

fn text_of(name: u8) -> String {
    format!("name {name}")
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Item {
    name: u8,
    deadline: Option<u64>,
    hits: u8,
}

/// The expected state of the rule.
#[derive(Default)]
struct Model {
    capacity: usize,
    now: u64,
    queue: VecDeque<Item>,
    hits: Vec<u8>,
    evictions: u64,
    expirations: u64,
}

impl Model {
    /// Applies a set as the rule does, before the gate is asked.
    fn set(&mut self, name: u8, ttl: Option<u64>) {
        let it = Item {
            name,
            deadline: ttl.map(|ttl| self.now + ttl),
            hits: 0,
        };
        match self.queue.iter_mut().find(|item| item.name == name) {
            Some(old) => *old = it,
            None => self.queue.push_back(it),
        }
        let oldest = self.queue.iter_mut().find(|item| item.name != name);
        if let Some(oldest) = oldest {
            let hits = std::mem::take(&mut oldest.hits);
            self.hits.extend([hits.min(MOST_HITS), 0]);
        }
        while self.queue.len() > self.capacity {
            let at = self.queue.iter().position(|item| item.name != name);
            self.queue.remove(at.unwrap());
            self.evictions += 1;
        }
    }

    fn refuse(&mut self, name: u8, gate_first: bool) {
        let replaces = self.queue.iter().any(|item| item.name == name);
        self.evictions += u64::from(replaces);
        if !gate_first {
            self.set(name, None);
        }
        self.queue.retain(|item| item.name != name);
    }

    fn evict(&mut self, goes: impl Fn(u8) -> bool) -> u64 {
        let before = self.queue.len();
        self.queue.retain(|item| !goes(item.name));
        let gone = (before - self.queue.len()) as u64;
        self.evictions += gone;
        gone
    }
}

fn agree(capacity: usize, gate_first: bool, steps: &[Step]) -> Result<(), TestCaseError> {
    let (clock, gate) = (ManualClock::new(), Gate::default());
    let fifo = Fifo {
        capacity,
        state: Arc::default(),
    };
    let builder = Cache::builder().clock(clock.clone());
    let builder = if gate_first {
        builder.rule(gate.clone()).rule(fifo.clone())
    } else {
        builder.rule(fifo.clone()).rule(gate.clone())
    };
    let cache = builder.build().unwrap();
    let mut model = Model {
        capacity,
        ..Model::default()
    };
    let mut clears = 0;
    for (nth, step) in steps.iter().enumerate() {
        match *step {
            Step::Set(name, ttl) => {
                let set = cache.set(text_of(name), &nth).scope(scope_of(name));
                let set = match ttl {
                    Some(ttl) => set.ttl(Duration::from_secs(ttl)),
                    None => set,
                };
                prop_assert!(set.run()?);
                model.set(name, ttl);
            }
            Step::Refuse(name) => {
                gate.closed.store(true, Ordering::Relaxed);
                let set = cache.set(text_of(name), &nth).scope(scope_of(name));
                prop_assert!(!set.run()?);
                gate.closed.store(false, Ordering::Relaxed);
                model.refuse(name, gate_first);
            }
            Step::Get(name, times) => {
                for _ in 0..times {
                    let get = cache.get::<usize>(text_of(name)).scope(scope_of(name));
                    let item = model.queue.iter_mut().find(|item| item.name == name);
                    prop_assert_eq!(get.run()?.is_some(), item.is_some());
                    if let Some(item) = item {
                        item.hits += 1;
                    }
                }
            }
            Step::Evict(name) => {
                let evict = cache.evict(text_of(name)).scope(scope_of(name));
                prop_assert_eq!(u64::from(evict.run()?), model.evict(|it| it == name));
            }
            Step::EvictScope => {
                let evicted = cache.evict_by_scope(scope::organization("acme")).run()?;
                let inside = |name: u8| name.is_multiple_of(3);
                prop_assert_eq!(evicted, model.evict(inside));
            }
            Step::Clear => {
                cache.clear().run()?;
                model.queue.clear();
                clears += 1;
            }
            Step::Advance(by) => {
                clock.advance(Duration::from_secs(by));
                model.now += by;
                let (before, now) = (model.queue.len(), model.now);
                let lives = |item: &Item| item.deadline.is_none_or(|deadline| deadline > now);
                model.queue.retain(lives);
                model.expirations += (before - model.queue.len()) as u64;
            }
        }
        let state = fifo.state.lock().unwrap();
        prop_assert!(state.wrong.is_empty(), "{:?}: {:?}", step, state.wrong);
        prop_assert!(state.chosen.is_empty(), "{:?}: a victim stays", step);
        let order: Vec<String> = state.queue.values().map(text).collect();
        let expected: Vec<String> = model.queue.iter().map(|it| text_of(it.name)).collect();
        prop_assert_eq!(order, expected, "after {:?}", step);
        let listed: HashSet<Key> = cache.keys().run()?.into_iter().collect();
        let known = state.queue.values().cloned().collect();
        prop_assert_eq!(&listed, &known, "after {:?}", step);
        prop_assert_eq!(&state.hits, &model.hits, "after {:?}", step);
        let out = state.replaced + state.removed;
        prop_assert_eq!(state.entered, out + state.queue.len(), "after {:?}", step);
        prop_assert_eq!(state.again, 0, "after {:?}", step);
        prop_assert_eq!(state.clears, clears);
        prop_assert!(!gate.told_again.load(Ordering::Relaxed));
        let stats = cache.stats();
        let counted = (stats.evictions, stats.expirations);
        prop_assert_eq!(counted, (model.evictions, model.expirations));
    }
    Ok(())
}

/// The same cases in each run.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 200,
        rng_seed: RngSeed::Fixed(0x0000_F1F0),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_rule_that_keeps_them_agrees_with_the_store(
        capacity in 1..7_usize,
        gate_first in any::<bool>(),
        steps in vec(step(), 1..80),
    ) {
        agree(capacity, gate_first, &steps)?;
    }
}

#[test]
fn each_is_told_in_and_out_once() {
    let fifo = Fifo {
        capacity: 2,
        state: Arc::default(),
    };
    let cache = Cache::builder().rule(fifo.clone()).build().unwrap();
    for key in ["a", "a", "b", "c", "a"] {
        assert!(set(&cache, key));
    }
    cache.evict("c").run().unwrap();
    let state = fifo.state.lock().unwrap();
    assert_eq!(state.wrong, Vec::<String>::new());
    let told = (state.entered, state.replaced, state.removed, state.again);
    // the first `a` was replaced, its second value made room for `c`, and `b` made room for the third
    assert_eq!(told, (5, 1, 3, 0));
    assert_eq!(state.queue.len(), 1);
}

#[test]
fn hits_are_counted_up_to_what_the_rule_asks_for() {
    let fifo = Fifo {
        capacity: 5,
        state: Arc::default(),
    };
    let cache = Cache::builder().rule(fifo.clone()).build().unwrap();
    set(&cache, "a");
    for hits in [0, 1, 2, 3, 4, 200] {
        for _ in 0..hits {
            get(&cache, "a");
        }
        set(&cache, "b");
        let asked = std::mem::take(&mut fifo.state.lock().unwrap().hits);
        assert_eq!(asked, [hits.min(MOST_HITS), 0], "and none the second time");
    }
}

#[test]
fn two_that_give_seats_are_refused_and_both_named() {
    let fifo = || Fifo {
        capacity: 2,
        state: Arc::default(),
    };
    let refusal = |builder: CacheBuilder| builder.build().unwrap_err().to_string();
    let two = refusal(Cache::builder().rule(fifo()).rule(fifo()));
    assert!(two.contains("Fifo and Fifo"), "{two}");
    let bounded = refusal(Cache::builder().rule(fifo()).max_items(5));
    assert!(bounded.contains("max_items and the rule Fifo"), "{bounded}");
    let beside = Cache::builder().rule(fifo()).rule(Gate::default());
    assert!(beside.rule(Lru::new(2)).build().is_ok());
}

/// Nothing keeps the value of a removed entry alive.
#[test]
fn a_value_is_dropped_when_its_entry_has_gone() {
    #[cache(cache = cache, skip(cache), local)]
    fn counted(cache: &Cache, x: u32) -> Arc<u32> {
        let _ = cache;
        Arc::new(x)
    }

    let cache = Cache::builder().max_items(2).build().unwrap();
    let held: Vec<Arc<u32>> = (0..10).map(|x| counted(&cache, x)).collect();
    let in_cache = |held: &[Arc<u32>]| {
        held.iter()
            .filter(|value| Arc::strong_count(value) == 2)
            .count()
    };
    assert_eq!(in_cache(&held), 2);
    let renewed: Vec<Arc<u32>> = (0..10).map(|x| refresh!(counted(&cache, x))).collect();
    assert_eq!(in_cache(&renewed) + in_cache(&held), 2);
    cache.clear().run().unwrap();
    assert_eq!(in_cache(&renewed) + in_cache(&held), 0);
}

/// Rejects every replacement of a value.
#[derive(Clone, Default)]
struct Rejecter(Arc<Mutex<Vec<Cause>>>);

impl Rule for Rejecter {
    fn name(&self) -> &'static str {
        "Rejecter"
    }

    fn on_replace(&self, _: Option<u32>, _: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        Admission::Reject
    }

    fn on_remove(&self, _: &Departed<'_>, cause: Cause) {
        self.0.lock().unwrap().push(cause);
    }
}

/// Records evictions by key.
#[derive(Clone, Default)]
struct Evicted(Arc<Mutex<Vec<String>>>);

impl Rule for Evicted {
    fn name(&self) -> &'static str {
        "Evicted"
    }

    fn on_evict(&self, key: &Key, _: Cause) {
        self.0.lock().unwrap().push(text(key));
    }
}

#[test]
fn a_refused_replacement_is_told_once_to_each() {
    let (before, rejecter, after) = (Evicted::default(), Rejecter::default(), Evicted::default());
    let builder = Cache::builder().rule(before.clone());
    let builder = builder.rule(rejecter.clone()).rule(after.clone());
    let cache = builder.build().unwrap();
    assert!(set(&cache, "a"));
    assert!(!set(&cache, "a"));
    assert_eq!(get(&cache, "a"), None);
    assert_eq!(*before.0.lock().unwrap(), ["a"], "the newcomer");
    assert_eq!(*rejecter.0.lock().unwrap(), [], "it knows");
    assert_eq!(*after.0.lock().unwrap(), ["a"], "the old one");
}

/// Evicts the replaced entry to make room for its replacement.
#[derive(Default)]
struct ChoosesTheOldOne(AtomicU32);

impl Rule for ChoosesTheOldOne {
    fn name(&self) -> &'static str {
        "ChoosesTheOldOne"
    }

    fn gives_seats(&self) -> bool {
        true
    }

    fn on_insert(&self, newcomer: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        newcomer.take_seat(self.0.fetch_add(1, Ordering::Relaxed));
        Admission::Admit
    }

    fn on_replace(
        &self,
        old: Option<u32>,
        newcomer: &mut Newcomer<'_>,
        seats: &mut Seats<'_>,
    ) -> Admission {
        seats.vacate(old.expect("each has a seat"));
        self.on_insert(newcomer, seats)
    }
}

#[cache(cache = cache, skip(cache), max_items = 2)]
fn two(cache: &Cache, x: u32) -> u32 {
    let _ = cache;
    x
}

#[test]
fn a_functions_own_bound_holds_whatever_a_rule_chooses() {
    let cache = Cache::builder()
        .rule(ChoosesTheOldOne::default())
        .build()
        .unwrap();
    for _ in 0..5 {
        refresh!(two(&cache, 1));
    }
    for x in 0..10 {
        two(&cache, x);
    }
    assert_eq!(cache.stats().total_keys, 2);
}

/// Panics once when told to.
#[derive(Clone, Default)]
struct Startled(Arc<AtomicBool>);

impl Rule for Startled {
    fn name(&self) -> &'static str {
        "Startled"
    }

    fn on_insert(&self, _: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        assert!(!self.0.swap(false, Ordering::Relaxed), "startled");
        Admission::Admit
    }
}

/// If a rule panics over an entry, the entries chosen to make room for it are evicted, and no others.
#[test]
fn who_was_to_go_when_a_rule_panicked_goes() {
    let startled = Startled::default();
    let builder = Cache::builder().rule(WTinyLfu::new(2));
    let cache = builder.rule(startled.clone()).build().unwrap();
    for round in 0..10 {
        let name = |what: &str| format!("{what} {round}");
        set(&cache, &name("a"));
        set(&cache, &name("b"));
        startled.0.store(true, Ordering::Relaxed);
        let panics = AssertUnwindSafe(|| set(&cache, &name("c")));
        assert!(catch_unwind(panics).is_err());
        set(&cache, &name("d"));
        for what in ["a", "b"] {
            cache.evict(name(what)).run().unwrap();
        }
        for nth in 0..20 {
            set(&cache, &format!("{round} and {nth}"));
            assert!(cache.stats().total_keys <= 2, "{round} {nth}");
        }
    }
}

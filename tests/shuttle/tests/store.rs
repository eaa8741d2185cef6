//! The shipped store under a model checker. In each order of its threads' steps that is tried, table, scope index, schedule, rules and
//! counts agree in the end.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p cacheado-shuttle --release --target-dir target/shuttle
//! ```
//!
//! A failure prints its schedule. To replay it, run the failing test alone, so that nothing else numbers the key spaces. Then run it
//! again with `shuttle::replay(model, "SCHEDULE")` in place of `check(model)`.
#![cfg(shuttle)]

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use cacheado::{Key, Rule, Scope, scopes};
use cacheado_backends::memory::{Dropped, Inserted, Store};
use cacheado_backends::rule::{Admission, Candidate, Cause};
use cacheado_backends::rules::{Lru, MaxItems, WTinyLfu};
use cacheado_backends::{ManualClock, NewEntry, Probe, Space, SpaceSpec};
use shuttle::sync::Arc;
use shuttle::thread;

scopes! {
    organization(org_id) { user(user_id) }
}

/// Tries random orders, and orders with few switches in the worst places.
fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(model.clone(), 3_000);
    shuttle::check_pct(model, 3_000, 3);
}

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

/// What a rule and the observer were told. Its locks are not steps of the model.
#[derive(Default)]
struct Told {
    keys: HashSet<Key>,
    wrong: Vec<String>,
    gone: usize,
}

#[derive(Clone, Default)]
struct Witness(std::sync::Arc<Mutex<Told>>);

impl Witness {
    fn told<R>(&self, tell: impl FnOnce(&mut Told) -> R) -> R {
        tell(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The last of the rules, so that everything it admits is stored.
impl Rule for Witness {
    fn name(&self) -> &'static str {
        "Witness"
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        self.told(|told| {
            let new = told.keys.insert(candidate.key().clone());
            if new == candidate.replaces() {
                told.wrong.push(format!(
                    "set: {} replaces, {} known",
                    candidate.replaces(),
                    !new
                ));
            }
        });
        Admission::Admit
    }

    fn on_evict(&self, key: &Key, cause: Cause) {
        self.told(|told| {
            if !told.keys.remove(key) {
                told.wrong.push(format!("{cause}: unknown"));
            }
        });
    }

    fn on_clear(&self) {
        self.told(|told| told.keys.clear());
    }
}

struct World {
    store: std::sync::Arc<Store>,
    clock: ManualClock,
    witness: Witness,
}

impl World {
    fn new(rules: Vec<Box<dyn Rule>>) -> Arc<Self> {
        let (clock, witness) = (ManualClock::new(), Witness::default());
        let observer = witness.clone();
        let observer = Box::new(move |_: &Key, _| observer.told(|told| told.gone += 1));
        Arc::new(Self {
            store: Store::new(clock.clone().into(), rules, observer),
            clock,
            witness,
        })
    }

    /// With `rules`, followed by a witness.
    fn witnessed(mut rules: Vec<Box<dyn Rule>>) -> Arc<Self> {
        let witness = Witness::default();
        rules.push(Box::new(witness.clone()));
        let clock = ManualClock::new();
        let observer = Box::new(|_: &Key, _| ());
        Arc::new(Self {
            store: Store::new(clock.clone().into(), rules, observer),
            clock,
            witness,
        })
    }

    fn insert(&self, key: &Key, lifetime: Option<Duration>) {
        let entry = NewEntry::new(key.clone(), 1_u32, 1, true);
        self.store.insert(entry, lifetime, &mut Dropped::new());
    }

    /// Checks what must be true whatever happened, once nothing runs any more.
    fn agrees(&self) {
        let keys = self.store.keys();
        assert_eq!(self.store.len(), keys.len());
        for scope in [scope::user("acme", 7), scope::organization("acme")] {
            let keys = self.store.keys();
            let inside = keys.iter().filter(|key| scope.contains(&key.scope()));
            let inside = inside.count() as u64;
            assert_eq!(self.store.remove_scope(&scope).entries, inside);
            assert_eq!(self.store.remove_scope(&scope).entries, 0);
        }
        // no entry with a lifetime was lost
        self.clock.advance(Duration::from_secs(100));
        let left = self.store.keys().len();
        assert_eq!(self.store.len(), left);
        assert_eq!(
            self.store.remove_scope(&Scope::global()).entries,
            left as u64
        );
        assert!(self.store.is_empty());
    }

    fn witness_agrees(&self) {
        self.store.free_expired();
        let keys: HashSet<Key> = self.store.keys().into_iter().collect();
        self.witness.told(|told| {
            assert_eq!(told.wrong, Vec::<String>::new());
            assert_eq!(told.keys, keys);
        });
    }
}

fn key(scope: &Scope, args: u32) -> Key {
    let space = Space::programmatic(scope.level());
    let key = Probe::in_scope(space, scope, &args).and_then(|probe| probe.to_key());
    key.expect("a key")
}

fn spawn(w: &Arc<World>, run: impl FnOnce(&World) + Send + 'static) -> thread::JoinHandle<()> {
    let w = Arc::clone(w);
    thread::spawn(move || run(&w))
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[test]
fn evicting_a_scope_inserting_and_expiring_agree() {
    for scope in [
        scope::user("acme", 7),
        scope::organization("acme"),
        Scope::global(),
    ] {
        check(move || {
            let w = World::new(Vec::new());
            let scope = scope.clone();
            let user = scope::user("acme", 7);
            w.insert(&key(&user, 0), SECOND);
            let (one, two) = (key(&user, 1), key(&scope::organization("acme"), 2));
            let writer = spawn(&w, move |w| {
                w.insert(&one, SECOND);
                w.insert(&two, None);
                w.insert(&one, None);
            });
            let evictor = spawn(&w, move |w| _ = w.store.remove_scope(&scope));
            let clock = spawn(&w, |w| w.clock.advance(Duration::from_secs(1)));
            join([writer, evictor, clock]);
            w.agrees();
        });
    }
}

#[test]
fn two_evictions_of_a_scope_evict_each_entry_once() {
    check(|| {
        let w = World::new(Vec::new());
        let user = scope::user("acme", 7);
        let keys: Vec<Key> = (0..3).map(|n| key(&user, n)).collect();
        let first = keys.clone();
        let evicted = Arc::new(shuttle::sync::atomic::AtomicU64::new(0));
        let writer = spawn(&w, move |w| {
            for key in &first {
                w.insert(key, None);
            }
        });
        let scopes = [user, scope::organization("acme")];
        let evictors = scopes.map(|scope| {
            let evicted = Arc::clone(&evicted);
            spawn(&w, move |w| {
                let removed = w.store.remove_scope(&scope).entries;
                evicted.fetch_add(removed, shuttle::sync::atomic::Ordering::SeqCst);
            })
        });
        join(evictors.into_iter().chain([writer]));
        let left = w.store.remove_scope(&Scope::global()).entries;
        let evicted = evicted.load(shuttle::sync::atomic::Ordering::SeqCst);
        assert_eq!(evicted + left, 3);
        w.witness.told(|told| assert_eq!(told.gone, 3));
        w.agrees();
    });
}

#[test]
fn removing_replacing_and_expiring_one_key_agree() {
    check(|| {
        let w = World::new(Vec::new());
        let it = key(&scope::user("acme", 7), 1);
        let (set, removed, found) = (it.clone(), it.clone(), it.clone());
        let threads = [
            spawn(&w, move |w| {
                w.insert(&set, SECOND);
                w.insert(&set, SECOND);
            }),
            spawn(&w, move |w| {
                _ = w.store.remove(&removed, &mut Dropped::new());
            }),
            spawn(&w, |w| w.clock.advance(Duration::from_secs(1))),
            spawn(&w, move |w| {
                w.store.get_key(&found, |_| ());
                w.store.free_expired();
            }),
        ];
        join(threads);
        w.agrees();
    });
}

/// A key of the same level, but of another tenant, that takes the place in the store that `key_of_acme` leaves free.
fn takes_the_place_of(key_of_acme: &Key) -> Key {
    let globex = scope::user("globex", 7);
    // both must be in the same one of the two shards
    let shard = |key: &Key| key.hash() >> 27 & 1;
    let mut others = (0..).map(|n| key(&globex, n));
    let other = others.find(|other| shard(other) == shard(key_of_acme));
    other.expect("every other key")
}

/// An entry that is to be removed is named by its place, and another one may be there by then, such as another tenant's.
#[test]
fn what_took_the_place_of_an_entry_that_is_taken_out_stays() {
    type Step = fn(&World, &Key);
    let evict: Step = |w, key| _ = w.store.remove_scope(&key.scope());
    let expire: Step = |w, _| w.clock.advance(Duration::from_secs(1));
    let find: Step = |w, key| _ = w.store.get_key(key, |_| ());
    for steps in [vec![evict], vec![expire], vec![expire, find]] {
        check(move || {
            let w = World::new(Vec::new());
            let acme = key(&scope::user("acme", 7), 1);
            let other = takes_the_place_of(&acme);
            w.insert(&acme, SECOND);
            let (old, new) = (acme.clone(), other.clone());
            let taker = spawn(&w, move |w| {
                w.store.remove(&old, &mut Dropped::new());
                w.insert(&new, None);
            });
            let mut threads = vec![taker];
            for step in steps.clone() {
                let acme = acme.clone();
                threads.push(spawn(&w, move |w| step(w, &acme)));
            }
            join(threads);
            assert_eq!(w.store.keys(), [other]);
            w.agrees();
        });
    }
}

#[test]
fn clearing_and_inserting_agree() {
    check(|| {
        let w = World::new(Vec::new());
        let it = key(&scope::user("acme", 7), 1);
        let threads = [
            spawn(&w, move |w| {
                w.insert(&it, SECOND);
                w.insert(&it, SECOND);
            }),
            spawn(&w, |w| w.store.clear()),
        ];
        join(threads);
        w.agrees();
    });
}

/// Rules, and the most entries that they admit.
type Rules = (fn() -> Vec<Box<dyn Rule>>, usize);

const RULES: &[Rules] = &[
    (|| vec![Box::new(Lru::new(1))], 1),
    (|| vec![Box::new(Lru::new(2))], 2),
    (|| vec![Box::new(MaxItems::new(1))], 1),
    (
        || vec![Box::new(Lru::new(2)), Box::new(MaxItems::new(1))],
        1,
    ),
];

#[test]
fn rules_and_the_store_agree() {
    for (rules, bound) in RULES {
        check(move || {
            let w = World::witnessed(rules());
            let user = scope::user("acme", 7);
            let threads: Vec<_> = (0..3)
                .map(|n| {
                    let (set, evicted) = (key(&user, n), key(&user, (n + 1) % 3));
                    spawn(&w, move |w| {
                        w.insert(&set, None);
                        assert!(w.store.keys().len() <= 3);
                        if n == 0 {
                            w.store.remove(&evicted, &mut Dropped::new());
                        }
                    })
                })
                .collect();
            join(threads);
            w.witness_agrees();
            assert!(w.store.len() <= *bound);
            w.agrees();
        });
    }
}

#[test]
fn rules_and_the_store_agree_when_a_scope_is_evicted() {
    for (rules, bound) in RULES {
        check(move || {
            let w = World::witnessed(rules());
            let user = scope::user("acme", 7);
            let keys = [key(&user, 1), key(&scope::organization("acme"), 2)];
            let writers = keys.map(|key| spawn(&w, move |w| w.insert(&key, None)));
            let evictors = [user, Scope::global()]
                .map(|scope| spawn(&w, move |w| _ = w.store.remove_scope(&scope)));
            join(writers.into_iter().chain(evictors));
            w.witness_agrees();
            assert!(w.store.len() <= *bound);
            w.agrees();
        });
    }
}

/// An entry that is replaced after its lifetime counts as removed, and the rules are told so.
#[test]
fn rules_and_the_store_agree_when_what_has_expired_is_replaced() {
    check(|| {
        let w = World::witnessed(Vec::new());
        let it = key(&scope::user("acme", 7), 1);
        let (first, second) = (it.clone(), it);
        let threads = [
            spawn(&w, move |w| w.insert(&first, SECOND)),
            spawn(&w, |w| w.clock.advance(Duration::from_secs(1))),
            spawn(&w, move |w| w.insert(&second, SECOND)),
        ];
        join(threads);
        w.witness_agrees();
        w.agrees();
    });
}

/// A space whose function has its own bound.
static BOUNDED: LazyLock<&'static Space> = LazyLock::new(|| {
    let space = Space::create(SpaceSpec {
        name: "bounded".to_owned(),
        version: 0,
        level: scope::user("acme", 7).level(),
        stable: true,
        explicit: true,
    });
    space.bound(NonZeroUsize::MIN);
    space
});

#[test]
fn a_function_keeps_its_own_bound() {
    check(|| {
        let w = World::new(Vec::new());
        let user = scope::user("acme", 7);
        let keys = [0_u32, 1, 2].map(|n| {
            let key = Probe::in_scope(*BOUNDED, &user, &n).and_then(|probe| probe.to_key());
            key.expect("a key")
        });
        let after = keys.clone();
        let writers = keys.map(|key| {
            spawn(&w, move |w| {
                w.insert(&key, SECOND);
                w.store.get_key(&key, |_| ());
            })
        });
        let evictor = spawn(&w, move |w| _ = w.store.remove_scope(&user));
        let clock = spawn(&w, |w| w.clock.advance(Duration::from_secs(1)));
        join(writers.into_iter().chain([evictor, clock]));
        assert!(w.store.keys().len() <= 1);
        for key in &after {
            w.insert(key, None);
            assert_eq!(w.store.keys().len(), 1);
        }
        w.agrees();
    });
}

/// The bound of the caches in the models with a bound.
const MOST: u32 = 4;

impl World {
    fn bounded() -> Arc<Self> {
        Self::new(vec![Box::new(WTinyLfu::new(MOST.into()))])
    }

    fn insert_heavy(&self, key: &Key, weight: u32, lifetime: Option<Duration>) {
        let entry = NewEntry::new(key.clone(), weight, weight, true);
        self.store.insert(entry, lifetime, &mut Dropped::new());
    }

    /// The total weight of all entries.
    fn weight(&self) -> u32 {
        let weight = |key: &Key| self.store.peek_key(key, |entry| entry.weight());
        self.store.keys().iter().filter_map(weight).sum()
    }

    /// Checks, once nothing runs any more, that the bound holds, and that the rule knows the stored entries and no others.
    fn bound_agrees(&self) {
        self.store.free_expired();
        assert_eq!(self.store.len(), self.store.keys().len());
        self.fills_up(100);
        // the rule knows the entries that must make room
        let user = scope::user("initech", 1);
        for n in 200..200 + 2 * MOST {
            self.insert(&key(&user, n), None);
            assert!(self.weight() <= MOST);
        }
        self.fills_up(300);
        self.agrees();
    }

    /// Checks that entries for which there is room are stored, and that nothing is evicted for them.
    fn fills_up(&self, first: u32) {
        let fits = MOST.checked_sub(self.weight()).expect("the bound holds");
        let before: HashSet<Key> = self.store.keys().into_iter().collect();
        let user = scope::user("initech", 1);
        let new: Vec<Key> = (first..first + fits).map(|n| key(&user, n)).collect();
        for key in &new {
            let entry = NewEntry::new(key.clone(), 1_u32, 1, true);
            let inserted = self.store.insert(entry, None, &mut Dropped::new());
            assert_eq!(inserted, Inserted::Stored(None), "there is room");
        }
        let after: HashSet<Key> = self.store.keys().into_iter().collect();
        assert_eq!(after, before.into_iter().chain(new).collect());
    }
}

#[test]
fn a_bound_and_the_store_agree() {
    check(|| {
        let w = World::bounded();
        let user = scope::user("acme", 7);
        let keys: Vec<Key> = (0..6).map(|n| key(&user, n)).collect();
        for key in &keys[..3] {
            w.insert(key, None);
        }
        let writers = [[0, 3, 4], [4, 5, 0]].map(|which| {
            let keys = which.map(|n: usize| keys[n].clone());
            spawn(&w, move |w| {
                for key in &keys {
                    w.store.get_key(key, |_| ());
                    w.insert(key, None);
                }
            })
        });
        let removed = [keys[0].clone(), keys[4].clone()];
        let remover = spawn(&w, move |w| {
            for key in &removed {
                w.store.remove(key, &mut Dropped::new());
            }
        });
        join(writers.into_iter().chain([remover]));
        w.bound_agrees();
    });
}

#[test]
fn a_bound_and_the_store_agree_when_scopes_are_evicted_and_entries_expire() {
    for scope in [scope::user("acme", 7), Scope::global()] {
        check(move || {
            let w = World::bounded();
            let (user, scope) = (scope::user("acme", 7), scope.clone());
            let keys: Vec<Key> = (0..6).map(|n| key(&user, n)).collect();
            w.insert(&keys[0], SECOND);
            w.insert(&keys[1], None);
            let again = keys.clone();
            let writers = [
                spawn(&w, move |w| {
                    for key in &keys[..3] {
                        w.insert(key, SECOND);
                    }
                }),
                spawn(&w, move |w| {
                    for key in &again[2..] {
                        w.insert(key, None);
                    }
                }),
            ];
            let evictor = spawn(&w, move |w| _ = w.store.remove_scope(&scope));
            let clock = spawn(&w, |w| w.clock.advance(Duration::from_secs(1)));
            join(writers.into_iter().chain([evictor, clock]));
            w.bound_agrees();
        });
    }
}

/// Some of the weights exceed the bound: then the older value is removed, and its weight with it.
#[test]
fn a_bound_and_the_store_agree_when_values_of_other_weights_are_set() {
    check(|| {
        let w = World::bounded();
        let user = scope::user("acme", 7);
        let keys = [key(&user, 1), key(&user, 2)];
        let mut threads: Vec<_> = [[3, 1], [2, 5], [1, 4]]
            .into_iter()
            .map(|weights| {
                let keys = keys.clone();
                spawn(&w, move |w| {
                    for (key, weight) in keys.iter().zip(weights) {
                        w.insert_heavy(key, weight, SECOND);
                    }
                })
            })
            .collect();
        threads.push(spawn(&w, |w| w.clock.advance(Duration::from_secs(1))));
        join(threads);
        w.bound_agrees();
    });
}

#[test]
fn a_bound_and_the_store_agree_when_all_is_cleared() {
    check(|| {
        let w = World::bounded();
        let user = scope::user("acme", 7);
        let writers = [[0, 1, 2], [3, 4, 0]].map(|which| {
            let keys = which.map(|n| key(&user, n));
            spawn(&w, move |w| {
                for key in &keys {
                    w.insert(key, SECOND);
                }
            })
        });
        let cleaner = spawn(&w, |w| w.store.clear());
        let removed = key(&user, 0);
        let remover = spawn(&w, move |w| {
            w.clock.advance(Duration::from_secs(1));
            w.store.remove(&removed, &mut Dropped::new());
        });
        join(writers.into_iter().chain([cleaner, remover]));
        w.bound_agrees();
    });
}

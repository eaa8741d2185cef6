//! The store under many concurrent threads: afterwards the cache's list of keys, its counts, its scopes and the view of its rules
//! agree, and the bounds hold.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cacheado::rule::{Admission, Candidate, Cause};
use cacheado::rules::{Lru, MaxItems, Ttl};
use cacheado::testing::ManualClock;
use cacheado::{Cache, CacheBuilder, Key, Rule, Scope, cache, evict, scopes};
use cacheado_tests::random::Random;
use cacheado_tests::within;

scopes! {
    organization(org_id) { user(user_id) { session(session_id) } }
}

/// Long enough for the slowest machine: a test that exceeds it hangs.
const LIMIT: Duration = Duration::from_mins(2);
const THREADS: u64 = 8;
const STEPS: u64 = 2_000;
const BOUND: usize = 60;
const OWN_BOUND: usize = 7;

#[cache(cache = cache, skip(cache), scope = "user", max_items = OWN_BOUND)]
fn bounded(cache: &Cache, org_id: u64, user_id: u64, x: u64) -> u64 {
    org_id * 10_000 + user_id * 100 + x
}

#[cache(cache = cache, skip(cache), scope = "organization", ttl = 5)]
fn short_lived(cache: &Cache, org_id: u64, x: u64) -> u64 {
    org_id * 100 + x
}

#[cache(cache = cache, skip(cache))]
fn plain(cache: &Cache, x: u64) -> u64 {
    x
}

fn any_scope(numbers: &mut Random) -> Scope {
    let (org, user, session) = (numbers.below(3), numbers.below(4), numbers.below(2));
    match numbers.below(4) {
        0 => scope::global(),
        1 => scope::organization(org),
        2 => scope::user(org, user),
        _ => scope::session(org, user, session),
    }
}

/// One thread's part: a mix of all operations, with each result checked.
fn hammer(cache: &Cache, clock: &ManualClock, seed: u64, clears: bool) {
    let mut numbers = Random::new(seed);
    for _ in 0..STEPS {
        let scope = any_scope(&mut numbers);
        let key = numbers.below(20);
        let value = format!("{scope:?} {key}");
        match numbers.below(100) {
            0..25 => {
                let set = cache.set(key, &value).scope(scope);
                match numbers.below(3) {
                    0 => set.ttl(Duration::from_secs(1 + numbers.below(5))).run(),
                    _ => set.run(),
                }
                .expect("set");
            }
            25..45 => {
                let found: Option<String> = cache.get(key).scope(scope).run().expect("got");
                assert!(found.is_none_or(|found| found == value));
            }
            45..60 => {
                let (org, user) = (numbers.below(3), numbers.below(4));
                let expected = org * 10_000 + user * 100 + key;
                assert_eq!(bounded(cache, org, user, key), expected);
            }
            60..70 => {
                let org = numbers.below(3);
                assert_eq!(short_lived(cache, org, key), org * 100 + key);
            }
            70..80 => assert_eq!(plain(cache, key), key),
            80..86 => _ = cache.evict(key).scope(scope).run().expect("evicted"),
            86..90 => {
                let (org, user) = (numbers.below(3), numbers.below(4));
                evict!(bounded(cache, org, user, key)).expect("evicted");
            }
            90..95 if scope != scope::global() => {
                cache.evict_by_scope(scope).run().expect("evicted");
            }
            95..97 => clock.advance(Duration::from_secs(1)),
            97 => _ = cache.stats(),
            98 => {
                let keys = cache.keys().scope(scope).run().expect("listed");
                assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
            }
            _ if clears && numbers.below(20) == 0 => cache.clear().run().expect("cleared"),
            _ if numbers.below(20) == 0 => {
                let all = cache.evict_by_scope(scope::global());
                all.run().expect("evicted");
            }
            _ => {}
        }
    }
}

/// The keys that the store should hold according to the hooks that were called.
#[derive(Default)]
struct Believes {
    keys: Mutex<HashSet<Key>>,
    wrong: AtomicUsize,
}

/// Runs as the last rule, so everything it admits is stored.
struct Believer(Arc<Believes>);

impl Rule for Believer {
    fn name(&self) -> &'static str {
        "Believer"
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        let new = self
            .0
            .keys
            .lock()
            .expect("unpoisoned")
            .insert(candidate.key().clone());
        if new == candidate.replaces() {
            self.0.wrong.fetch_add(1, Ordering::SeqCst);
        }
        Admission::Admit
    }

    fn on_evict(&self, key: &Key, _: Cause) {
        if !self.0.keys.lock().expect("unpoisoned").remove(key) {
            self.0.wrong.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn on_clear(&self) {
        self.0.keys.lock().expect("unpoisoned").clear();
    }
}

fn total_keys(cache: &Cache) -> usize {
    usize::try_from(cache.stats().total_keys).expect("few keys")
}

fn keys(cache: &Cache) -> Vec<Key> {
    cache.keys().run().expect("listed")
}

/// The invariants of an idle cache.
fn agrees(cache: &Cache, clock: &ManualClock, bound: usize) {
    let listed = keys(cache);
    assert_eq!(listed.iter().collect::<HashSet<_>>().len(), listed.len());
    assert_eq!(total_keys(cache), listed.len());
    assert!(listed.len() <= bound, "{} entries", listed.len());
    let own = listed
        .iter()
        .filter(|key| key.space().max_items().is_some());
    assert!(own.count() <= OWN_BOUND);

    // each scope holds what is listed in it, and nothing once evicted
    for org in 0..3 {
        for user in 0..4 {
            let user = scope::user(org, user);
            let inside = cache
                .keys()
                .scope(user.clone())
                .run()
                .expect("listed")
                .len();
            let evicted = cache.evict_by_scope(user.clone()).run().expect("evicted");
            assert_eq!(evicted, inside as u64, "{user:?}");
            let again = cache.evict_by_scope(user).run().expect("evicted");
            assert_eq!(again, 0);
        }
        if org == 0 {
            let org = scope::organization(org);
            let inside = cache.keys().scope(org.clone()).run().expect("listed").len();
            let evicted = cache.evict_by_scope(org.clone()).run().expect("evicted");
            assert_eq!(evicted, inside as u64);
            assert_eq!(cache.evict_by_scope(org).run().expect("evicted"), 0);
        }
    }

    // entries with a lifetime are freed when it ends
    clock.advance(Duration::from_secs(10));
    let left = keys(cache).len();
    assert_eq!(total_keys(cache), left);
    let evicted = cache
        .evict_by_scope(scope::global())
        .run()
        .expect("evicted");
    assert_eq!(evicted, left as u64);
    let again = cache
        .evict_by_scope(scope::global())
        .run()
        .expect("evicted");
    assert_eq!(again, 0);
    assert_eq!((total_keys(cache), keys(cache).len()), (0, 0));

    // the bounds still hold
    for x in 0..3 * BOUND as u64 {
        assert_eq!(plain(cache, x), x);
        assert_eq!(bounded(cache, 0, 0, x), x);
    }
    let listed = keys(cache);
    assert!(listed.len() <= bound);
    let own = listed
        .iter()
        .filter(|key| key.space().max_items().is_some());
    assert!(own.count() <= OWN_BOUND);
}

/// Runs `hammer` on a cache with `builder`'s rules, and checks the invariants.
fn agrees_after_hammering(bound: usize, clears: bool, builder: impl Fn() -> CacheBuilder) {
    let believes = Arc::new(Believes::default());
    let clock = ManualClock::new();
    let builder = builder().clock(clock.clone());
    let builder = builder.rule(Believer(Arc::clone(&believes)));
    hammered(builder, &clock, bound, clears);
    assert_eq!(
        believes.wrong.load(Ordering::SeqCst),
        0,
        "the rule was told wrong"
    );
}

fn hammered(builder: CacheBuilder, clock: &ManualClock, bound: usize, clears: bool) -> Cache {
    let cache = builder.build().expect("a cache");
    let (shared, moved) = (cache.clone(), clock.clone());
    within(LIMIT, move || {
        thread::scope(|scope| {
            for seed in 0..THREADS {
                let (cache, clock) = (&shared, &moved);
                scope.spawn(move || hammer(cache, clock, seed, clears));
            }
        });
    });
    agrees(&cache, clock, bound);
    cache
}

#[test]
fn an_lru_and_the_store_agree() {
    agrees_after_hammering(BOUND, true, || Cache::builder().rule(Lru::new(BOUND)));
}

#[test]
fn a_small_lru_and_the_store_agree() {
    agrees_after_hammering(2, true, || Cache::builder().rule(Lru::new(2)));
}

#[test]
fn max_items_and_the_store_agree() {
    agrees_after_hammering(BOUND, true, || Cache::builder().rule(MaxItems::new(BOUND)));
}

#[test]
fn all_rules_together_and_the_store_agree() {
    let rules = || {
        let ttl = Ttl::new().default(Duration::from_secs(3));
        Cache::builder()
            .rule(Lru::new(BOUND))
            .rule(ttl.max(Duration::from_secs(4)))
            .rule(MaxItems::new(BOUND))
    };
    agrees_after_hammering(BOUND, false, rules);
    agrees_after_hammering(BOUND, true, rules);
}

#[test]
fn a_store_without_rules_agrees_with_itself() {
    for clears in [false, true] {
        let clock = ManualClock::new();
        let builder = Cache::builder().clock(clock.clone());
        hammered(builder, &clock, usize::MAX, clears);
    }
}

#[test]
fn a_rule_is_told_of_each_entry_that_goes() {
    let believes = Arc::new(Believes::default());
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone());
    let builder = builder
        .rule(Lru::new(BOUND))
        .rule(Believer(Arc::clone(&believes)));
    let cache = hammered(builder, &clock, BOUND, true);
    let listed: HashSet<Key> = keys(&cache).into_iter().collect();
    assert_eq!(*believes.keys.lock().expect("unpoisoned"), listed);
}

/// Observed at any moment, not only at the end.
#[test]
fn a_full_cache_is_never_over_its_bound() {
    within(LIMIT, || {
        let rules: [fn() -> CacheBuilder; 2] = [
            || Cache::builder().rule(Lru::new(10)),
            || Cache::builder().rule(MaxItems::new(10)),
        ];
        for rules in rules {
            let cache = rules().build().expect("a cache");
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                let writers: Vec<_> = (0..4)
                    .map(|seed| {
                        let cache = &cache;
                        scope.spawn(move || {
                            let mut numbers = Random::new(seed);
                            for _ in 0..3_000 {
                                plain(cache, numbers.below(100));
                                cache.evict(numbers.below(100)).run().expect("evicted");
                            }
                        })
                    })
                    .collect();
                scope.spawn(|| {
                    while !done.load(Ordering::SeqCst) {
                        assert!(total_keys(&cache) <= 10);
                    }
                });
                for writer in writers {
                    writer.join().expect("no panic");
                }
                done.store(true, Ordering::SeqCst);
            });
            assert_eq!(total_keys(&cache), 10);
        }
    });
}

/// However evictions of one scope and writes into it interleave, each entry is evicted exactly once: by one of the evicting threads,
/// or at the end.
#[test]
fn each_entry_is_evicted_once() {
    within(LIMIT, || {
        let cache = Cache::builder().build().expect("a cache");
        let (stored, evicted) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let count = |evictions: u64| {
            let evictions = usize::try_from(evictions).expect("few");
            evicted.fetch_add(evictions, Ordering::SeqCst);
        };
        thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (cache, stored) = (&cache, &stored);
                scope.spawn(move || {
                    for n in 0..2_000_u64 {
                        // each key is written once; an eviction that meets a write may win over it
                        let set = cache.set((thread, n), &n).scope(scope::user("acme", n % 3));
                        let set = usize::from(set.run().expect("set"));
                        stored.fetch_add(set, Ordering::SeqCst);
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    for n in 0..500_u64 {
                        let scope = match n % 3 {
                            0 => scope::organization("acme"),
                            1 => scope::global(),
                            _ => scope::user("acme", n % 3),
                        };
                        count(cache.evict_by_scope(scope).run().expect("evicted"));
                    }
                });
                scope.spawn(|| {
                    for n in 0..2_000_u64 {
                        let evict = cache.evict((n % 4, n)).scope(scope::user("acme", n % 3));
                        count(u64::from(evict.run().expect("evicted")));
                    }
                });
            }
        });
        let left = keys(&cache).len() as u64;
        let last = cache.evict_by_scope(scope::organization("acme")).run();
        let last = last.expect("evicted");
        assert_eq!(last, left);
        count(last);
        let stored = stored.into_inner();
        assert!(stored > 4_000, "most writes meet no eviction");
        assert_eq!(evicted.into_inner(), stored);
        assert_eq!(cache.stats().evictions, stored as u64);
    });
}

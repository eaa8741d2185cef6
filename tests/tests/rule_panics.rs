//! Rules that panic: the operation that called the rule ends with the panic, and nothing else is left inconsistent. The later rules
//! are called, entries that were to go are gone, also from the shared tier, and values older than a new value are no longer served.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use cacheado::rule::{Admission, Candidate, Cause, Newcomer, Seats};
use cacheado::{Cache, CacheBuilder, Key, Rule, Scope, cache, evict, expire, peek, put, refresh};
use cacheado_tests::store::Client;
use cacheado_tests::within;
use futures::FutureExt;

/// Long enough for the slowest machine: a test that exceeds it hangs.
const LIMIT: Duration = Duration::from_mins(1);

/// Panics in the hook of this name, while it is lit.
#[derive(Clone)]
struct Startled {
    hook: &'static str,
    lit: Arc<AtomicBool>,
    /// The number of sets since it was lit.
    sets: Arc<AtomicU64>,
}

impl Startled {
    fn at(hook: &'static str) -> Self {
        let (lit, sets) = Default::default();
        Self { hook, lit, sets }
    }

    fn asked(&self, hook: &str) {
        let panics = self.hook == hook && self.lit.load(Ordering::SeqCst);
        assert!(!panics, "on purpose");
    }

    /// Whether `call` panics while the rule is lit.
    fn startles<R>(&self, call: impl FnOnce() -> R) -> bool {
        self.sets.store(0, Ordering::SeqCst);
        self.lit.store(true, Ordering::SeqCst);
        let ended = catch_unwind(AssertUnwindSafe(call));
        self.lit.store(false, Ordering::SeqCst);
        ended.is_err()
    }
}

impl Rule for Startled {
    fn name(&self) -> &'static str {
        "Startled"
    }

    fn on_set(&self, _: &mut Candidate<'_>) -> Admission {
        self.asked("set");
        if self.sets.fetch_add(1, Ordering::SeqCst) == 2 {
            self.asked("third set");
        }
        Admission::Admit
    }

    fn on_insert(&self, _: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        self.asked("insert");
        Admission::Admit
    }

    fn on_replace(&self, _: Option<u32>, _: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        self.asked("replace");
        Admission::Admit
    }

    fn on_evict(&self, _: &Key, _: Cause) {
        self.asked("evict");
    }

    fn on_clear(&self) {
        self.asked("clear");
    }
}

/// Tracks all keys.
#[derive(Clone, Default)]
struct Knows(Arc<Mutex<HashSet<Key>>>);

impl Knows {
    fn len(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }
}

impl Rule for Knows {
    fn name(&self) -> &'static str {
        "Knows"
    }

    fn on_insert(&self, newcomer: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        self.0.lock().unwrap().insert(newcomer.key().clone());
        Admission::Admit
    }

    fn on_evict(&self, key: &Key, _: Cause) {
        self.0.lock().unwrap().remove(key);
    }

    fn on_clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

fn get(cache: &Cache, key: u64) -> Option<u64> {
    cache.get(key).run().unwrap()
}

fn set(cache: &Cache, key: u64, value: u64) -> bool {
    cache.set(key, &value).run().unwrap()
}

/// A cache with a startled rule between two rules that track all keys.
fn between(builder: CacheBuilder, rule: &Startled) -> (Cache, [Knows; 2]) {
    let knows: [Knows; 2] = Default::default();
    let builder = builder.rule(knows[0].clone()).rule(rule.clone());
    (builder.rule(knows[1].clone()).build().unwrap(), knows)
}

#[test]
fn all_rules_are_told_of_all_that_has_gone() {
    type Removal = fn(&Client, &Cache);
    let removals: [(&str, &str, Removal); 5] = [
        ("evict", "scope", |_, cache| {
            cache.evict_by_scope(Scope::global()).run().unwrap();
        }),
        ("evict", "expiry", |client, _| {
            client.store().clock.advance(Duration::from_mins(1));
        }),
        ("evict", "key", |_, cache| {
            cache.evict(0_u64).run().unwrap();
        }),
        ("evict", "expiry, seen by a set", |client, cache| {
            client.store().clock.advance(Duration::from_mins(1));
            set(cache, 1000, 1000);
        }),
        ("clear", "clear", |_, cache| {
            cache.clear().run().unwrap();
        }),
    ];
    for (hook, what, removal) in removals {
        let (client, rule) = (Client::new(), Startled::at(hook));
        let builder = Cache::builder().clock(client.store().clock.clone());
        let (cache, knows) = between(builder, &rule);
        for key in 0..1000_u64 {
            let set = cache.set(key, &key).ttl(Duration::from_mins(1));
            assert!(set.run().unwrap());
        }
        assert!(rule.startles(|| removal(&client, &cache)), "{what}");
        let keys = cache.stats().total_keys;
        assert_eq!([keys, keys], knows.map(|it| it.len()), "{what}");
        assert!(keys == 0 || what == "key", "{what}: {keys}");
        let stats = cache.stats();
        let gone = stats.evictions + stats.expirations;
        assert_eq!(
            gone + stats.total_keys,
            if hook == "clear" { 0 } else { 1000 },
            "{what}"
        );
    }
}

#[cache(cache = cache, skip(cache), max_items = 10)]
fn bounded(cache: &Cache, x: u64) -> u64 {
    x
}

#[test]
fn bounds_hold_as_much_as_before() {
    let rule = Startled::at("evict");
    let cache = Cache::builder().rule(rule.clone()).max_items(100);
    let cache = cache.build().unwrap();
    let fill = || {
        for x in 0..200 {
            bounded(&cache, x);
            set(&cache, x, x);
        }
        let of_function = |x: &u64| peek!(bounded(&cache, *x)).unwrap().is_some();
        (
            cache.stats().total_keys,
            (0..200).filter(of_function).count(),
        )
    };
    let full = fill();
    assert_eq!(full.0, 100);
    assert!(rule.startles(|| cache.evict_by_scope(Scope::global()).run()));
    assert_eq!(cache.stats().total_keys, 0);
    assert_eq!(fill(), full);
    // one whose eviction makes room for another entry
    assert!(rule.startles(|| set(&cache, 1000, 1000)));
    // from an empty cache, as above: entries that are there are replaced, where both bounds may have made room just before
    cache.evict_by_scope(Scope::global()).run().unwrap();
    assert_eq!(fill(), full);
}

#[test]
fn what_makes_room_with_a_panic_is_replaced_all_the_same() {
    let rule = Startled::at("evict");
    let (cache, knows) = between(Cache::builder().rule(cacheado::rules::Lru::new(2)), &rule);
    assert!(set(&cache, 1, 1) && set(&cache, 2, 2));
    assert!(rule.startles(|| set(&cache, 3, 3)));
    assert_eq!(
        [1, 2, 3].map(|key| get(&cache, key)),
        [None, Some(2), Some(3)]
    );
    assert_eq!(knows.map(|it| it.len()), [2, 2]);
}

/// An entry that goes is removed from the store as soon as possible, and not served until then.
#[test]
fn the_shared_tier_is_told_of_what_goes() {
    type Removal = fn(&Cache);
    let removals: [(&str, &str, Removal); 6] = [
        ("evict", "key", |cache| drop(cache.evict(1_u64).run())),
        ("evict", "key, async", |cache| {
            drop(cache.evict(1_u64).into_future().now_or_never());
        }),
        ("evict", "scope", |cache| {
            drop(cache.evict_by_scope(Scope::global()).run());
        }),
        ("evict", "scope, async", |cache| {
            let evict = cache.evict_by_scope(Scope::global());
            drop(evict.into_future().now_or_never());
        }),
        ("clear", "all", |cache| drop(cache.clear().run())),
        ("clear", "all, async", |cache| {
            drop(cache.clear().into_future().now_or_never());
        }),
    ];
    within(LIMIT, move || {
        for (hook, what, removal) in removals {
            let (client, rule) = (Client::new(), Startled::at(hook));
            let cache = client.builder().rule(rule.clone()).build().unwrap();
            set(&cache, 1, 1);
            assert!(rule.startles(|| removal(&cache)), "{what}");
            assert_eq!(get(&cache, 1), None, "{what}");
            while !client.is_empty() {
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn the_shared_tier_is_told_of_what_expires_by_a_call() {
    within(LIMIT, || {
        let (client, rule) = (Client::new(), Startled::at("evict"));
        let cache = client.builder().rule(rule.clone()).build().unwrap();
        // without `stale`, an expired entry is removed
        put!(bounded(&cache, 1), 1).unwrap();
        assert!(rule.startles(|| expire!(bounded(&cache, 1))));
        assert_eq!(peek!(bounded(&cache, 1)).unwrap(), None);
        while !client.is_empty() {
            std::thread::yield_now();
        }
    });
}

#[cache(cache = cache, skip(cache, new))]
fn newest(cache: &Cache, new: u64, x: u64) -> u64 {
    let _ = x;
    new
}

/// The replacement is newer, whatever keeps it from being stored.
#[test]
fn what_a_value_was_to_replace_goes_when_a_rule_panics_over_that() {
    type Replacement = fn(&Cache);
    let replacements: [(&str, Replacement); 6] = [
        ("set", |cache| assert!(set(cache, 1, 2))),
        ("set, async", |cache| {
            drop(cache.set(1_u64, &2_u64).into_future().now_or_never());
        }),
        ("set of many", |cache| {
            drop(cache.set_many([(0_u64, &2_u64), (1, &2)]).run());
        }),
        ("set of many, async", |cache| {
            let set = cache.set_many([(0_u64, &2_u64), (1, &2)]);
            drop(set.into_future().now_or_never());
        }),
        ("put!", |cache| drop(put!(newest(cache, 0, 1), 2))),
        ("refresh!", |cache| {
            refresh!(newest(cache, 2, 1));
        }),
    ];
    within(LIMIT, move || {
        for hook in ["set", "replace"] {
            for in_process in [true, false] {
                for (what, replacement) in replacements {
                    let (client, rule) = (Client::new(), Startled::at(hook));
                    let builder = client.builder().in_process(in_process);
                    let (cache, knows) = between(builder, &rule);
                    // sees only what is in the store
                    let other = client.builder().in_process(false).build().unwrap();
                    set(&cache, 1, 1);
                    put!(newest(&cache, 0, 1), 1).unwrap();
                    let what = format!("{hook}, {what}, in process: {in_process}");
                    let panicked = rule.startles(|| replacement(&cache));
                    assert!(panicked, "{what}");
                    let of_function = what.contains('!');
                    let found = |cache: &Cache| {
                        if of_function {
                            peek!(newest(cache, 0, 1)).unwrap()
                        } else {
                            get(cache, 1)
                        }
                    };
                    assert_eq!(found(&cache), None, "{what}");
                    while found(&other).is_some() {
                        std::thread::yield_now();
                    }
                    if of_function {
                        assert_eq!(newest(&cache, 3, 1), 3, "{what}");
                    }
                    let keys = cache.stats().total_keys;
                    assert_eq!(keys, knows[0].len(), "{what}");
                }
            }
        }
    });
}

/// Each of the new values is newer than the one that was there, whether or not it is stored.
#[test]
fn nothing_older_is_left_of_many_when_a_rule_panics_over_one() {
    within(LIMIT, || {
        let (client, rule) = (Client::new(), Startled::at("third set"));
        let cache = client.builder().rule(rule.clone()).build().unwrap();
        let other = client.builder().in_process(false).build().unwrap();
        for key in 0..5 {
            set(&cache, key, 1);
        }
        let keys = [(0_u64, &2_u64), (1, &2), (3, &2), (4, &2)];
        assert!(rule.startles(|| cache.set_many(keys).run()));
        while [0, 1, 3, 4].iter().any(|key| get(&other, *key).is_some()) {
            std::thread::yield_now();
        }
        assert_eq!(get(&other, 2), Some(1), "nobody has touched it");
        assert_eq!([0, 1, 3, 4].map(|key| get(&cache, key)), [None; 4]);
    });
}

/// A value that evicts its own entry when dropped.
#[derive(Clone)]
struct Returning {
    cache: Weak<Cache>,
    x: u32,
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade() {
            let _ = evict!(returning(&cache, self.x));
            let _ = cache.evict("another").run();
        }
    }
}

#[cache(cache = cache, skip(cache), local)]
fn returning(cache: &Arc<Cache>, x: u32) -> Returning {
    Returning {
        cache: Arc::downgrade(cache),
        x,
    }
}

#[test]
fn what_goes_for_a_panic_may_use_the_cache_when_it_is_dropped() {
    type Call = fn(&Arc<Cache>);
    let calls: [(&str, bool, Call); 7] = [
        ("set", false, |cache| drop(returning(cache, 1))),
        ("insert", false, |cache| drop(returning(cache, 1))),
        ("replace", true, |cache| drop(refresh!(returning(cache, 1)))),
        ("set", true, |cache| drop(refresh!(returning(cache, 1)))),
        ("insert", false, put_returning),
        ("replace", true, put_returning),
        ("evict", true, |cache| _ = evict!(returning(cache, 1))),
    ];
    for (hook, stored, call) in calls {
        within(LIMIT, move || {
            let rule = Startled::at(hook);
            let cache = Cache::builder().rule(rule.clone()).build().unwrap();
            let cache = Arc::new(cache);
            let kept = stored.then(|| returning(&cache, 1));
            assert!(rule.startles(|| call(&cache)), "{hook}");
            assert_eq!(cache.stats().total_keys, 0, "{hook}");
            drop(kept);
        });
    }
}

fn put_returning(cache: &Arc<Cache>) {
    let x = 1;
    let value = Returning {
        cache: Arc::downgrade(cache),
        x,
    };
    let _ = put!(returning(cache, x), value);
}

#[test]
fn each_look_up_of_many_counts_once_when_a_rule_panics_over_one() {
    let (client, rule) = (Client::new(), Startled::at("third set"));
    let cache = client.builder().rule(rule.clone()).build().unwrap();
    let other = client.clone().cache();
    let entries: Vec<(u64, u64)> = (0..5).map(|key| (key, key)).collect();
    let entries = entries.iter().map(|(key, value)| (key, value));
    other.set_many(entries).run().unwrap();
    assert!(rule.startles(|| cache.get_many::<u64, _>(0_u64..5).run()));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (2, 3));
}

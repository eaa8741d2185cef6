//! Options: the effect of each option of `#[cache]` and `#[cache_put]`, on sync and async functions.

#![allow(
    clippy::used_underscore_binding,
    reason = "arguments that only the key needs"
)]

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, LazyLock};
use std::thread;

use cacheado::{Cache, cache, cache_impl, default_cache, evict, peek, scopes};
use futures::executor::block_on;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

/// A cache, and the number of runs of a body on it.
struct Bench {
    cache: Cache,
    runs: AtomicU32,
}

impl Bench {
    fn new() -> Self {
        Self {
            cache: cache(),
            runs: AtomicU32::new(0),
        }
    }

    fn run<T>(&self, value: T) -> T {
        self.runs.fetch_add(1, Ordering::SeqCst);
        value
    }

    /// The number of runs since the last call of this method.
    fn ran(&self) -> u32 {
        self.runs.swap(0, Ordering::SeqCst)
    }
}

/// Defines a function as sync and as async, and runs one test on both, each called as a sync function.
macro_rules! both {
    ($test:ident: skip($($skip:ident),*) #[$($options:tt)*] ($bench:ident $(, $arg:ident: $ty:ty)*) -> $ret:ty { $($body:tt)* }, $check:expr) => {
        mod $test {
            use super::*;

            #[cache(cache = $bench.cache, skip($bench $(, $skip)*), $($options)*)]
            pub(super) fn blocking($bench: &Bench $(, $arg: $ty)*) -> $ret {
                $($body)*
            }

            #[cache(cache = $bench.cache, skip($bench $(, $skip)*), $($options)*)]
            pub(super) async fn waiting($bench: &Bench $(, $arg: $ty)*) -> $ret {
                // an await point in the body
                std::future::ready(()).await;
                $($body)*
            }

            #[test]
            fn sync() {
                let check: fn(&Bench, fn(&Bench $(, $ty)*) -> $ret) = $check;
                check(&Bench::new(), |bench $(, $arg)*| blocking(bench $(, $arg)*));
            }

            #[test]
            fn async_() {
                let check: fn(&Bench, fn(&Bench $(, $ty)*) -> $ret) = $check;
                check(&Bench::new(), |bench $(, $arg)*| block_on(waiting(bench $(, $arg)*)));
            }
        }
    };
}

both!(when_stores_only_what_passes:
skip() #[when = |value| *value > 10]
(bench, x: u32) -> u32 { bench.run(x) },
|bench, call| {
    assert_eq!((call(bench, 10), call(bench, 10)), (10, 10));
    assert_eq!(bench.ran(), 2);
    assert_eq!((call(bench, 11), call(bench, 11)), (11, 11));
    assert_eq!(bench.ran(), 1);
});

both!(when_sees_what_is_stored_of_a_result:
skip() #[when = |value: &Vec<u32>| !value.is_empty()]
(bench, x: u32) -> Result<Vec<u32>, String> { bench.run(Ok(vec![7; x as usize])) },
|bench, call| {
    for _ in 0..3 {
        assert_eq!(call(bench, 0), Ok(vec![]));
        assert_eq!(call(bench, 1), Ok(vec![7]));
    }
    assert_eq!(bench.ran(), 4);
});

both!(when_may_look_at_an_argument:
skip() #[when = |value| *value > least]
(bench, x: u32, least: u32) -> u32 { bench.run(x.min(least + x)) },
|bench, call| {
    for _ in 0..3 {
        call(bench, 5, 4);
        call(bench, 5, 5);
    }
    assert_eq!(bench.ran(), 4);
});

both!(bypass_neither_reads_nor_stores:
skip(fresh) #[bypass = fresh]
(bench, x: u32, fresh: bool) -> u32 { bench.run(x) },
|bench, call| {
    call(bench, 1, true);
    call(bench, 1, true);
    assert_eq!((bench.ran(), bench.cache.stats().total_keys), (2, 0));
    call(bench, 1, false);
    call(bench, 1, false);
    assert_eq!(bench.ran(), 1);
    call(bench, 1, true);
    assert_eq!((bench.ran(), bench.cache.stats().total_keys), (1, 1));
    let stats = bench.cache.stats();
    assert_eq!((stats.hits, stats.misses), (1, 1), "a bypass is no look-up");
});

both!(none_is_a_value:
skip() #[ttl = 60]
(bench, x: u32) -> Option<u32> { bench.run(x.checked_sub(1)) },
|bench, call| {
    for _ in 0..2 {
        assert_eq!(call(bench, 0), None);
        assert_eq!(call(bench, 1), Some(0));
    }
    assert_eq!(bench.ran(), 2);
});

both!(none_is_not_stored_if_told_so:
skip() #[cache_none = false]
(bench, x: u32) -> Option<u32> { bench.run(x.checked_sub(1)) },
|bench, call| {
    for _ in 0..2 {
        assert_eq!(call(bench, 0), None);
        assert_eq!(call(bench, 1), Some(0));
    }
    assert_eq!((bench.ran(), bench.cache.stats().total_keys), (3, 1));
});

both!(none_in_a_result_is_not_stored_if_told_so:
skip() #[cache_none = false]
(bench, x: u32) -> Result<Option<u32>, String> { bench.run(Ok(x.checked_sub(1))) },
|bench, call| {
    for _ in 0..2 {
        assert_eq!(call(bench, 0), Ok(None));
        assert_eq!(call(bench, 1), Ok(Some(0)));
    }
    assert_eq!(bench.ran(), 3);
});

both!(cache_none_true_is_the_default:
skip() #[cache_none = true]
(bench, x: u32) -> Option<u32> { bench.run(x.checked_sub(1)) },
|bench, call| {
    call(bench, 0);
    call(bench, 0);
    assert_eq!(bench.ran(), 1);
});

both!(cache_none_and_when_both_have_a_say:
skip() #[cache_none = false, when = |value| *value != Some(7)]
(bench, x: u32) -> Option<u32> { bench.run((x > 0).then_some(x)) },
|bench, call| {
    for x in [0, 7, 8] {
        call(bench, x);
        call(bench, x);
    }
    assert_eq!(bench.ran(), 5);
});

both!(an_err_is_not_stored:
skip() #[ttl = 60]
(bench, x: u32) -> Result<u32, String> {
    bench.run(if x > 0 { Ok(x) } else { Err("zero".to_owned()) })
},
|bench, call| {
    for _ in 0..2 {
        assert_eq!(call(bench, 0), Err("zero".to_owned()));
        assert_eq!(call(bench, 1), Ok(1));
    }
    assert_eq!((bench.ran(), bench.cache.stats().total_keys), (3, 1));
});

both!(an_option_of_a_result_is_stored_as_a_whole:
skip() #[ttl = 60]
(bench, x: u32) -> Option<Result<u32, String>> { bench.run(Some(Err(x.to_string()))) },
|bench, call| {
    call(bench, 0);
    assert_eq!(call(bench, 0), Some(Err("0".to_owned())));
    assert_eq!(bench.ran(), 1);
});

both!(skipped_arguments_are_no_part_of_the_key:
skip(trace) #[ttl = 60]
(bench, x: u32, trace: &str) -> String { bench.run(format!("{x} {trace}")) },
|bench, call| {
    assert_eq!(call(bench, 1, "a"), "1 a");
    assert_eq!(call(bench, 1, "b"), "1 a");
    assert_eq!(call(bench, 2, "b"), "2 b");
    assert_eq!(bench.ran(), 2);
});

both!(a_key_replaces_the_arguments:
skip() #[key = (x % 10, text.to_lowercase())]
(bench, x: u32, text: &str) -> String { bench.run(format!("{x} {text}")) },
|bench, call| {
    assert_eq!(call(bench, 1, "A"), "1 A");
    assert_eq!(call(bench, 11, "a"), "1 A");
    assert_eq!(call(bench, 12, "a"), "12 a");
    assert_eq!(bench.ran(), 2);
});

both!(a_key_leaves_the_scope_in:
skip() #[scope = "user", key = text.len()]
(bench, org_id: &str, user_id: u32, text: &str) -> String {
    bench.run(format!("{org_id} {user_id} {text}"))
},
|bench, call| {
    assert_eq!(call(bench, "acme", 1, "a"), "acme 1 a");
    assert_eq!(call(bench, "acme", 1, "b"), "acme 1 a");
    assert_eq!(call(bench, "acme", 2, "b"), "acme 2 b");
    assert_eq!(call(bench, "initech", 1, "b"), "initech 1 b");
    let evicted = bench.cache.evict_by_scope(scope::organization("acme")).run();
    assert_eq!(evicted.unwrap(), 2);
});

both!(max_items_bounds_the_function:
skip() #[max_items = 2]
(bench, x: u32) -> u32 { bench.run(x) },
|bench, call| {
    for x in [1, 2, 1, 3] {
        call(bench, x);
    }
    assert_eq!(bench.ran(), 3);
    call(bench, 1);
    assert_eq!(bench.ran(), 0);
    call(bench, 2);
    assert_eq!((bench.ran(), bench.cache.stats().total_keys), (1, 2));
});

both!(single_flight_true_is_the_default:
skip() #[single_flight = true]
(bench, x: u32) -> u32 { bench.run(x) },
|bench, call| {
    call(bench, 1);
    call(bench, 1);
    assert_eq!(bench.ran(), 1);
});

/// Implements neither trait of serde.
#[derive(Clone, Debug, PartialEq)]
struct Plain(u32);

both!(a_local_value_needs_no_serde:
skip() #[local]
(bench, x: u32) -> Result<Plain, String> { bench.run(Ok(Plain(x))) },
|bench, call| {
    assert_eq!(call(bench, 1), Ok(Plain(1)));
    assert_eq!(call(bench, 1), Ok(Plain(1)));
    assert_eq!(bench.ran(), 1);
});

const BOUND: usize = 2;
const VERSION: u32 = 3;

both!(constants_serve_as_numbers:
skip() #[max_items = BOUND, version = VERSION]
(bench, x: u32) -> u32 { bench.run(x) },
|bench, call| {
    for x in 0..5 {
        call(bench, x);
    }
    assert_eq!(bench.cache.stats().total_keys, 2);
});

/// Of the type of the builder's own bound.
const BOUND_OF_BUILDER: u64 = 2;

both!(a_bound_is_a_constant_of_the_builders_type_as_well:
skip() #[max_items = BOUND_OF_BUILDER + 1]
(bench, x: u32) -> u32 { bench.run(x) },
|bench, call| {
    for x in 0..5 {
        call(bench, x);
    }
    assert_eq!(bench.cache.stats().total_keys, 3);
});

both!(a_bound_may_be_more_than_most_types_hold:
skip() #[max_items = 4_294_967_296]
(bench, x: u32) -> u32 { bench.run(x) },
|bench, call| {
    for x in 0..5 {
        call(bench, x);
    }
    assert_eq!(bench.cache.stats().total_keys, 5);
});

both!(all_options_go_together:
skip(_trace) #[
    ttl = |value| std::time::Duration::from_secs(value.len() as u64),
    scope("user", org_id = org.trim(), user_id = user + 1),
    scopes = crate::scope,
    key = (org, user, text),
    name = "all options",
    version = 2,
    max_items = 10,
    when = |value| value != "no",
    bypass = text.is_empty(),
    local,
    single_flight = false,
]
(bench, org: &str, user: u32, text: &str, _trace: bool) -> String {
    bench.run(format!("{org}{user}{text}"))
},
|bench, call| {
    call(bench, " acme ", 1, "a", true);
    call(bench, " acme ", 1, "a", false);
    assert_eq!(bench.ran(), 1);
    call(bench, "acme", 1, "", true);
    call(bench, "acme", 1, "", true);
    assert_eq!(bench.ran(), 2);
    let evicted = bench.cache.evict_by_scope(scope::user("acme", 2)).run();
    assert_eq!(evicted.unwrap(), 1);
});

/// Concurrent callers each run the body, all at the same time.
#[test]
fn without_single_flight_callers_run_side_by_side() {
    #[cache(cache = cache, skip(cache, inside), single_flight = false)]
    fn met(cache: &Cache, inside: &Barrier) -> bool {
        let _ = cache;
        inside.wait();
        true
    }

    let cache = cache();
    let inside = Barrier::new(4);
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| met(&cache, &inside));
        }
    });
    assert_eq!(cache.stats().loads, 4);
    assert!(peek!(met(&cache, &inside)).unwrap().unwrap());
}

#[test]
fn without_single_flight_futures_run_side_by_side() {
    #[cache(cache = cache, skip(cache, inside), single_flight = false)]
    async fn met(cache: &Cache, inside: &tokio::sync::Barrier) -> bool {
        let _ = cache;
        inside.wait().await;
        true
    }

    let cache = cache();
    let inside = tokio::sync::Barrier::new(3);
    let calls = || met(&cache, &inside);
    block_on(async { futures::join!(calls(), calls(), calls()) });
    assert_eq!(cache.stats().loads, 3);
}

mod versions {
    use super::*;

    #[cache(cache = cache, skip(cache), name = "versioned", version = 1)]
    pub(super) fn first(cache: &Cache, x: u32) -> u32 {
        let _ = cache;
        x
    }

    #[cache(cache = cache, skip(cache), name = "versioned", version = 2)]
    pub(super) fn second(cache: &Cache, x: u32) -> u32 {
        let _ = cache;
        x + 100
    }

    #[cache(cache = cache, skip(cache), name = "versioned", version = 2)]
    pub(super) fn second_again(cache: &Cache, x: u32) -> u32 {
        let _ = cache;
        x + 200
    }
}

#[test]
fn versions_of_one_name_share_nothing_and_equal_ones_do() {
    let cache = cache();
    assert_eq!(versions::first(&cache, 1), 1);
    assert_eq!(versions::second(&cache, 1), 101);
    assert_eq!(versions::second_again(&cache, 1), 101);
    assert!(evict!(versions::second_again(&cache, 1)).unwrap());
    assert_eq!(versions::second_again(&cache, 1), 201);
    assert_eq!(versions::second(&cache, 1), 201);
    assert_eq!(versions::first(&cache, 1), 1);
    let stats = cache.stats();
    assert_eq!((stats.total_keys, stats.loads), (2, 3));
}

#[test]
fn a_name_is_what_statistics_show() {
    let cache = cache();
    versions::first(&cache, 1);
    let stats = cache.stats();
    assert_eq!(stats.by_function.keys().collect::<Vec<_>>(), ["versioned"]);
}

/// A sync and an async function can share a name, since their keys are the same.
#[test]
fn a_name_can_be_shared_by_a_sync_and_an_async_function() {
    #[cache(cache = cache, skip(cache), name = "of both drivers")]
    fn blocking(cache: &Cache, x: u32) -> u32 {
        let _ = cache;
        x
    }

    #[cache(cache = cache, skip(cache), name = "of both drivers")]
    async fn waiting(cache: &Cache, x: u32) -> Result<u32, String> {
        let _ = cache;
        Ok(x + 1)
    }

    let cache = cache();
    assert_eq!(blocking(&cache, 1), 1);
    assert_eq!(block_on(waiting(&cache, 1)), Ok(1));
    assert_eq!(block_on(waiting(&cache, 2)), Ok(3));
    assert_eq!(blocking(&cache, 2), 3);
}

static STATIC: LazyLock<Cache> = LazyLock::new(cache);

fn current() -> &'static Cache {
    &STATIC
}

thread_local! {
    static CURRENT: Cell<Option<&'static Cache>> = const { Cell::new(None) };
}

mod caches {
    use super::*;

    #[cache]
    pub(super) fn default(x: u32) -> u32 {
        x
    }

    #[cache(cache = &*STATIC)]
    pub(super) fn of_static(x: u32) -> u32 {
        x
    }

    #[cache(cache = STATIC)]
    pub(super) fn of_static_itself(x: u32) -> u32 {
        x
    }

    #[cache(cache = current())]
    pub(super) async fn of_call(x: u32) -> u32 {
        x
    }

    #[cache(cache = STATIC.clone())]
    pub(super) async fn of_temporary(x: u32) -> u32 {
        x
    }

    #[cache(cache = cache, skip(cache))]
    pub(super) fn of_owned(cache: Cache, x: u32) -> u32 {
        drop(cache);
        x
    }

    #[cache(cache = *cache, skip(cache))]
    pub(super) fn of_dereferenced(cache: &Cache, x: u32) -> u32 {
        let _ = cache;
        x
    }

    #[cache(cache = cache, skip(cache))]
    pub(super) async fn of_arc(cache: Arc<Cache>, x: u32) -> u32 {
        drop(cache);
        x
    }

    #[cache(cache = caches[x as usize % 2], skip(caches))]
    pub(super) fn of_index(caches: &[Cache], x: u32) -> u32 {
        let _ = caches;
        x
    }

    #[cache(cache = if x > 9 { large } else { small }, skip(large, small))]
    pub(super) fn of_condition(large: &Cache, small: &Cache, x: u32) -> u32 {
        let _ = (large, small);
        x
    }

    #[cache(cache = { let cache = CURRENT.get(); cache.unwrap() })]
    pub(super) fn of_block(x: u32) -> u32 {
        x
    }
}

/// Calls twice, and checks that `cache` counted one miss and one hit.
#[track_caller]
fn on(cache: &Cache, call: impl Fn() -> u32) {
    let before = cache.stats();
    assert_eq!(call(), call());
    let after = cache.stats();
    assert_eq!(after.hits - before.hits, 1);
    assert_eq!(after.misses - before.misses, 1);
    assert_eq!(after.total_keys - before.total_keys, 1);
}

/// A single test, because it compares the counts of a shared static.
#[test]
fn the_cache_is_any_expression_that_gives_one() {
    // other tests use the process-wide cache concurrently, so only this function's counts are compared
    assert_eq!(caches::default(1), caches::default(1));
    let stats = default_cache().stats();
    let counts = stats
        .by_function
        .iter()
        .find(|(name, _)| name.ends_with("caches::default"));
    let (_, counts) = counts.expect("it has been called");
    assert_eq!((counts.hits, counts.misses), (1, 1));
    on(&STATIC, || caches::of_static(1));
    on(&STATIC, || caches::of_static_itself(1));
    on(&STATIC, || block_on(caches::of_call(1)));
    on(&STATIC, || block_on(caches::of_temporary(1)));
    let own = cache();
    on(&own, || caches::of_owned(own.clone(), 1));
    on(&own, || caches::of_dereferenced(&own, 1));
    let arc = Arc::new(own.clone());
    on(&own, || block_on(caches::of_arc(Arc::clone(&arc), 1)));
    let several = [cache(), cache()];
    on(&several[0], || caches::of_index(&several, 2));
    on(&several[1], || caches::of_index(&several, 1));
    on(&several[0], || {
        caches::of_condition(&several[0], &several[1], 10)
    });
    on(&several[1], || {
        caches::of_condition(&several[0], &several[1], 9)
    });
    CURRENT.set(Some(current()));
    on(&STATIC, || caches::of_block(1));
}

struct Shop {
    name: String,
    cache: Arc<Cache>,
}

#[cache_impl]
impl Shop {
    #[cache(cache = self.cache, key = (&self.name, item))]
    fn price(&self, item: u32) -> String {
        format!("{} {item}", self.name)
    }

    #[cache(cache = self.cache(), scope("organization", org_id = self.name))]
    async fn stock(&self, item: u32) -> String {
        format!("{} {item}", self.name)
    }

    #[cache(cache = Self::shared())]
    fn currencies(count: u32) -> u32 {
        count
    }

    fn cache(&self) -> &Cache {
        &self.cache
    }

    fn shared() -> &'static Cache {
        // not `STATIC`, whose counts another test compares
        static SHARED: LazyLock<Cache> = LazyLock::new(cache);
        &SHARED
    }
}

#[test]
fn the_cache_may_come_from_self() {
    let shop = Shop {
        name: "corner".to_owned(),
        cache: Arc::new(cache()),
    };
    for _ in 0..2 {
        assert_eq!(shop.price(1), "corner 1");
        assert_eq!(block_on(shop.stock(1)), "corner 1");
        assert_eq!(Shop::currencies(3), 3);
    }
    let stats = shop.cache.stats();
    assert_eq!((stats.hits, stats.misses), (2, 2));
    assert_eq!(peek!(Shop::currencies(3)).unwrap(), Some(3));
    let corner = scope::organization("corner");
    assert_eq!(shop.cache.evict_by_scope(corner).run().unwrap(), 1);
}

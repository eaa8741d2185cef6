//! Allocations: a hit makes none, and the memory that a cache keeps for itself is bounded by what it holds.

#![allow(unsafe_code, reason = "a global allocator is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cacheado::rules::{Lru, MaxItems, Ttl};
use cacheado::testing::ManualClock;
use cacheado::{Cache, Hierarchy, cache, scopes};

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

/// The system allocator, counting allocations and live bytes per thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
}

fn note(allocations: u64, bytes: i64) {
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + allocations));
    let _ = LIVE_BYTES.try_with(|live| live.set(live.get() + bytes));
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every call is passed unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, signed(layout.size()));
        // SAFETY: the caller upholds the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, -signed(layout.size()));
        // SAFETY: the caller upholds the same contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, signed(size) - signed(layout.size()));
        // SAFETY: the caller upholds the same contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the result of `run` and the number of allocations it made in this thread.
fn allocations<T>(run: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATIONS.get();
    let result = run();
    (result, ALLOCATIONS.get() - before)
}

/// Returns how many more bytes this thread holds after `run` than before.
fn growth(run: impl FnOnce()) -> i64 {
    let before = LIVE_BYTES.get();
    run();
    LIVE_BYTES.get() - before
}

/// Polls a future once; it must be ready.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a hit is ready at once"),
    }
}

/// A cache in which a hit takes every step: LRU order, a lifetime check, statistics.
fn cache() -> Cache {
    Cache::builder()
        .rule(Ttl::new().max(Duration::from_hours(1)))
        .rule(Lru::new(1000))
        .rule(MaxItems::new(2000))
        .build()
        .unwrap()
}

#[cache(cache = cache, skip(cache), scope = "user", ttl = 300)]
fn profile(cache: &Cache, org_id: &str, user_id: u64, title: &str, locale: String) -> Arc<str> {
    format!("{title} {org_id} {user_id} {locale}").into()
}

#[cache(cache = cache, skip(cache), scope = "user", ttl = 300)]
async fn profile_async(
    cache: &Cache,
    org_id: &str,
    user_id: String,
    title: &str,
    locale: String,
) -> Result<Arc<str>, String> {
    Ok(format!("{title} {org_id} {user_id} {locale}").into())
}

#[cache(cache = cache, skip(cache), max_items = 10, ttl = |_| Duration::from_secs(60), when = |_| true)]
fn bounded(cache: &Cache, x: Option<(u64, f64)>, flags: &[bool]) -> Option<Arc<Vec<u64>>> {
    let (x, _) = x?;
    Some(Arc::new(vec![x, flags.len() as u64]))
}

#[test]
fn the_counter_counts() {
    let (_, count) = allocations(|| vec![1_u8]);
    assert_eq!(count, 1);
}

#[test]
fn a_hit_of_a_sync_function_allocates_nothing() {
    let cache = cache();
    let first = profile(&cache, "acme", 7, "Dr.", "en".to_owned());
    // the caller allocates an owned argument before the call
    let locale = "en".to_owned();
    let (second, count) = allocations(|| profile(&cache, "acme", 7, "Dr.", locale));
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(count, 0);
}

#[test]
fn a_hit_of_an_async_function_allocates_nothing() {
    let cache = cache();
    let (org, user) = ("acme", "7");
    let first = now(profile_async(
        &cache,
        org,
        user.to_owned(),
        "Dr.",
        "en".to_owned(),
    ))
    .unwrap();
    let (user, locale) = (user.to_owned(), "en".to_owned());
    let (second, count) = allocations(|| now(profile_async(&cache, org, user, "Dr.", locale)));
    assert!(Arc::ptr_eq(&first, &second.unwrap()));
    assert_eq!(count, 0);
}

#[cache(cache = cache, skip(cache, value), scope = "user", ttl = 300)]
fn shelved(cache: &Cache, org_id: &str, user_id: u64, value: &Arc<str>) -> Arc<str> {
    Arc::clone(value)
}

#[test]
fn a_miss_that_another_entry_has_to_go_for_allocates_once() {
    let cache = Cache::builder().max_items(100).build().unwrap();
    let value = "a value that has something to drop".into();
    let miss = |user_id| allocations(|| shelved(&cache, "acme", user_id, &value)).1;
    // a table grows occasionally
    let fewest = (0..1_000).map(miss).skip(200).min();
    assert_eq!(fewest, Some(1), "the load itself");
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.evictions), (1_000, 900));
}

#[test]
fn a_hit_with_a_bound_and_closures_allocates_nothing() {
    let cache = cache();
    let first = bounded(&cache, Some((1, 0.5)), &[true]);
    let (second, count) = allocations(|| bounded(&cache, Some((1, 0.5)), &[true]));
    assert_eq!((first, count), (second, 0));
}

#[test]
fn a_hit_on_a_manual_clock_allocates_nothing() {
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).build().unwrap();
    profile(&cache, "acme", 7, "Dr.", String::new());
    clock.advance(Duration::from_secs(299));
    let (_, count) = allocations(|| profile(&cache, "acme", 7, "Dr.", String::new()));
    assert_eq!((count, cache.stats().hits), (0, 1));
}

#[test]
fn a_programmatic_hit_allocates_nothing() {
    let cache = cache();
    let value: Arc<str> = "value".into();
    cache.set("key", &value).run().unwrap();
    let key = "key".to_owned();
    cache.get::<Arc<str>>(&key).run().unwrap();

    let (blocking, count) = allocations(|| cache.get::<Arc<str>>(&key).run());
    assert!(Arc::ptr_eq(&value, &blocking.unwrap().unwrap()));
    assert_eq!(count, 0, "run()");

    let (awaited, count) = allocations(|| now(cache.get::<Arc<str>>("key").into_future()));
    assert!(Arc::ptr_eq(&value, &awaited.unwrap().unwrap()));
    assert_eq!(count, 0, "await");
}

#[test]
fn a_programmatic_hit_in_a_scope_that_is_at_hand_allocates_nothing() {
    let cache = cache();
    let scope = scope::user("acme", 7);
    let value: Arc<str> = "value".into();
    cache.set("key", &value).scope(scope.clone()).run().unwrap();
    // the first lookup of a level in a thread allocates that level's counters
    cache
        .get::<Arc<str>>("key")
        .scope(scope.clone())
        .run()
        .unwrap();
    let (found, count) = allocations(|| cache.get::<Arc<str>>("key").scope(scope.clone()).run());
    assert!(found.unwrap().is_some());
    assert_eq!(count, 0);
}

#[test]
fn a_hit_of_get_or_load_allocates_nothing() {
    let cache = cache();
    let load = || -> Arc<str> { "value".into() };
    let first: Arc<str> = cache.get_or_load("key", load).run().unwrap();
    let (second, count) = allocations(|| cache.get_or_load("key", load).run());
    assert!(Arc::ptr_eq(&first, &second.unwrap()));
    assert_eq!(count, 0);
}

/// Asserts that memory does not grow with the number of rounds. Periodic cleanup stays within `SLACK`; a leak of sixteen bytes per
/// round would exceed twice `SLACK`.
fn assert_bounded(what: &str, round: impl Fn(u32)) {
    const SLACK: i64 = 128 * 1024;
    (0..2_000).for_each(&round);
    let more = growth(|| (2_000..22_000).for_each(&round));
    assert!(more <= SLACK, "{what}: {more} bytes more");
}

#[test]
fn setting_and_evicting_one_key_again_and_again_keeps_nothing() {
    let cache = cache();
    assert_bounded("one key", |_| {
        cache.set("key", &1_u8).run().unwrap();
        cache.evict("key").run().unwrap();
    });
}

#[test]
fn setting_and_evicting_one_scope_again_and_again_keeps_nothing() {
    let cache = cache();
    assert_bounded("one scope", |round| {
        let scope = scope::user("acme", round);
        cache
            .set(round, &1_u8)
            .scope(scope)
            .ttl(Duration::from_secs(9))
            .run()
            .unwrap();
        cache
            .evict_by_scope(scope::organization("acme"))
            .run()
            .unwrap();
    });
}

#[test]
fn a_key_that_is_refused_again_and_again_keeps_nothing() {
    let cache = Cache::builder()
        .rule(Lru::new(10))
        .rule(MaxItems::new(1))
        .build()
        .unwrap();
    cache.set("first", &1_u8).run().unwrap();
    assert_bounded("refused", |_| {
        assert!(!cache.set("second", &1_u8).run().unwrap());
    });
}

#[test]
fn keys_that_come_and_go_keep_nothing() {
    let cache = cache();
    assert_bounded("many keys", |round| {
        cache
            .set(round, &1_u8)
            .ttl(Duration::from_secs(9))
            .run()
            .unwrap();
        cache.evict(round).run().unwrap();
    });
    assert_bounded("a bounded function", |round| {
        bounded(&cache, Some((u64::from(round) % 50, 0.0)), &[]);
    });
}

#[test]
fn a_lifetime_that_is_renewed_again_and_again_keeps_nothing() {
    let cache = cache();
    assert_bounded("renewed", |_| {
        cache
            .set("key", &1_u8)
            .ttl(Duration::from_secs(9))
            .run()
            .unwrap();
    });
}

/// Registers many other functions and levels, as in a large process.
fn call_many_others() {
    const OTHERS: usize = 4_000;
    let level = |nth: usize| (format!("level{nth}"), format!("level{nth}_id"));
    let hierarchy = (0..OTHERS).map(level);
    let hierarchy = hierarchy.fold(Hierarchy::builder(), |builder, (name, id)| {
        builder.level(&name, &id)
    });
    let cache = Cache::builder().scopes(hierarchy.build().unwrap());
    let cache = cache.build().unwrap();
    for (name, id) in (0..OTHERS).map(level) {
        // each level has a number, like each function
        let scope = cache.scope(&name, [(&*id, "1")]).unwrap();
        cache.set(1, &1).scope(scope).run().unwrap();
    }
}

#[test]
fn a_cache_takes_no_room_for_functions_that_it_is_not_used_by() {
    #[cache(cache = cache, skip(cache))]
    fn alone(cache: &Cache, x: u64) -> u64 {
        x
    }
    call_many_others();
    let new = || Cache::builder().build().unwrap();
    let fill = |cache: &Cache| (0..1_000).for_each(|x| _ = alone(cache, x));
    // the first cache takes over what the thread keeps for its next cache
    let (first, second) = (new(), new());
    fill(&first);
    let more = growth(|| fill(&second));
    assert!(more < 400_000, "{more} bytes for 1000 entries");
    let stats = second.stats();
    assert_eq!((stats.loads, stats.by_function.len()), (1_000, 1));
    assert!(
        stats.by_function.keys().all(|name| name.contains("alone")),
        "{stats}"
    );
    // earlier registered functions are found too, once the cache has entries of theirs
    (0..1_000_u64).for_each(|key| _ = second.set(key, &key).run().unwrap());
    for x in 0..1_000 {
        assert_eq!(second.get(x).run().unwrap(), Some(x));
        assert_eq!(alone(&second, x), x);
    }
    assert_eq!(second.stats().loads, 1_000);
}

/// A program with one cache per tenant instead of a scope pays this cost per tenant.
#[test]
fn a_cache_takes_some_kilobytes() {
    /// The median of this many is taken: making a cache may also grow the global list of caches for those made by other threads, and
    /// free dropped caches of theirs.
    const MADE: usize = 9;
    let made = |make: fn() -> Cache| {
        let mut caches = Vec::with_capacity(1 + MADE);
        // allocations made once per process are done
        caches.push(make());
        profile(&caches[0], "acme", 7, "Dr", "en".to_owned());
        let mut each: Vec<_> = (0..MADE).map(|_| growth(|| caches.push(make()))).collect();
        each.sort_unstable();
        each[MADE / 2]
    };
    let empty = made(|| Cache::builder().build().unwrap());
    assert!(empty < 12_000, "{empty} bytes");
    let bounded = made(|| Cache::builder().max_items(1000).build().unwrap());
    assert!(bounded < 12_000, "{bounded} bytes");
}

/// As if as many callers had each looked up one key at the same time.
#[test]
fn many_loads_at_once_keep_nothing() {
    let cache = cache();
    let at_once = |count: u32| {
        let found = cache.get_many::<u8, _>(0..count).run().unwrap();
        assert!(found.iter().all(Option::is_none));
    };
    at_once(1);
    let more = growth(|| at_once(50_000));
    assert!(more < 100_000, "{more} bytes are kept");
    let scoped = |count: u32| {
        let scope = scope::user("acme", 1);
        let evict = |missing: Vec<u32>| {
            cache.evict_by_scope(scope.clone()).run().unwrap();
            missing.into_iter().map(|key| (key, 1_u8))
        };
        let loaded = cache.get_or_load_many(0..count, evict);
        assert!(loaded.scope(scope.clone()).run().unwrap()[0].is_some());
    };
    scoped(1);
    let more = growth(|| scoped(50_000));
    assert!(
        more < 100_000,
        "{more} bytes are kept of those that were outdated"
    );
}

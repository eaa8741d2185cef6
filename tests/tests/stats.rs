//! Statistics: every lookup is one hit or one miss, by function and by level as in total, under any concurrency. People and programs
//! can read them.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use cacheado::rules::Lru;
use cacheado::testing::ManualClock;
use cacheado::{Cache, Counts, Stats, bypass, cache, evict, peek, put, refresh, scopes};
use futures::executor::block_on;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

#[cache(cache = cache, skip(cache))]
fn square(cache: &Cache, x: u64) -> u64 {
    let _ = cache;
    x * x
}

#[cache(cache = cache, skip(cache), name = "the profile", scope = "user", ttl = 60)]
async fn profile(cache: &Cache, org_id: &str, user_id: u64) -> Result<u64, String> {
    let _ = (cache, org_id);
    if user_id == 0 {
        Err("nobody".to_owned())
    } else {
        Ok(user_id)
    }
}

#[cache(cache = cache, skip(cache), scope = "user", max_items = 1)]
fn bounded(cache: &Cache, org_id: &str, user_id: u64) -> u64 {
    let _ = (cache, org_id);
    user_id
}

/// The counts of one function.
fn of(stats: &Stats, function: &str) -> Counts {
    stats.by_function.get(function).copied().unwrap_or_default()
}

const THREADS: u64 = 8;
const CALLS: u64 = 4_000;

#[test]
fn hits_and_misses_are_the_look_ups_under_threads() {
    let cache = Cache::builder().rule(Lru::new(40)).build().unwrap();
    let start = Barrier::new(8);
    thread::scope(|threads| {
        for thread in 0..THREADS {
            let (cache, start) = (&cache, &start);
            threads.spawn(move || {
                start.wait();
                for call in 0..CALLS {
                    let x = (call * 7 + thread * 13) % 60;
                    match call % 4 {
                        0 => _ = square(cache, x),
                        1 => _ = block_on(profile(cache, "acme", x % 5)),
                        2 => _ = cache.get::<u64>(x).run().unwrap(),
                        _ => _ = cache.get_or_load(x, || x).run().unwrap(),
                    }
                    if call % 100 == 0 {
                        cache.evict_by_scope(scope::user("acme", 1)).run().unwrap();
                    }
                }
            });
        }
    });
    let stats = cache.stats();
    let calls = THREADS * CALLS;
    assert_eq!(stats.hits + stats.misses, calls);
    assert!(stats.hits > 0 && stats.misses > 0);
    for function in ["stats::square", "the profile"] {
        let counts = of(&stats, function);
        assert_eq!(counts.hits + counts.misses, calls / 4, "{function}");
    }
    let programmatic = of(&stats, "(programmatic)");
    assert_eq!(programmatic.hits + programmatic.misses, calls / 2);
    let user = stats.by_level["organization/user"];
    assert_eq!(user.hits + user.misses, calls / 4);
    let global = stats.by_level["global"];
    assert_eq!(global.hits + global.misses, calls / 4 * 3);
    assert!(stats.total_keys <= 40);
    assert_consistent(&stats);
}

/// The sums by function and by level are the totals.
fn assert_consistent(stats: &Stats) {
    for part in [&stats.by_function, &stats.by_level] {
        let sum = |field: fn(&Counts) -> u64| part.values().map(field).sum::<u64>();
        assert_eq!(sum(|counts| counts.hits), stats.hits);
        assert_eq!(sum(|counts| counts.misses), stats.misses);
        assert_eq!(sum(|counts| counts.loads), stats.loads);
        assert_eq!(sum(|counts| counts.evictions), stats.evictions);
        assert_eq!(sum(|counts| counts.expirations), stats.expirations);
        assert_eq!(sum(|counts| counts.backend_errors), stats.backend_errors);
        assert_eq!(sum(|counts| counts.key_errors), stats.key_errors);
    }
}

/// The counts of ended threads are kept, and later threads add to them.
#[test]
fn counts_outlive_the_threads_that_made_them() {
    let cache = cache();
    for round in 1..=20 {
        thread::scope(|threads| {
            threads.spawn(|| square(&cache, 1));
        });
        let stats = cache.stats();
        assert_eq!(stats.hits + stats.misses, round);
    }
    assert_eq!(cache.stats().hits, 19);
}

#[test]
fn one_thread_counts_for_several_caches() {
    let caches: Vec<Cache> = (0..20).map(|_| cache()).collect();
    for round in 0..3 {
        for cache in &caches {
            square(cache, 1);
            assert_eq!(cache.stats().hits, round);
        }
    }
}

#[test]
fn each_function_and_level_has_its_counts() {
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).build().unwrap();
    square(&cache, 1);
    square(&cache, 1);
    for user in [0, 0, 1, 1, 2] {
        let _ = block_on(profile(&cache, "acme", user));
    }
    for user in [1, 2, 2] {
        bounded(&cache, "acme", user);
    }
    evict!(square(&cache, 1)).unwrap();
    clock.advance(Duration::from_mins(1));
    let stats = cache.stats();
    let counts = |function| {
        let counts = of(&stats, function);
        [
            counts.hits,
            counts.misses,
            counts.loads,
            counts.evictions,
            counts.expirations,
        ]
    };
    assert_eq!(counts("stats::square"), [1, 1, 1, 1, 0]);
    assert_eq!(counts("the profile"), [1, 4, 4, 0, 2]);
    assert_eq!(counts("stats::bounded"), [1, 2, 2, 1, 0]);
    assert_eq!(stats.by_function.len(), 3);
    let user = stats.by_level["organization/user"];
    assert_eq!((user.hits, user.misses, user.loads), (2, 6, 6));
    assert_eq!((user.evictions, user.expirations), (1, 2));
    assert_eq!(stats.by_level.len(), 2);
    assert_eq!((stats.hits, stats.misses, stats.total_keys), (3, 7, 1));
    assert_consistent(&stats);
}

#[test]
fn what_is_no_look_up_counts_as_none() {
    let cache = cache();
    cache.set("key", &1).run().unwrap();
    assert!(put!(square(&cache, 1), 5).unwrap());
    assert_eq!(peek!(square(&cache, 1)).unwrap(), Some(5));
    assert_eq!(peek!(square(&cache, 2)).unwrap(), None);
    assert_eq!(bypass!(square(&cache, 3)), 9);
    assert_eq!(refresh!(square(&cache, 1)), 1);
    assert!(evict!(square(&cache, 1)).unwrap());
    cache.keys().run().unwrap();
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (0, 0));
    assert!(stats.hit_rate().abs() < f64::EPSILON);
}

#[test]
fn the_hit_rate_is_hits_in_look_ups() {
    let cache = cache();
    for _ in 0..4 {
        square(&cache, 1);
    }
    let stats = cache.stats();
    assert!((stats.hit_rate() - 0.75).abs() < f64::EPSILON);
    let counts = of(&stats, "stats::square");
    assert!((counts.hit_rate() - 0.75).abs() < f64::EPSILON);
}

#[test]
fn a_reset_zeroes_counters_and_leaves_entries() {
    let cache = cache();
    square(&cache, 1);
    square(&cache, 1);
    cache.reset_stats();
    let stats = cache.stats();
    let zero = (stats.hits, stats.misses, stats.loads, stats.evictions);
    assert_eq!(zero, (0, 0, 0, 0));
    assert!(stats.by_function.is_empty() && stats.by_level.is_empty());
    assert_eq!(stats.total_keys, 1);
    square(&cache, 1);
    square(&cache, 2);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.total_keys), (1, 1, 2));
    cache.reset_stats();
    assert_eq!(cache.stats().misses, 0);
}

#[test]
fn a_reset_forgets_what_other_threads_counted() {
    let cache = cache();
    thread::scope(|threads| {
        threads.spawn(|| square(&cache, 1));
    });
    cache.reset_stats();
    thread::scope(|threads| {
        threads.spawn(|| square(&cache, 1));
    });
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (1, 0));
}

#[test]
fn the_table_lines_up() {
    let cache = cache();
    for call in 0..1_234 {
        square(&cache, call % 2);
    }
    let _ = block_on(profile(&cache, "acme", 0));
    cache.set("key", &1).run().unwrap();
    cache.evict("key").run().unwrap();
    let shown = cache.stats().to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "in-process: 2 keys");
    let table = &lines[1..];
    let row = |name: &str| -> &str {
        let row = table
            .iter()
            .find(|line| line.starts_with(&format!("{name}  ")));
        row.unwrap_or_else(|| panic!("no {name} in\n{shown}"))
    };
    // each number ends where its column's heading ends
    let head = row("function");
    let columns = [
        "hits",
        "misses",
        "hit rate",
        "loads",
        "evictions",
        "expirations",
        "errors",
    ];
    let ends: Vec<usize> = columns
        .iter()
        .map(|name| head.find(name).unwrap() + name.len())
        .collect();
    assert_eq!(
        row("level")["level".len()..].trim_start(),
        head["function".len()..].trim_start()
    );
    for line in table {
        assert_eq!(line.len(), head.len(), "{line:?} in\n{shown}");
        for end in &ends {
            assert_ne!(&line[end - 1..*end], " ", "{line:?} in\n{shown}");
            assert!(line[*end..].is_empty() || line[*end..].starts_with(' '));
        }
    }
    let numbers = |name| {
        row(name)[name.len()..]
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        numbers("stats::square"),
        ["1232", "2", "99.8%", "2", "0", "0", "0"]
    );
    assert_eq!(
        numbers("the profile"),
        ["0", "1", "0.0%", "1", "0", "0", "0"]
    );
    assert_eq!(
        numbers("(programmatic)"),
        ["0", "0", "0.0%", "0", "1", "0", "0"]
    );
    assert_eq!(numbers("total"), ["1232", "3", "99.8%", "3", "1", "0", "0"]);
    assert_eq!(
        numbers("organization/user"),
        ["0", "1", "0.0%", "1", "0", "0", "0"]
    );
}

/// Without any counts, the table is a heading and a total.
#[test]
fn the_table_of_nothing_is_short() {
    let shown = Cache::disabled().stats().to_string();
    assert!(shown.starts_with("disabled: 0 keys\n"), "{shown}");
    assert_eq!(shown.lines().count(), 4, "{shown}");
}

#[test]
fn they_serialize() {
    let cache = cache();
    square(&cache, 1);
    square(&cache, 1);
    let json = serde_json::to_value(cache.stats()).unwrap();
    assert_eq!(json["hits"], 1);
    assert_eq!(json["misses"], 1);
    assert_eq!(json["total_keys"], 1);
    assert_eq!(json["storage_type"], "in-process");
    assert_eq!(json["by_function"]["stats::square"]["loads"], 1);
    assert_eq!(json["by_level"]["global"]["hits"], 1);
    assert_eq!(json["hit_rate"], 0.5);
    assert_eq!(json["by_function"]["stats::square"]["hit_rate"], 0.5);
    assert_eq!(json["by_level"]["global"]["hit_rate"], 0.5);
    for field in [
        "loads",
        "evictions",
        "expirations",
        "backend_errors",
        "backend_skips",
        "key_errors",
        "stale_hits",
        "refreshes",
        "failures",
        "timeouts",
        "unsent_evictions",
    ] {
        assert!(json[field].is_u64(), "{field}");
    }
}

#[test]
fn a_body_inside_of_its_own_load_is_a_load() {
    #[cache(cache = cache, skip(cache, depth))]
    fn inner(cache: &Cache, x: u64, depth: u64) -> u64 {
        if depth == 0 {
            return x;
        }
        inner(cache, x, depth - 1)
    }
    let cache = cache();
    assert_eq!(inner(&cache, 7, 2), 7);
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.loads), (3, 3));
    let loaded = cache.get_or_load("key", || cache.get_or_load("key", || 1).run().unwrap());
    assert_eq!(loaded.run().unwrap(), 1);
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.loads), (5, 5));
}

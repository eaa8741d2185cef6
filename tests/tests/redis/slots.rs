//! A slot that moves between nodes while two processes read, put and evict entries in it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cacheado::Cache;
use cacheado_backends::redis::Redis;
use cacheado_tests::servers::{RedisCluster, wait_until};

use crate::shared::{Asked, BOTH, SECOND, key, key_in, scope, text_for};

/// The greatest age of a copy in a process that keeps copies: until it learns that the slots have moved, and what a busy machine adds.
const BOUND: Duration = Duration::from_millis(3_500);
const COHERENCE: Duration = Duration::from_millis(500);
const LASTS: Duration = Duration::from_secs(10);

/// The current version of the only key, and since when each version must be known everywhere.
#[derive(Default)]
struct Truth {
    version: AtomicU64,
    /// Held while the version is changed.
    changing: Mutex<()>,
    /// When the change to each version was acknowledged.
    acknowledged: Mutex<Vec<(Instant, u64)>>,
}

impl Truth {
    /// The oldest version that a caller may see if it may see what is `old`.
    fn least(&self, old: Duration) -> u64 {
        let acknowledged = self.acknowledged.lock().unwrap();
        let known = acknowledged.iter().rev();
        let mut known = known.filter(|(at, _)| at.elapsed() >= old);
        known.next().map_or(0, |(_, version)| *version)
    }

    /// Makes the next version current, and sets or evicts the cached one. Returns whether that was acknowledged.
    fn change(&self, cache: &Cache) -> bool {
        let _alone = self.changing.lock().unwrap();
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        let tenant = scope(&["acme"]);
        let told = match version % 3 {
            0 => cache.set("x", &version).scope(tenant).run().map(drop),
            1 => cache.evict("x").scope(tenant).run().map(drop),
            _ => cache.evict_by_scope(tenant).run().map(drop),
        };
        if told.is_ok() {
            let mut acknowledged = self.acknowledged.lock().unwrap();
            acknowledged.push((Instant::now(), version));
        }
        told.is_ok()
    }

    /// Reads the value as a caller does, and checks that it is not too old.
    fn read(&self, cache: &Cache, old: Duration) {
        let least = self.least(old);
        let load = || self.version.load(Ordering::SeqCst);
        let read = cache
            .get_or_load("x", load)
            .ttl(60 * SECOND)
            .scope(scope(&["acme"]));
        let found = read.run().unwrap();
        assert!(
            found >= least,
            "{found} where {least} was known {old:?} ago"
        );
    }
}

/// Stops the other threads, however this one ends.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn cache(cluster: &RedisCluster, in_process: bool) -> Cache {
    let urls = cluster.urls();
    let backend = Redis::cluster(urls.iter().map(String::as_str)).unwrap();
    Cache::builder()
        .name("shop")
        .in_process(in_process)
        .coherence(COHERENCE)
        .backend(backend.timeout(SECOND))
        .build()
        .unwrap()
}

/// The slot of the tenant, and the master that has it.
fn whereabouts(cluster: &RedisCluster) -> (u16, usize) {
    let masters = cluster.nodes()[..3].iter();
    let mut found = masters.enumerate().filter_map(|(nth, node)| {
        let keys = node.cli(&["--scan", "--pattern", "*organization=acme*"]);
        let slot = node.cli(&["CLUSTER", "KEYSLOT", keys.lines().next()?]);
        Some((slot.parse().unwrap(), nth))
    });
    found.next().expect("it is stored")
}

#[test]
fn while_a_slot_moves_nothing_old_is_served_and_calls_go_on() {
    let cluster = RedisCluster::start();
    let [keeps, asks] = [true, false].map(|in_process| cache(&cluster, in_process));
    let truth = Truth::default();
    let tenant = scope(&["acme"]);
    let stored = || asks.set("x", &0_u64).scope(tenant.clone()).run().is_ok();
    assert!(wait_until(10 * SECOND, stored));
    let (slot, mut at) = whereabouts(&cluster);
    // enough keys that other operations run during a move
    for nth in 0..40 {
        asks.set(nth, &0_u64)
            .scope(scope(&["acme", "7"]))
            .run()
            .unwrap();
    }
    let ended = AtomicBool::new(false);
    let (changed, moved) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|threads| {
        for (cache, old) in [(&keeps, BOUND), (&asks, Duration::ZERO)] {
            let (truth, ended, changed) = (&truth, &ended, &changed);
            threads.spawn(move || {
                while !ended.load(Ordering::SeqCst) {
                    truth.read(cache, old);
                }
            });
            threads.spawn(move || {
                while !ended.load(Ordering::SeqCst) {
                    changed.fetch_add(truth.change(cache).into(), Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        let _end = End(&ended);
        let began = Instant::now();
        while began.elapsed() < LASTS {
            let to = (at + 1) % 3;
            cluster.move_slot(slot, at, to);
            at = to;
            moved.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
        }
    });
    let (changed, moved) = (changed.into_inner(), moved.into_inner());
    assert!(
        moved >= 10 && changed >= 10 * moved,
        "{changed} changes, {moved} moves"
    );
    for cache in [&keeps, &asks] {
        let stats = cache.stats();
        assert!(
            stats.backend_errors < changed / 10,
            "{changed} changes, {moved} moves: {stats}"
        );
        assert!(wait_until(10 * SECOND, || truth.change(cache)));
        truth.read(&asks, Duration::ZERO);
    }
}

#[test]
fn what_has_left_with_a_part_of_its_slot_keeps_nothing_from_being_stored() {
    let cluster = RedisCluster::start();
    let urls = cluster.urls();
    let backend = Redis::cluster(urls.iter().map(String::as_str)).unwrap();
    let store = Asked::new(backend.timeout(SECOND), BOTH[0]);
    let stored = || store.set(&key("x"), &text_for("old", 30 * SECOND)).is_ok();
    assert!(wait_until(10 * SECOND, stored));
    // all keys that a script receives for `x` exist: a set leaves a mark if the root has one
    store.missed(&key("z"));
    assert!(stored());
    for lifetime in [SECOND, 30 * SECOND] {
        store.set(&key("y"), &text_for("v", lifetime)).unwrap();
    }
    // past the deadline first noted for `y`
    thread::sleep(SECOND + SECOND / 10);
    let (slot, at) = whereabouts(&cluster);
    let to = (at + 1) % 3;
    cluster.begin_to_move(slot, at, to);
    let other = cluster.nodes()[at].cli(&["--scan", "--pattern", "{shop:*}:*\"y\"~*"]);
    cluster.move_keys(&[&*other], at, to);
    store.set(&key("x"), &text_for("new", 60 * SECOND)).unwrap();
    cluster.move_slot(slot, at, to);
    let found = || store.get(&key("x")).is_ok();
    assert!(wait_until(10 * SECOND, found));
    assert_eq!(store.found(&key("x")).as_deref(), Some("new"));
    assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 2);
}

/// Moves everything in the tenant's slot to another node, except the entry of `"y"`. Returns what completes the move.
fn all_but_y_has_left(cluster: &RedisCluster) -> impl FnOnce() {
    let (slot, at) = whereabouts(cluster);
    let to = (at + 1) % 3;
    cluster.begin_to_move(slot, at, to);
    let all = cluster.nodes()[at].cli(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "100"]);
    let (late, moved): (Vec<&str>, Vec<&str>) = all
        .lines()
        .partition(|name| name.contains("}:") && name.contains("\"y\"~"));
    assert_eq!(late.len(), 1, "{all}");
    cluster.move_keys(&moved, at, to);
    move || cluster.move_slot(slot, at, to)
}

#[test]
fn what_has_not_arrived_with_its_slot_stays_in_the_index() {
    let cluster = RedisCluster::start();
    let urls = cluster.urls();
    let backend = Redis::cluster(urls.iter().map(String::as_str)).unwrap();
    let store = Asked::new(backend.timeout(SECOND), BOTH[0]);
    let y = key_in(&["acme", "8"], "y");
    let stored = || store.set(&key("x"), &text_for("v", 30 * SECOND)).is_ok();
    assert!(wait_until(10 * SECOND, stored));
    // the marks of what is evicted below exist: a set leaves one if the root has one
    store.missed(&key("z"));
    assert!(stored());
    let eight = scope(&["acme", "8"]);
    assert_eq!(store.evict_by_scope(&eight).unwrap(), 0);
    for lifetime in [SECOND, 30 * SECOND] {
        store.set(&y, &text_for("v", lifetime)).unwrap();
    }
    // past the deadline first noted for `y`
    thread::sleep(SECOND + SECOND / 10);
    let arrive = all_but_y_has_left(&cluster);
    assert!(store.evict(&key("x")).unwrap());
    // how much of the scope there is can't be known, so the eviction fails
    store.evict_by_scope(&eight).unwrap_err();
    arrive();
    assert!(wait_until(10 * SECOND, || store.get(&y).is_ok()));
    assert_eq!(store.found(&y).as_deref(), Some("v"));
    assert_eq!(store.evict_by_scope(&eight).unwrap(), 1);
    assert_eq!(store.found(&y), None);
}

//! A custom backend behind the in-process tier: which operations the cache calls, what is shared through the backend, and what happens
//! when it fails or returns wrong data.

#![allow(
    clippy::unchecked_time_subtraction,
    reason = "times of the tests' own choosing"
)]

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use cacheado::backends::{Backend, BackendFuture, BackendResult, Lookup, Mark, Payload};
use cacheado::rules::{MaxItems, Ttl};
use cacheado::testing::ManualClock;
use cacheado::{Cache, Error, Key, Scope, cache, cache_put, evict, peek, put, refresh, scopes};
use cacheado_tests::store::Client;
use futures::executor::block_on;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

scopes! {
    organization(org_id) {
        user(user_id) {
            session(#[secret] session_id)
        }
    }
}

/// An in-memory store that several caches can share. Clones share one state.
#[derive(Clone, Default)]
struct Memory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    clock: ManualClock,
    entries: Mutex<HashMap<Key, Stored>>,
    /// The operations called since the last check.
    asked: Mutex<Vec<&'static str>>,
    fails: AtomicBool,
}

struct Stored {
    bytes: Arc<[u8]>,
    until: Option<Duration>,
}

impl Memory {
    /// A new cache on this store. It keeps its copies without a `coherence` limit, and its circuit breaker never opens.
    fn cache(&self) -> Cache {
        Cache::builder()
            .clock(self.0.clock.clone())
            .coherence(Duration::MAX)
            .circuit_breaker(u32::MAX, Duration::from_secs(1))
            .backend(self.clone())
            .build()
            .unwrap()
    }

    fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.asked.lock().unwrap())
    }

    fn len(&self) -> usize {
        self.0.entries.lock().unwrap().len()
    }

    fn set_failing(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }

    fn ask(&self, what: &'static str) -> BackendResult<()> {
        self.0.asked.lock().unwrap().push(what);
        if self.0.fails.load(Ordering::SeqCst) {
            return Err("the wire is cut".into());
        }
        Ok(())
    }

    /// Changes the bytes of all stored entries.
    fn tamper(&self, change: impl Fn(&mut Vec<u8>)) {
        for stored in self.0.entries.lock().unwrap().values_mut() {
            let mut bytes = stored.bytes.to_vec();
            change(&mut bytes);
            stored.bytes = bytes.into();
        }
    }
}

impl Backend for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.ask("get")?;
        let now = self.0.clock.elapsed();
        let entries = self.0.entries.lock().unwrap();
        let live = entries
            .get(key)
            .filter(|stored| stored.until.is_none_or(|until| now < until));
        let payload = live.map(|stored| Payload {
            bytes: Arc::clone(&stored.bytes),
            lifetime: stored.until.map(|until| until - now),
        });
        Ok(payload.into())
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.ask("set")?;
        let stored = Stored {
            bytes: Arc::clone(&payload.bytes),
            until: payload
                .lifetime
                .map(|lifetime| self.0.clock.elapsed() + lifetime),
        };
        self.0.entries.lock().unwrap().insert(key.clone(), stored);
        Ok(())
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.ask("evict")?;
        Ok(self.0.entries.lock().unwrap().remove(key).is_some())
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.ask("evict by scope")?;
        let mut entries = self.0.entries.lock().unwrap();
        let before = entries.len();
        entries.retain(|key, _| !scope.contains(&key.scope()));
        Ok((before - entries.len()) as u64)
    }

    fn clear(&self) -> BackendResult<()> {
        self.ask("clear")?;
        self.0.entries.lock().unwrap().clear();
        Ok(())
    }

    /// Returns pending once, as a backend with real I/O would.
    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        Box::pin(async move {
            futures::pending!();
            self.get(key)
        })
    }
}

/// `Memory` with marks and only blocking operations, so it never returns pending.
#[derive(Clone, Default)]
struct Marked {
    memory: Memory,
    changes: Arc<AtomicU64>,
}

impl Marked {
    fn mark(&self) -> Mark {
        let changes = self.changes.load(Ordering::SeqCst);
        Mark::new(changes.to_be_bytes(), Instant::now())
    }

    fn set_since(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        if self.mark().bytes() != mark.bytes() {
            return Ok(false);
        }
        self.memory.set(key, payload).map(|()| true)
    }
}

impl Backend for Marked {
    fn name(&self) -> &'static str {
        "marked"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        let mark = self.mark();
        let found = self.memory.get(key)?.hit();
        Ok(found.map_or(Lookup::Miss(mark), Lookup::Hit))
    }

    fn mark(&self, _: &Key) -> BackendResult<Mark> {
        Ok(self.mark())
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.memory.set(key, payload)
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.set_since(key, payload, mark)
    }

    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.set_since(key, payload, mark)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.memory.evict(key)
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.memory.evict_by_scope(scope)
    }

    fn clear(&self) -> BackendResult<()> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.memory.clear()
    }
}

/// Polls in a loop, because the pending `get_async` above never wakes its task.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

#[cache(cache = cache, skip(cache), scope = "user", ttl = 60)]
fn profile(cache: &Cache, org_id: &str, user_id: u32) -> Result<String, String> {
    let _ = cache;
    if user_id == 0 {
        return Err("nobody".to_owned());
    }
    Ok(format!("{user_id} of {org_id}"))
}

#[cache(cache = cache, skip(cache), scope = "user", ttl = 60)]
async fn profile_async(cache: &Cache, org_id: &str, user_id: u32) -> Vec<String> {
    let _ = cache;
    vec![format!("{user_id} of {org_id}")]
}

#[cache(cache = cache, skip(cache), scope = "user", local)]
fn local(cache: &Cache, org_id: &str, user_id: u32) -> String {
    let _ = cache;
    format!("local {user_id} of {org_id}")
}

#[cache(cache = cache, skip(cache), scope = "user", name = "waiting")]
async fn waiting(cache: &Cache, org_id: &str, user_id: u32) -> String {
    futures::pending!();
    let _ = cache;
    format!("{user_id} of {org_id}")
}

#[cache_put(cache = cache, skip(cache), scope = "user", name = "waiting")]
async fn renewing(cache: &Cache, org_id: &str, user_id: u32) -> String {
    futures::pending!();
    let _ = cache;
    format!("{user_id} of {org_id}")
}

const NONE: [&str; 0] = [];

#[test]
fn a_miss_asks_and_a_load_stores() {
    let memory = Memory::default();
    let cache = memory.cache();
    profile(&cache, "acme", 7).unwrap();
    assert_eq!(memory.asked(), ["get", "set"]);
    profile(&cache, "acme", 7).unwrap();
    assert_eq!(memory.asked(), NONE, "the process has it");
    now(profile_async(&cache, "acme", 7));
    assert_eq!(memory.asked(), ["get", "set"]);
    now(profile_async(&cache, "acme", 7));
    assert_eq!(memory.asked(), NONE);
    assert!(profile(&cache, "acme", 0).is_err());
    assert_eq!(memory.asked(), ["get"], "an `Err` is not stored");
    assert_eq!(cache.stats().storage_type, "in-process + memory");
}

#[test]
fn two_caches_share_what_is_behind_them() {
    let memory = Memory::default();
    let (one, two) = (memory.cache(), memory.cache());
    profile(&one, "acme", 7).unwrap();
    now(profile_async(&one, "acme", 7));
    assert_eq!(profile(&two, "acme", 7), Ok("7 of acme".to_owned()));
    assert_eq!(now(profile_async(&two, "acme", 7)), ["7 of acme"]);
    let stats = two.stats();
    assert_eq!((stats.loads, stats.total_keys), (0, 2));
    assert_eq!(stats.hits + stats.misses, 2);
    one.set("key", &5_u8).run().unwrap();
    assert_eq!(two.get("key").run().unwrap(), Some(5_u8));
    one.set("other", &6_u8).run().unwrap();
    assert_eq!(now(two.get("other").into_future()).unwrap(), Some(6_u8));
    assert_eq!(two.get_or_load("key", || 9_u8).run().unwrap(), 5);
    assert_eq!(
        peek!(profile(&two, "acme", 7)).unwrap().as_deref(),
        Some("7 of acme")
    );
}

#[test]
fn what_was_stored_as_another_type_is_a_miss_that_is_counted() {
    let memory = Memory::default();
    let (one, two) = (memory.cache(), memory.cache());
    one.set("key", &5_u8).run().unwrap();
    assert_eq!(two.get_or_load("key", || 9_u16).run().unwrap(), 9);
    let stats = two.stats();
    assert_eq!((stats.misses, stats.loads, stats.backend_errors), (1, 1, 1));
    assert!(one.get::<u8>("key").run().is_ok_and(|it| it == Some(5)));
}

#[test]
fn marks_of_blocking_operations_count_for_futures_too() {
    let marked = Marked::default();
    let cache = || Cache::builder().backend(marked.clone()).build().unwrap();
    let (one, two) = (cache(), cache());
    let loads: [Pin<Box<dyn Future<Output = ()>>>; 2] = [
        Box::pin(async { drop(waiting(&one, "acme", 7).await) }),
        Box::pin(async { drop(renewing(&one, "acme", 7).await) }),
    ];
    for mut load in loads {
        let mut context = Context::from_waker(Waker::noop());
        assert!(load.as_mut().poll(&mut context).is_pending(), "in its body");
        now(evict!(waiting(&two, "acme", 7))).unwrap();
        assert!(load.as_mut().poll(&mut context).is_ready());
        assert_eq!(marked.memory.len(), 0, "it is older than the eviction");
    }
    now(waiting(&one, "acme", 7));
    now(renewing(&one, "acme", 7));
    assert_eq!(marked.memory.len(), 1);
}

#[test]
fn what_is_taken_over_lives_as_long_as_it_has_left() {
    let memory = Memory::default();
    let (one, two) = (memory.cache(), memory.cache());
    profile(&one, "acme", 7).unwrap();
    one.set("key", &1_u8)
        .ttl(Duration::from_mins(1))
        .run()
        .unwrap();
    memory.0.clock.advance(Duration::from_secs(40));
    profile(&two, "acme", 7).unwrap();
    two.get::<u8>("key").run().unwrap();
    memory.asked();
    memory
        .0
        .clock
        .advance(Duration::from_secs(20) - Duration::from_nanos(1));
    profile(&two, "acme", 7).unwrap();
    assert_eq!(two.get("key").run().unwrap(), Some(1_u8));
    assert_eq!(memory.asked(), NONE, "still in the process");
    memory.0.clock.advance(Duration::from_nanos(1));
    assert_eq!(two.stats().total_keys, 0);
    assert_eq!(two.get::<u8>("key").run().unwrap(), None);
    profile(&two, "acme", 7).unwrap();
    assert_eq!(two.stats().loads, 1);
}

#[test]
fn a_rule_shortens_the_lifetime_behind_it_too() {
    let memory = Memory::default();
    let cache = Cache::builder()
        .clock(memory.0.clock.clone())
        .rule(Ttl::new().max(Duration::from_secs(5)))
        .backend(memory.clone())
        .build()
        .unwrap();
    profile(&cache, "acme", 7).unwrap();
    memory.0.clock.advance(Duration::from_secs(5));
    assert_eq!(peek!(profile(&memory.cache(), "acme", 7)).unwrap(), None);
}

#[test]
fn an_eviction_by_key_reaches_it() {
    let memory = Memory::default();
    let cache = memory.cache();
    profile(&cache, "acme", 7).unwrap();
    now(profile_async(&cache, "acme", 7));
    cache.set("key", &1_u8).run().unwrap();
    assert_eq!(memory.len(), 3);
    assert!(evict!(profile(&cache, "acme", 7)).unwrap());
    assert!(now(evict!(profile_async(&cache, "acme", 7))).unwrap());
    assert!(now(cache.evict("key").into_future()).unwrap());
    assert_eq!(memory.len(), 0);
    assert!(!evict!(profile(&cache, "acme", 7)).unwrap());
    // an entry that another cache stored is evicted as well, though `cache` holds no copy
    let other = memory.cache();
    profile(&other, "acme", 7).unwrap();
    assert!(evict!(profile(&cache, "acme", 7)).unwrap());
    assert_eq!(memory.len(), 0);
}

#[test]
fn an_eviction_by_scope_reaches_it_and_counts_once() {
    let memory = Memory::default();
    let (one, two) = (memory.cache(), memory.cache());
    for user in 1..=3 {
        profile(&one, "acme", user).unwrap();
        profile(&one, "initech", user).unwrap();
    }
    profile(&two, "acme", 1).unwrap();
    assert_eq!(two.evict_by_scope(scope::user("acme", 1)).run().unwrap(), 1);
    assert_eq!(memory.len(), 5);
    let organization = scope::organization("acme");
    assert_eq!(
        now(two.evict_by_scope(organization).into_future()).unwrap(),
        2
    );
    assert_eq!(memory.len(), 3);
    assert_eq!(
        peek!(profile(&two, "initech", 1)).unwrap().as_deref(),
        Some("1 of initech")
    );
}

#[test]
fn a_clear_reaches_it() {
    let memory = Memory::default();
    let cache = memory.cache();
    profile(&cache, "acme", 7).unwrap();
    cache.clear().run().unwrap();
    assert_eq!((memory.len(), cache.stats().total_keys), (0, 0));
    profile(&cache, "acme", 7).unwrap();
    now(cache.clear().into_future()).unwrap();
    assert_eq!((memory.len(), cache.stats().total_keys), (0, 0));
}

#[test]
fn put_and_refresh_replace_what_it_has() {
    let memory = Memory::default();
    let (one, two) = (memory.cache(), memory.cache());
    assert!(put!(profile(&one, "acme", 7), "Ada".to_owned()).unwrap());
    assert_eq!(profile(&two, "acme", 7), Ok("Ada".to_owned()));
    memory.asked();
    assert_eq!(
        refresh!(profile(&one, "acme", 7)),
        Ok("7 of acme".to_owned())
    );
    assert_eq!(memory.asked(), ["set"]);
    assert_eq!(
        profile(&memory.cache(), "acme", 7),
        Ok("7 of acme".to_owned())
    );
}

#[test]
fn what_is_not_stored_here_goes_there_too() {
    let memory = Memory::default();
    let cache = memory.cache();
    cache.set("key", &1_u8).run().unwrap();
    assert!(!cache.set("key", &2_u8).ttl(Duration::ZERO).run().unwrap());
    assert_eq!(memory.len(), 0, "nobody reads the older value from it");
    let full = Cache::builder()
        .rule(MaxItems::new(1))
        .backend(memory.clone())
        .build()
        .unwrap();
    assert!(full.set("a", &1_u8).run().unwrap());
    assert!(!full.set("b", &1_u8).run().unwrap());
    assert_eq!(memory.len(), 1);
}

#[test]
fn a_cache_that_keeps_nothing_in_the_process_asks_each_time() {
    let memory = Memory::default();
    let cache = || {
        let builder = Cache::builder().in_process(false);
        builder.backend(memory.clone()).build().unwrap()
    };
    let (one, two) = (cache(), cache());
    profile(&one, "acme", 7).unwrap();
    profile(&one, "acme", 7).unwrap();
    now(profile_async(&one, "acme", 7));
    now(profile_async(&one, "acme", 7));
    assert_eq!(memory.asked(), ["get", "set", "get", "get", "set", "get"]);
    let stats = one.stats();
    assert_eq!(
        (stats.loads, stats.total_keys, &*stats.storage_type),
        (2, 0, "memory")
    );
    assert_eq!(stats.hits + stats.misses, 4);
    // so an eviction through one cache also applies to the other
    assert_eq!(profile(&two, "acme", 7), Ok("7 of acme".to_owned()));
    assert!(evict!(profile(&one, "acme", 7)).unwrap());
    assert_eq!(peek!(profile(&two, "acme", 7)).unwrap(), None);
    assert!(two.set("key", &1_u8).run().unwrap());
    assert_eq!(one.get("key").run().unwrap(), Some(1_u8));
}

#[test]
fn a_look_up_that_it_answers_is_a_hit() {
    let memory = Memory::default();
    let one = memory.cache();
    profile(&one, "acme", 7).unwrap();
    now(profile_async(&one, "acme", 7));
    one.set("key", &1_u8).run().unwrap();
    let two = memory.cache();
    two.get::<u8>("key").run().unwrap();
    assert_eq!((two.stats().hits, two.stats().misses), (1, 0));
    two.get::<u8>("nothing").run().unwrap();
    assert_eq!((two.stats().hits, two.stats().misses), (1, 1));
}

#[test]
fn of_callers_side_by_side_one_asks_and_all_have_hits() {
    for keeps in [true, false] {
        let memory = Memory::default();
        now(profile_async(&memory.cache(), "acme", 7));
        memory.asked();
        let builder = Cache::builder().in_process(keeps);
        let cache = builder.backend(memory.clone()).build().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut calls = [(); 5].map(|()| Box::pin(profile_async(&cache, "acme", 7)));
        for call in &mut calls {
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        for call in &mut calls {
            assert!(call.as_mut().poll(&mut context).is_ready());
        }
        assert_eq!(memory.asked(), ["get"], "keeps copies: {keeps}");
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.loads), (5, 0, 0));
    }
}

#[test]
fn local_functions_never_reach_it() {
    let memory = Memory::default();
    let cache = memory.cache();
    local(&cache, "acme", 7);
    local(&cache, "acme", 7);
    refresh!(local(&cache, "acme", 7));
    assert!(put!(local(&cache, "acme", 7), "put".to_owned()).unwrap());
    assert!(peek!(local(&cache, "acme", 7)).unwrap().is_some());
    assert_eq!(peek!(local(&cache, "acme", 8)).unwrap(), None);
    assert_eq!(memory.asked(), NONE);
    let user = scope::user("acme", 7);
    assert_eq!(
        cache.evict_by_scope(user).run().unwrap(),
        1,
        "it counts all the same"
    );
}

/// Evicting a `local` call does not reach the backend either, so it works while the backend is down.
#[test]
fn evicting_a_local_call_never_reaches_it() {
    let memory = Memory::default();
    let cache = memory.cache();
    local(&cache, "acme", 7);
    memory.set_failing(true);
    assert!(evict!(local(&cache, "acme", 7)).unwrap());
    assert_eq!(memory.asked(), NONE);
}

#[test]
fn while_it_fails_functions_run_their_bodies() {
    let memory = Memory::default();
    let cache = memory.cache();
    memory.set_failing(true);
    assert_eq!(profile(&cache, "acme", 7), Ok("7 of acme".to_owned()));
    assert_eq!(
        cache.stats().backend_errors,
        1,
        "to get, and so there is nothing to fill"
    );
    assert_eq!(now(profile_async(&cache, "acme", 7)), ["7 of acme"]);
    assert_eq!(cache.stats().backend_errors, 2);
    // the process keeps the values anyway
    profile(&cache, "acme", 7).unwrap();
    now(profile_async(&cache, "acme", 7));
    assert_eq!(cache.get_or_load("key", || 1_u8).run().unwrap(), 1);
    let load = || async { 2_u8 };
    assert_eq!(
        now(cache.get_or_load("other", load).into_future()).unwrap(),
        2
    );
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.loads, stats.backend_errors), (2, 4, 4));
    let counts = stats
        .by_function
        .values()
        .map(|counts| counts.backend_errors);
    assert_eq!(counts.sum::<u64>(), 4);
    // once the backend is back, it is used again
    memory.set_failing(false);
    profile(&cache, "acme", 8).unwrap();
    assert_eq!((memory.len(), cache.stats().backend_errors), (1, 4));
}

#[test]
fn while_it_fails_a_cache_without_another_tier_runs_every_body() {
    let memory = Memory::default();
    let cache = Cache::builder()
        .in_process(false)
        .circuit_breaker(u32::MAX, Duration::from_secs(1))
        .backend(memory.clone())
        .build()
        .unwrap();
    profile(&cache, "acme", 7).unwrap();
    memory.set_failing(true);
    for _ in 0..3 {
        assert_eq!(profile(&cache, "acme", 7), Ok("7 of acme".to_owned()));
        assert_eq!(now(profile_async(&cache, "acme", 7)), ["7 of acme"]);
    }
    assert_eq!(cache.stats().loads, 7);
    assert_eq!(cache.stats().backend_errors, 6);
}

#[test]
fn while_it_fails_writes_say_so_and_the_process_obeys() {
    let memory = Memory::default();
    let cache = memory.cache();
    memory.set_failing(true);
    let says = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::Backend { backend, .. } if backend == "memory"));
        let message = error.to_string();
        assert!(
            message.contains("memory") && message.contains("the wire is cut"),
            "{message}"
        );
    };
    says(cache.set("key", &1_u8).run().map(drop));
    assert_eq!(cache.get("key").run().unwrap(), Some(1_u8));
    says(cache.evict("key").run().map(drop));
    assert_eq!(
        cache.get::<u8>("key").run().unwrap(),
        None,
        "a read says nothing"
    );
    says(now(cache.set("key", &2_u8).into_future()).map(drop));
    says(cache.evict_by_scope(scope::global()).run().map(drop));
    assert_eq!(cache.stats().total_keys, 0);
    says(put!(profile(&cache, "acme", 7), "Ada".to_owned()).map(drop));
    says(
        now(cache
            .evict_by_scope(scope::organization("acme"))
            .into_future())
        .map(drop),
    );
    assert_eq!(cache.stats().total_keys, 0);
    says(cache.clear().run());
    says(now(cache.clear().into_future()));
    says(evict!(profile(&cache, "acme", 7)).map(drop));
    assert_eq!(cache.stats().backend_errors, 9);
}

/// Calls both functions after `change` was applied to the stored bytes.
fn tampered(change: impl Fn(&mut Vec<u8>)) -> (Result<String, String>, Vec<String>, Cache) {
    let memory = Memory::default();
    let one = memory.cache();
    put!(profile(&one, "acme", 7), "stored".to_owned()).unwrap();
    now(put!(
        profile_async(&one, "acme", 7),
        vec!["stored".to_owned()]
    ))
    .unwrap();
    memory.tamper(change);
    let two = memory.cache();
    let blocking = profile(&two, "acme", 7);
    let waited = now(profile_async(&two, "acme", 7));
    (blocking, waited, two)
}

fn assert_loaded(found: (Result<String, String>, Vec<String>, Cache), what: &str) {
    let (blocking, waited, cache) = found;
    assert_eq!(blocking, Ok("7 of acme".to_owned()), "{what}");
    assert_eq!(waited, ["7 of acme"], "{what}");
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.backend_errors), (2, 2), "{what}");
}

#[test]
fn garbage_is_a_miss() {
    assert_loaded(tampered(Vec::clear), "nothing");
    assert_loaded(tampered(|bytes| *bytes = b"garbage".to_vec()), "text");
    assert_loaded(tampered(|bytes| *bytes = vec![0xFF; 4_096]), "ones");
    assert_loaded(tampered(|bytes| *bytes = vec![0; 4_096]), "zeros");
    assert_loaded(
        tampered(|bytes| bytes.truncate(bytes.len() - 1)),
        "cut short",
    );
    assert_loaded(tampered(|bytes| bytes.truncate(bytes.len() / 2)), "half");
}

/// Whichever bit is flipped, a call returns the stored value or a loaded one, never anything else.
#[test]
fn no_changed_byte_is_a_wrong_answer() {
    let len = {
        let memory = Memory::default();
        put!(profile(&memory.cache(), "acme", 7), "stored".to_owned()).unwrap();
        let entries = memory.0.entries.lock().unwrap();
        entries.values().next().unwrap().bytes.len()
    };
    let mut wrong = Vec::new();
    for at in 0..len {
        for bit in [0x01, 0x80] {
            let memory = Memory::default();
            put!(profile(&memory.cache(), "acme", 7), "stored".to_owned()).unwrap();
            memory.tamper(|bytes| bytes[at] ^= bit);
            let found = profile(&memory.cache(), "acme", 7).unwrap();
            if found != "stored" && found != "7 of acme" {
                wrong.push(found);
            }
        }
    }
    assert!(wrong.is_empty(), "of {len} bytes: {wrong:?}");
}

/// A backend that returns the entry of another key.
#[test]
fn what_was_stored_under_another_key_is_a_miss() {
    let memory = Memory::default();
    let one = memory.cache();
    profile(&one, "acme", 7).unwrap();
    profile(&one, "initech", 7).unwrap();
    {
        let mut entries = memory.0.entries.lock().unwrap();
        let mut stored = entries.values_mut();
        let (a, b) = (stored.next().unwrap(), stored.next().unwrap());
        std::mem::swap(&mut a.bytes, &mut b.bytes);
    }
    let two = memory.cache();
    assert_eq!(profile(&two, "acme", 7), Ok("7 of acme".to_owned()));
    assert_eq!(profile(&two, "initech", 7), Ok("7 of initech".to_owned()));
    assert_eq!(two.stats().backend_errors, 2);
}

#[test]
fn what_was_stored_as_another_type_is_an_err_for_get_and_a_miss_for_a_loader() {
    let memory = Memory::default();
    let (one, two) = (memory.cache(), memory.cache());
    one.set("key", &1_u32).run().unwrap();
    for error in [
        two.get::<i32>("key").run().unwrap_err(),
        now(two.get::<i32>("key").into_future()).unwrap_err(),
    ] {
        let message = error.to_string();
        assert!(
            message.contains("u32") && message.contains("i32"),
            "{message}"
        );
    }
    assert_eq!(two.get_or_load("key", || 2_i32).run().unwrap(), 2);
    assert_eq!(two.get("key").run().unwrap(), Some(2_i32));
}

/// The type changed between two releases of a program.
#[test]
fn what_was_stored_in_another_shape_of_its_type_is_a_miss() {
    fn stored<T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static>(
        value: &T,
    ) -> Memory {
        let memory = Memory::default();
        assert!(memory.cache().set("place", value).run().unwrap());
        memory
    }

    fn read<T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static>(
        memory: &Memory,
    ) -> (Option<T>, u64) {
        let cache = memory.cache();
        let read = cache.get("place").run().unwrap();
        (read, cache.stats().backend_errors)
    }

    let (memory, path) = {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct Place {
            x: i32,
            y: i32,
        }
        let place = Place { x: 1, y: -1 };
        let memory = stored(&place);
        assert_eq!(read(&memory), (Some(place), 0));
        (memory, std::any::type_name::<Place>())
    };
    {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct Place {
            y: i32,
            x: i32,
        }
        // the two types have only their name in common
        assert_eq!(std::any::type_name::<Place>(), path);
        assert_eq!(read::<Place>(&memory), (None, 1));
    }
    {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct Place {
            x: i32,
        }
        assert_eq!(std::any::type_name::<Place>(), path);
        assert_eq!(read::<Place>(&memory), (None, 1), "something is left over");
    }
}

#[cache(cache = cache, skip(cache), scope("session", org_id = "acme", user_id = 7, session_id = token))]
fn by_token(cache: &Cache, token: &str, page: u8) -> usize {
    let _ = cache;
    token.len() + usize::from(page)
}

/// A payload that leaves the process does not contain a secret id.
#[test]
fn a_secret_id_leaves_the_process_in_no_payload() {
    let memory = Memory::default();
    let backend = Cache::builder().backend(memory.clone());
    let cache = backend.secret_key([1; 32]).build().unwrap();
    let session = scope::session("acme", 7, "hush-hush");
    cache.set("key", &1_u8).scope(session).run().unwrap();
    by_token(&cache, "hush-hush", 1);
    let entries = memory.0.entries.lock().unwrap();
    assert_eq!(entries.len(), 2);
    for stored in entries.values() {
        let text = String::from_utf8_lossy(&stored.bytes);
        assert!(!text.contains("hush-hush"), "{text}");
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Silent(u32);

impl Serialize for Silent {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("never"))
    }
}

#[cache(cache = cache, skip(cache))]
fn silent(cache: &Cache, x: u32) -> Silent {
    let _ = cache;
    Silent(x)
}

#[test]
fn a_value_that_fails_to_serialize_stays_in_the_process() {
    let memory = Memory::default();
    let cache = memory.cache();
    for _ in 0..2 {
        assert_eq!(silent(&cache, 1), Silent(1));
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.loads, stats.backend_errors), (1, 1, 1));
    assert_eq!(memory.len(), 0);
}

/// A backend with only blocking operations serves async functions too.
#[test]
fn the_blocking_operations_are_enough() {
    struct Blocking(Memory);

    impl Backend for Blocking {
        fn name(&self) -> &'static str {
            "blocking"
        }
        fn get(&self, key: &Key) -> BackendResult<Lookup> {
            self.0.get(key)
        }
        fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
            self.0.set(key, payload)
        }
        fn evict(&self, key: &Key) -> BackendResult<bool> {
            self.0.evict(key)
        }
        fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
            self.0.evict_by_scope(scope)
        }
        fn clear(&self) -> BackendResult<()> {
            self.0.clear()
        }
    }

    let memory = Memory::default();
    let cache = Cache::builder()
        .backend(Blocking(memory.clone()))
        .build()
        .unwrap();
    block_on(profile_async(&cache, "acme", 7));
    assert!(block_on(evict!(profile_async(&cache, "acme", 7))).unwrap());
    block_on(cache.set("key", &1_u8).into_future()).unwrap();
    assert_eq!(
        block_on(cache.evict_by_scope(scope::global()).into_future()).unwrap(),
        1
    );
    block_on(cache.clear().into_future()).unwrap();
    let asked = ["get", "set", "evict", "set", "evict by scope", "clear"];
    assert_eq!(memory.asked(), asked);
}

/// A field is skipped depending on its value, which a format without field names can't distinguish from absence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Member {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nick: Option<String>,
    admin: bool,
    name: String,
}

#[test]
fn a_value_that_leaves_a_field_out_is_never_another_value() {
    let memory = Memory::default();
    let cache = || Cache::builder().backend(memory.clone()).build().unwrap();
    let (one, two) = (cache(), cache());
    let member = |nick: Option<&str>| Member {
        nick: nick.map(str::to_owned),
        admin: false,
        name: "\0".to_owned(),
    };
    let (whole, short) = (member(Some("Ada")), member(None));

    assert!(one.set("key", &whole).run().unwrap());
    assert_eq!(two.get("key").run().unwrap(), Some(whole.clone()));

    let error = one.set("key", &short).run().unwrap_err();
    assert!(error.to_string().contains("`nick`"), "{error}");
    let error = now(one
        .set("nested", &vec![("a".to_owned(), short.clone())])
        .into_future())
    .unwrap_err();
    assert!(error.to_string().contains("`nick`"), "{error}");
    let inside = |member: &Member| HashMap::from([(7, HashMap::from([(1, member.clone())]))]);
    let error = one.set("map", &inside(&short)).run().unwrap_err();
    assert!(error.to_string().contains("`nick`"), "{error}");
    assert!(one.set("map", &inside(&whole)).run().unwrap());
    // the process has the value, and the older one is gone from the backend
    assert_eq!(one.get("key").run().unwrap(), Some(short));
    assert_eq!(cache().get::<Member>("key").run().unwrap(), None);
    assert_eq!(one.stats().backend_errors, 3);
}

#[cache(cache = cache, skip(cache))]
fn inside_itself(cache: &Cache, depth: u32) -> u32 {
    match depth {
        0 => 0,
        _ if cache.stats().misses > 1 => 1,
        // the same key from inside its own load
        _ => inside_itself(cache, depth),
    }
}

#[test]
fn each_look_up_is_one_hit_or_one_miss_with_it_too() {
    let builder = Cache::builder().backend(Memory::default());
    let cache = builder.build().unwrap();
    assert_eq!(inside_itself(&cache, 5), 1);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (0, 2));
}

#[test]
fn a_store_that_goes_on_reporting_keeps_nothing_of_a_cache_that_has_gone() {
    let client = Client::new();
    let (gone, left) = (client.cache(), client.cache());
    let value: Arc<str> = "value".into();
    gone.set("key", &value).run().unwrap();
    let copies = Arc::downgrade(&value);
    drop((value, gone));
    assert_eq!(copies.strong_count(), 0);
    // the store still has the watcher of the dropped cache, and reports to it
    assert!(left.evict("key").run().unwrap());
}

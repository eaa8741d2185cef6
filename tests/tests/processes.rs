//! Several processes on one store, each a cache with a client of its own: what one process invalidates is not left in another,
//! whatever the other is doing.

use std::future::ready;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use cacheado::backends::{
    Backend, BackendFuture, BackendResult, Change, Changes, Lease, Lookup, Mark, Payload,
};
use cacheado::rules::Lru;
use cacheado::{Cache, Key, Scope, cache, cache_put, evict, peek, put, refresh, scopes};
use cacheado_tests::store::Client;
use cacheado_tests::within;
use futures::FutureExt;
use futures::executor::block_on;

scopes! {
    organization(org_id) {
        user(user_id) {
            session(#[secret] session_id) {
                page(page_id)
            }
        }
    }
}

const LONG: Duration = Duration::from_secs(60);

/// What one process does to a key that another process is loading.
type Invalidation = (&'static str, fn(&Cache));

fn user() -> cacheado::Scope {
    scope::user("acme", 7)
}

fn invalidations() -> Vec<Invalidation> {
    vec![
        ("evict", |cache| {
            _ = cache.evict("key").scope(user()).run().unwrap()
        }),
        ("evict of the scope", |cache| {
            _ = cache.evict_by_scope(user()).run().unwrap()
        }),
        ("evict of a scope above", |cache| {
            cache
                .evict_by_scope(scope::organization("acme"))
                .run()
                .unwrap();
        }),
        ("evict of all", |cache| {
            _ = cache.evict_by_scope(scope::global()).run().unwrap()
        }),
        ("clear", |cache| cache.clear().run().unwrap()),
        ("evict, async", |cache| {
            _ = now(cache.evict("key").scope(user())).unwrap()
        }),
        ("evict of the scope, async", |cache| {
            _ = now(cache.evict_by_scope(user())).unwrap()
        }),
        ("clear, async", |cache| now(cache.clear()).unwrap()),
    ]
}

/// The result of an operation that does not have to wait here.
fn now<T>(operation: impl IntoFuture<Output = T>) -> T {
    operation.into_future().now_or_never().expect("it waits")
}

fn get(cache: &Cache) -> Option<String> {
    cache.get("key").scope(user()).run().unwrap()
}

#[test]
fn what_is_invalidated_elsewhere_during_a_load_is_left_nowhere() {
    for (name, invalidate) in invalidations() {
        let client = Client::new();
        let (here, there) = (client.cache(), client.cache());
        let load = |there: &Cache| {
            invalidate(there);
            "old".to_owned()
        };
        let loaded = here.get_or_load("key", || load(&there)).scope(user()).run();
        assert_eq!(loaded.unwrap(), "old", "{name}: the caller began before");
        assert!(client.is_empty(), "{name}");
        assert_eq!((get(&here), get(&there)), (None, None), "{name}");
        let other = there.clone();
        let load = || async move { load(&other) };
        let loaded = now(here.get_or_load("key", load).scope(user()));
        assert_eq!(loaded.unwrap(), "old", "{name}");
        assert!(client.is_empty(), "{name}, async");
        assert_eq!((get(&here), get(&there)), (None, None), "{name}, async");
    }
}

#[test]
fn what_is_put_elsewhere_during_a_load_stays() {
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    let put = || {
        let new = "new".to_owned();
        assert!(there.set("key", &new).scope(user()).run().unwrap());
        "old".to_owned()
    };
    let loaded = here.get_or_load("key", put).scope(user()).run();
    assert_eq!(loaded.unwrap(), "old");
    let new = Some("new".to_owned());
    assert_eq!((get(&here), get(&there)), (new.clone(), new));
}

#[test]
fn what_is_invalidated_elsewhere_is_forgotten_here() {
    for (name, invalidate) in invalidations() {
        let client = Client::new();
        let (here, there) = (client.cache(), client.cache());
        let old = "old".to_owned();
        here.set("key", &old).scope(user()).run().unwrap();
        assert_eq!(get(&here), Some(old), "{name}");
        invalidate(&there);
        assert_eq!(here.stats().total_keys, 0, "{name}");
        assert_eq!(get(&here), None, "{name}");
    }
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    here.set("key", &1_u8).run().unwrap();
    here.set("other", &1_u8).run().unwrap();
    assert!(there.evict("key").run().unwrap());
    there.set("other", &2_u8).run().unwrap();
    assert_eq!(here.get::<u8>("key").run().unwrap(), None);
    assert_eq!(here.get::<u8>("other").run().unwrap(), Some(2));
}

#[test]
fn a_look_up_that_crosses_an_invalidation_leaves_no_copy() {
    // the value is read from the store, and its eviction is reported before the copy is made
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    there.set("key", &1_u8).run().unwrap();
    assert_eq!(here.get::<u8>("key").run().unwrap(), Some(1));
    there.set("key", &2_u8).run().unwrap();
    assert_eq!(here.get::<u8>("key").run().unwrap(), Some(2));
    client.asked();
    assert_eq!(here.get::<u8>("key").run().unwrap(), Some(2));
    assert!(client.asked().is_empty(), "now there is a copy");
}

#[test]
fn copies_are_kept_for_a_while_only_while_nothing_is_heard() {
    let client = Client::new();
    let bound = Duration::from_secs(3);
    let here = client.builder().coherence(bound).build().unwrap();
    let local = |cache: &Cache| cache.stats().total_keys;
    here.set("covered", &1_u8).run().unwrap();
    client.store().clock.advance(LONG);
    assert_eq!(
        local(&here),
        1,
        "until evicted, as long as changes are heard"
    );
    client.report(&Change::Lost);
    assert_eq!(local(&here), 0, "it may be old by now");
    here.set("uncovered", &1_u8).run().unwrap();
    here.set("short", &1_u8)
        .ttl(Duration::from_secs(1))
        .run()
        .unwrap();
    assert_eq!(local(&here), 2);
    client.store().clock.advance(Duration::from_secs(1));
    assert_eq!(local(&here), 1);
    client
        .store()
        .clock
        .advance(bound - Duration::from_secs(1) - Duration::from_nanos(1));
    assert_eq!(local(&here), 1);
    client.store().clock.advance(Duration::from_nanos(1));
    assert_eq!(local(&here), 0);
    assert_eq!(
        here.get::<u8>("uncovered").run().unwrap(),
        Some(1),
        "the store has it"
    );
    assert_eq!(local(&here), 1);
    client.report(&Change::Covered);
    assert_eq!(local(&here), 0, "what happened meanwhile is not known");
    here.get::<u8>("uncovered").run().unwrap();
    client.store().clock.advance(LONG);
    assert_eq!(local(&here), 1);
}

#[cache(cache = cache, skip(cache), local)]
fn stays_here(cache: &Cache, n: u32) -> u32 {
    let _ = cache;
    n
}

#[test]
fn local_values_outlive_a_lost_connection() {
    let client = Client::new();
    let here = client.cache();
    stays_here(&here, 1);
    client.report(&Change::Lost);
    client.store().clock.advance(LONG);
    client.report(&Change::Covered);
    assert_eq!(here.stats().total_keys, 1);
}

#[test]
fn what_was_loading_when_the_connection_was_lost_leaves_no_copy() {
    let client = Client::new();
    let here = client.cache();
    let lose = || {
        client.report(&Change::Lost);
        client.report(&Change::Covered);
        1_u8
    };
    here.get_or_load("key", lose).run().unwrap();
    assert_eq!(here.stats().total_keys, 0);
}

static SOURCE: AtomicU32 = AtomicU32::new(0);

#[cache(cache = cache, skip(cache), scope = "user")]
fn balance(cache: &Cache, org_id: &str, user_id: u32) -> u32 {
    let _ = cache;
    SOURCE.load(Ordering::SeqCst)
}

/// Writes the source; `meanwhile` then runs before the value is stored.
#[cache_put(cache = cache, skip(cache, meanwhile), scope = "user", name = "deposited")]
fn deposit(cache: &Cache, org_id: &str, user_id: u32, meanwhile: &dyn Fn()) -> u32 {
    let _ = cache;
    let balance = SOURCE.fetch_add(1, Ordering::SeqCst) + 1;
    meanwhile();
    balance
}

#[test]
fn a_put_that_an_eviction_elsewhere_has_crossed_is_not_stored() {
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    deposit(&here, "acme", 7, &|| {});
    assert_eq!(client.len(), 1);
    deposit(&here, "acme", 7, &|| {
        there.evict_by_scope(user()).run().unwrap();
    });
    assert!(client.is_empty(), "which of the two is true is not known");
    assert_eq!(here.stats().total_keys, 0);
}

#[test]
fn verbs_reach_other_processes() {
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    let call = |cache: &Cache| balance(cache, "acme", 8);
    assert_eq!(call(&here), call(&there));
    let peeked = |cache: &Cache| peek!(balance(cache, "acme", 8)).unwrap();
    assert!(put!(balance(&here, "acme", 8), 1000).unwrap());
    assert_eq!((peeked(&here), peeked(&there)), (Some(1000), Some(1000)));
    let fresh = refresh!(balance(&there, "acme", 8));
    assert_eq!((peeked(&here), peeked(&there)), (Some(fresh), Some(fresh)));
    assert!(evict!(balance(&here, "acme", 8)).unwrap());
    assert_eq!((peeked(&here), peeked(&there)), (None, None));
}

#[cache(cache = cache, skip(cache), scope = "session")]
fn cart(cache: &Cache, org_id: &str, user_id: u32, session_id: &str) -> String {
    let _ = cache;
    format!("{user_id} of {org_id}")
}

#[test]
fn secret_ids_leave_the_process_as_hashes_and_are_evicted_everywhere() {
    let client = Client::new();
    let process = |key: u8| client.builder().secret_key([key; 32]).build().unwrap();
    let (here, there, stranger) = (process(1), process(1), process(2));
    let call = |cache: &Cache| cart(cache, "acme", 7, "hunter2");
    call(&here);
    let ids = client.ids();
    assert_eq!(ids[..2], ["acme", "7"]);
    assert!(!ids[2].contains("hunter2") && ids[2].len() == 32, "{ids:?}");
    call(&there);
    assert_eq!((there.stats().loads, there.stats().hits), (0, 1));
    call(&stranger);
    assert_eq!(stranger.stats().loads, 1, "another key, another hash");
    assert!(evict!(cart(&here, "acme", 7, "hunter2")).unwrap());
    assert_eq!(peek!(cart(&there, "acme", 7, "hunter2")).unwrap(), None);
    call(&here);
    call(&there);
    let session = scope::session("acme", 7, "hunter2");
    assert_eq!(there.evict_by_scope(session).run().unwrap(), 1);
    assert_eq!(peek!(cart(&here, "acme", 7, "hunter2")).unwrap(), None);
    call(&here);
    call(&there);
    assert_eq!(
        there.evict_by_scope(user()).run().unwrap(),
        2,
        "the stranger's too"
    );
    assert!(client.is_empty());
    assert_eq!(here.stats().total_keys, 0);
}

#[test]
fn without_a_secret_key_secret_ids_stay_in_the_process() {
    let client = Client::new();
    let here = client.cache();
    cart(&here, "acme", 7, "hunter2");
    assert!(client.is_empty() && client.asked().is_empty());
    // a shared-only cache stores nothing
    let nowhere = client.builder().in_process(false).build().unwrap();
    assert_eq!(cart(&nowhere, "acme", 7, "hunter2"), "7 of acme");
    let session = scope::session("acme", 7_u32, "hunter2");
    let set = nowhere.set("key", &1_u8).scope(session.clone());
    assert!(!set.run().unwrap());
    let set = nowhere.set_many([("key", &1_u8)]).scope(session.clone());
    assert_eq!(set.run().unwrap(), [false]);
    let found = nowhere.get::<u8>("key").scope(session).run().unwrap();
    assert_eq!(found, None);
    let refused = client.builder().scopes(scope::hierarchy()).build();
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("organization/user/session"), "{message}");
    assert!(message.contains("secret_key"), "{message}");
    let hidden = client
        .builder()
        .scopes(scope::hierarchy())
        .secret_key([1; 32]);
    assert!(hidden.build().is_ok());
}

/// The own id of such a scope is not secret, but one above it is.
#[test]
fn what_is_below_a_secret_id_carries_it_as_a_hash_or_stays_in_the_process() {
    let client = Client::new();
    let page = || scope::page("acme", 7, "hunter2", "basket");
    let here = client.cache();
    here.set("key", &1_u8).scope(page()).run().unwrap();
    assert_eq!(here.get::<u8>("key").scope(page()).run().unwrap(), Some(1));
    assert!(client.is_empty() && client.asked().is_empty());

    let process = || client.builder().secret_key([1; 32]).build().unwrap();
    let (here, there) = (process(), process());
    here.set("key", &2_u8).scope(page()).run().unwrap();
    let ids = client.ids();
    assert_eq!([&*ids[0], &*ids[1], &*ids[3]], ["acme", "7", "basket"]);
    assert!(!ids[2].contains("hunter2") && ids[2].len() == 32, "{ids:?}");
    assert_eq!(there.get::<u8>("key").scope(page()).run().unwrap(), Some(2));
    let session = scope::session("acme", 7, "hunter2");
    assert_eq!(there.evict_by_scope(session).run().unwrap(), 1);
    assert_eq!(here.get::<u8>("key").scope(page()).run().unwrap(), None);
}

/// Without a `secret_key`, the id can't be reported to another process.
#[test]
fn what_nothing_hides_is_evicted_in_other_processes_by_the_level_above_alone() {
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    let has = |cache: &Cache| peek!(cart(cache, "acme", 7, "hunter2")).unwrap().is_some();
    let evictions: [(Invalidation, bool); 3] = [
        (
            ("a call", |cache| {
                assert!(evict!(cart(cache, "acme", 7, "hunter2")).unwrap());
            }),
            true,
        ),
        (
            ("its scope", |cache| {
                let session = scope::session("acme", 7, "hunter2");
                assert_eq!(cache.evict_by_scope(session).run().unwrap(), 1);
            }),
            true,
        ),
        (
            ("the one above", |cache| {
                assert_eq!(cache.evict_by_scope(user()).run().unwrap(), 1);
            }),
            false,
        ),
    ];
    for ((what, evict), stays) in evictions {
        for process in [&here, &there] {
            cart(process, "acme", 7, "hunter2");
        }
        evict(&here);
        assert_eq!((has(&here), has(&there)), (false, stays), "{what}");
    }
}

#[cache(cache = cache, skip(cache, body), single_flight = "cluster")]
fn once(cache: &Cache, n: u32, body: &dyn Fn() -> Option<u32>) -> Result<u32, String> {
    let _ = cache;
    body().ok_or_else(|| "as asked".to_owned())
}

#[cache(cache = cache, skip(cache), single_flight = "cluster")]
async fn once_async(cache: &Cache, n: u32) -> u32 {
    let _ = cache;
    tokio::time::sleep(Duration::from_millis(20)).await;
    n
}

#[cache(cache = cache, skip(cache, waits), single_flight = "cluster")]
async fn once_begun(cache: &Cache, waits: bool) -> u32 {
    let _ = cache;
    if waits {
        std::future::pending::<()>().await;
    }
    1
}

fn loads(processes: &[Cache]) -> u64 {
    processes.iter().map(|cache| cache.stats().loads).sum()
}

#[test]
fn one_of_many_processes_loads() {
    within(LONG, || {
        let client = Client::new();
        let processes: Vec<Cache> = (0..4).map(|_| client.cache()).collect();
        for n in 0..20 {
            let barrier = Arc::new(Barrier::new(8));
            let callers: Vec<_> = (0..8)
                .map(|nth| {
                    let (cache, barrier) = (processes[nth % 4].clone(), Arc::clone(&barrier));
                    thread::spawn(move || {
                        barrier.wait();
                        let body = || {
                            thread::sleep(Duration::from_millis(5));
                            Some(n)
                        };
                        once(&cache, n, &body)
                    })
                })
                .collect();
            for caller in callers {
                assert_eq!(caller.join().unwrap(), Ok(n));
            }
            assert_eq!(loads(&processes), u64::from(n) + 1);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_processes_loads_async() {
    let client = Client::new();
    let processes: Vec<Cache> = (0..4).map(|_| client.cache()).collect();
    let callers = (0..8).map(|nth| {
        let cache = processes[nth % 4].clone();
        tokio::spawn(async move { once_async(&cache, 1000).await })
    });
    for caller in futures::future::join_all(callers).await {
        assert_eq!(caller.unwrap(), 1000);
    }
    assert_eq!(loads(&processes), 1);
}

#[test]
fn a_claim_is_given_back_if_nothing_is_stored() {
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    assert!(once(&here, 2000, &|| None).is_err());
    client.asked();
    assert_eq!(once(&there, 2000, &|| Some(1)), Ok(1));
    assert_eq!(
        client.asked(),
        ["get", "lease", "get", "fill"],
        "nobody had to be waited for, and nobody stored it before it was claimed"
    );
}

#[cache(ttl = 60, stale = 60, single_flight = "cluster", when = |it| *it < 100, cache = cache, skip(cache, value))]
fn bounded(cache: &Cache, value: u32) -> u32 {
    let _ = cache;
    value
}

#[cache(ttl = 60, stale = 60, single_flight = "cluster", when = |it| *it < 100, cache = cache, skip(cache, value))]
async fn bounded_async(cache: &Cache, value: u32) -> u32 {
    let _ = cache;
    value
}

/// No eviction ends a claim.
#[test]
fn so_it_is_if_what_stood_in_goes_for_that() {
    for is_async in [false, true] {
        within(LONG, move || {
            let client = Client::new();
            // longer than the test may take
            let cache = || client.builder().flight_timeout(10 * LONG).build().unwrap();
            let call = |value| {
                let cache = cache();
                if is_async {
                    block_on(bounded_async(&cache, value))
                } else {
                    bounded(&cache, value)
                }
            };
            assert_eq!(call(1), 1);
            client.store().clock.advance(Duration::from_secs(61));
            assert_eq!(call(500), 500);
            assert!(client.asked().contains(&"release to all"));
            assert_eq!(call(2), 2);
        });
    }
}

#[test]
fn a_load_that_panics_or_is_dropped_gives_its_claim_back() {
    within(LONG, || {
        let client = Client::new();
        // longer than the test may take
        let cache = || client.builder().flight_timeout(10 * LONG).build().unwrap();
        let (here, there) = (cache(), cache());
        let panics = || once(&here, 3000, &|| panic!("as asked"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(once(&there, 3000, &|| Some(1)), Ok(1));

        assert!(once_begun(&here, true).now_or_never().is_none());
        assert_eq!(block_on(once_begun(&there, false)), 1);
    });
}

/// As in a cache used for one call, or in a process that shuts down in an orderly way.
#[test]
fn so_does_one_whose_cache_goes_with_it() {
    within(LONG, || {
        let client = Client::new();
        let cache = || client.builder().flight_timeout(10 * LONG).build().unwrap();
        for n in 0..10 {
            let fails = |cache: Cache| {
                let panics = || once(&cache, 3500 + n, &|| panic!("as asked"));
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics))
            };
            assert!(fails(cache()).is_err());
            assert_eq!(once(&cache(), 3500 + n, &|| Some(1)), Ok(1));
        }
    });
}

#[cache(cache = cache, skip(cache, meanwhile), single_flight = "cluster", err_ttl = 1)]
async fn once_failing(cache: &Cache, n: u32, meanwhile: &dyn Fn()) -> Result<u32, String> {
    let _ = cache;
    meanwhile();
    Err("as asked".to_owned())
}

/// A load that stores nothing, and what runs in its body.
type Fails = fn(&Cache, &dyn Fn());

const FAILS: [Fails; 3] = [
    |cache, meanwhile| {
        let body = || {
            meanwhile();
            None
        };
        assert!(once(cache, 4000, &body).is_err());
    },
    |cache, meanwhile| {
        let body = || {
            meanwhile();
            panic!("as asked")
        };
        let panics = || once(cache, 4000, &body);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    },
    |cache, meanwhile| {
        let failed = block_on(once_failing(cache, 4000, meanwhile));
        assert!(failed.is_err());
    },
];

/// If they ran one after the other, the last of many would wait for all failures.
#[test]
fn others_run_side_by_side_after_a_load_that_stores_nothing() {
    for fails in FAILS {
        within(LONG, move || {
            let client = Client::new();
            // longer than the test may take
            let cache = || client.builder().flight_timeout(10 * LONG).build().unwrap();
            let holder = cache();
            let others: Vec<Cache> = (0..3).map(|_| cache()).collect();
            let all_are_in = Barrier::new(others.len());
            let all_are_in = &all_are_in;
            thread::scope(|scope| {
                fails(&holder, &|| {
                    for other in &others {
                        scope.spawn(move || {
                            fails(other, &|| {
                                all_are_in.wait();
                            });
                        });
                    }
                    let mut claims = 0;
                    while claims < others.len() {
                        let asked = client.asked();
                        claims += asked.iter().filter(|it| **it == "lease").count();
                        thread::yield_now();
                    }
                });
            });
            assert_eq!(loads(&others), 3);
        });
    }
}

/// The builder lets its values be served stale. It runs its body when called.
#[cache(ttl = 60, single_flight = "cluster", cache = cache, skip(cache, body))]
fn falls_back(cache: &Cache, body: &dyn Fn()) -> Result<u32, String> {
    let _ = cache;
    body();
    Err("as asked".to_owned())
}

#[test]
fn so_they_do_where_a_value_stands_in() {
    for in_process in [true, false] {
        within(LONG, move || {
            let client = Client::new();
            let cache = || {
                let builder = client.builder().in_process(in_process).stale(LONG);
                // longer than the test may take
                builder.flight_timeout(10 * LONG).build().unwrap()
            };
            assert!(put!(falls_back(&cache(), &|| ()), 1).unwrap());
            client.store().clock.advance(Duration::from_secs(61));
            let holder = cache();
            let others: Vec<Cache> = (0..3).map(|_| cache()).collect();
            let all_are_in = Barrier::new(others.len());
            let all_are_in = &all_are_in;
            thread::scope(|scope| {
                let found = falls_back(&holder, &|| {
                    client.asked();
                    for other in &others {
                        scope.spawn(move || {
                            let found = falls_back(other, &|| {
                                all_are_in.wait();
                            });
                            assert_eq!(found, Ok(1));
                        });
                    }
                    let mut claims = 0;
                    while claims < others.len() {
                        let asked = client.asked();
                        claims += asked.iter().filter(|it| **it == "lease").count();
                        thread::yield_now();
                    }
                });
                assert_eq!(found, Ok(1));
            });
            assert_eq!(loads(&others), 3);
        });
    }
}

#[cache(ttl = 60, single_flight = "cluster", cache = cache, skip(cache, fails))]
async fn falls_back_async(cache: &Cache, fails: &dyn Fn() -> u32) -> Result<u32, String> {
    let _ = cache;
    Err(format!("{} as asked", fails()))
}

/// A store without reports, which may evict a key before it answers a claim of it.
struct Evicts {
    inner: Client,
    /// Whether it evicts.
    lit: bool,
    /// The leases it returns before those of the inner store, last first.
    answers: Mutex<Vec<Lease>>,
}

impl Backend for Evicts {
    fn name(&self) -> &'static str {
        "evicts"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.inner.get(key)
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.inner.set(key, payload)
    }

    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        self.inner.mark(key)
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        if self.lit {
            self.inner.evict(key)?;
        }
        match self.answers.lock().unwrap().pop() {
            Some(answer) => Ok(answer),
            None => self.inner.lease(key, span),
        }
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.inner.evict(key)
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.inner.evict_by_scope(scope)
    }

    fn clear(&self) -> BackendResult<()> {
        self.inner.clear()
    }
}

/// The entry goes while another process's load is waited for, or just before the claim is granted.
#[test]
fn what_has_gone_before_the_load_began_stands_in_for_nothing() {
    let answers: [fn() -> Vec<Lease>; 2] = [Vec::new, || vec![Lease::Unsupported, Lease::Taken]];
    for (answers, evicts) in answers.into_iter().flat_map(|it| [(it, false), (it, true)]) {
        let client = Client::new();
        let cache = || {
            let store = Evicts {
                inner: client.clone(),
                lit: evicts,
                answers: Mutex::new(answers()),
            };
            let builder = Cache::builder().backend(store).in_process(false);
            let builder = builder.clock(client.store().clock.clone());
            builder.stale(LONG).coherence(10 * LONG).build().unwrap()
        };
        let expected = if evicts { None } else { Some(1) };
        assert!(put!(falls_back(&cache(), &|| ()), 1).unwrap());
        assert!(now(put!(falls_back_async(&cache(), &|| 0), 1)).unwrap());
        client.store().clock.advance(Duration::from_secs(61));
        assert_eq!(falls_back(&cache(), &|| ()).ok(), expected);
        let found = block_on(falls_back_async(&cache(), &|| 0));
        assert_eq!(found.ok(), expected);
    }
}

#[test]
fn whoever_holds_a_claim_and_is_gone_holds_others_up_for_a_while_only() {
    within(LONG, || {
        let client = Client::new();
        let patience = Duration::from_millis(100);
        let cache = || client.builder().flight_timeout(patience).build().unwrap();
        let (here, there) = (cache(), cache());
        // like a process that is killed: nothing of it ever runs again
        let mut begun = Box::pin(once_begun(&here, true));
        assert!(begun.as_mut().now_or_never().is_none());
        std::mem::forget(begun);
        assert_eq!(block_on(once_begun(&there, false)), 1);
    });
}

type Meanwhile = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Runs `meanwhile` before a value that is put is written, or after a loaded value is written.
struct Crossed {
    inner: Client,
    changes: Arc<OnceLock<Changes>>,
    meanwhile: Meanwhile,
    is_deaf: bool,
    has_no_marks: bool,
}

impl Crossed {
    fn new(client: &Client) -> Self {
        Self {
            inner: client.clone(),
            changes: Arc::default(),
            meanwhile: Meanwhile::default(),
            is_deaf: false,
            has_no_marks: false,
        }
    }

    /// Receives only what is reported to its `changes`, and nothing yet.
    fn deaf(client: &Client) -> Self {
        Self {
            is_deaf: true,
            ..Self::new(client)
        }
    }

    fn cross(&self) {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
    }
}

impl Backend for Crossed {
    fn name(&self) -> &'static str {
        "crossed"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        let found = self.inner.get(key)?;
        Ok(if self.has_no_marks {
            found.hit().into()
        } else {
            found
        })
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.cross();
        self.inner.set(key, payload)
    }

    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        self.inner.mark(key)
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        let stored = if self.has_no_marks {
            self.inner.set(key, payload).map(|()| true)
        } else {
            self.inner.fill(key, payload, mark)
        };
        self.cross();
        stored
    }

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        Box::pin(ready(self.fill(key, payload, mark)))
    }

    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.cross();
        self.inner.put(key, payload, mark)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.inner.evict(key)
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.inner.evict_by_scope(scope)
    }

    fn clear(&self) -> BackendResult<()> {
        self.inner.clear()
    }

    fn watch(&self, changes: Changes) -> bool {
        self.changes.set(changes.clone()).unwrap();
        self.is_deaf || self.inner.watch(changes)
    }
}

#[test]
fn what_goes_from_the_store_after_a_load_goes_from_the_process() {
    let client = Client::new();
    let backend = Crossed::new(&client);
    let (meanwhile, changes) = (Arc::clone(&backend.meanwhile), Arc::clone(&backend.changes));
    let cache = client.builder().backend(backend).build().unwrap();
    let give_up = move || changes.get().unwrap().report(Change::Covered);
    let (asks, gives_up) = (cache.clone(), give_up.clone());
    *meanwhile.lock().unwrap() = Some(Box::new(move || {
        gives_up();
        assert_eq!(shared(&asks, 1), 1, "the store's");
    }));
    assert_eq!(shared(&cache, 1), 1);
    assert!(meanwhile.lock().unwrap().is_none(), "they have crossed");
    assert_eq!(cache.stats().total_keys, client.len() as u64);

    let asks = cache.clone();
    *meanwhile.lock().unwrap() = Some(Box::new(move || {
        give_up();
        let got = asks.get_many::<u32, _>(["many"]).run().unwrap();
        assert_eq!(got, [Some(2)], "the store's");
    }));
    let load = |missing: Vec<&'static str>| missing.into_iter().map(|key| (key, 2_u32));
    let got = cache.get_or_load_many(["many"], load).run().unwrap();
    assert_eq!(got, [Some(2)]);
    assert!(meanwhile.lock().unwrap().is_none(), "they have crossed");
    assert_eq!(cache.stats().total_keys, client.len() as u64);
}

type Loads = fn(&Cache, &(dyn Fn() -> u8 + Sync)) -> u8;

const LOADS: [Loads; 5] = [
    |cache, body| cache.get_or_load("key", body).run().unwrap(),
    |cache, body| block_on(async { cache.get_or_load("key", async || body()).await.unwrap() }),
    |cache, body| {
        let load = |keys: Vec<&'static str>| keys.into_iter().map(|key| (key, body()));
        let found = cache.get_or_load_many(["key"], load).run().unwrap();
        found[0].unwrap()
    },
    |cache, body| {
        let load = async |keys: Vec<&'static str>| keys.into_iter().map(|key| (key, body()));
        let found = block_on(async { cache.get_or_load_many(["key"], load).await.unwrap() });
        found[0].unwrap()
    },
    |cache, body| {
        let value = body();
        assert!(cache.set("key", &value).run().unwrap());
        value
    },
];

/// Each cache starts this way, and its first loads are still stored for all.
#[test]
fn what_is_loaded_when_changes_are_first_heard_is_in_the_store_alone() {
    for (nth, load) in LOADS.into_iter().enumerate() {
        for in_fill in [false, true] {
            let client = Client::new();
            let backend = Crossed::deaf(&client);
            let (meanwhile, changes) =
                (Arc::clone(&backend.meanwhile), Arc::clone(&backend.changes));
            let cache = client.builder().backend(backend).build().unwrap();
            let hear = move || changes.get().unwrap().report(Change::Covered);
            if in_fill {
                *meanwhile.lock().unwrap() = Some(Box::new(hear));
                assert_eq!(load(&cache, &|| 1), 1);
                assert!(meanwhile.lock().unwrap().is_none(), "they have crossed");
            } else {
                let body = || {
                    hear();
                    1
                };
                assert_eq!(load(&cache, &body), 1);
            }
            if nth < 4 {
                let copies = cache.stats().total_keys;
                assert_eq!(copies, 0, "an eviction of it may not have been heard");
            }
            let found = cache.get_or_load("key", || 2_u8).run().unwrap();
            assert_eq!(found, 1, "it was stored");
            let there = client.cache().get::<u8>("key").run().unwrap();
            assert_eq!(there, Some(1), "for all");
        }
    }
}

#[test]
fn what_another_has_evicted_before_changes_are_heard_is_stored_nowhere() {
    // the last one sets a newer value
    for load in &LOADS[..4] {
        for has_no_marks in [false, true] {
            let client = Client::new();
            let backend = Crossed {
                has_no_marks,
                ..Crossed::deaf(&client)
            };
            let changes = Arc::clone(&backend.changes);
            let here = client.builder().backend(backend).build().unwrap();
            let there = client.cache();
            let body = || {
                there.evict("key").run().unwrap();
                changes.get().unwrap().report(Change::Covered);
                1
            };
            assert_eq!(load(&here, &body), 1);
            assert_eq!(here.stats().total_keys, 0);
            assert!(client.is_empty());
        }
    }
}

type Sets = fn(&Cache, u8) -> Result<bool, cacheado::Error>;

const SETS: [Sets; 4] = [
    |cache, value| cache.set("key", &value).run(),
    |cache, value| block_on(async { cache.set("key", &value).await }),
    |cache, value| {
        let stored = cache.set_many([("key", &value)]).run();
        stored.map(|stored| stored == [true])
    },
    |cache, value| {
        let stored = block_on(async { cache.set_many([("key", &value)]).await });
        stored.map(|stored| stored == [true])
    },
];

/// A cache with room for one entry; `meanwhile` runs during its first set.
fn crossed(client: &Client, meanwhile: impl FnOnce(&Cache, &Changes) + Send + 'static) -> Cache {
    let backend = Crossed::new(client);
    let (slot, changes) = (Arc::clone(&backend.meanwhile), Arc::clone(&backend.changes));
    let builder = client.builder().backend(backend);
    let cache = builder.rule(Lru::new(1)).build().unwrap();
    let here = cache.clone();
    *slot.lock().unwrap() = Some(Box::new(move || meanwhile(&here, changes.get().unwrap())));
    cache
}

#[test]
fn what_is_set_while_others_are_no_longer_heard_or_are_again_stays() {
    for change in [Change::Lost, Change::Covered] {
        for set in SETS {
            let client = Client::new();
            let there = client.cache();
            let change = change.clone();
            let here = crossed(&client, move |_, changes| changes.report(change));
            assert!(set(&here, 1).unwrap());
            assert_eq!(there.get::<u8>("key").run().unwrap(), Some(1));
            assert_eq!(here.get::<u8>("key").run().unwrap(), Some(1));
            // and later changes are reported to it
            assert!(set(&there, 2).unwrap());
            assert_eq!(here.get::<u8>("key").run().unwrap(), Some(2));
        }
    }
}

/// Which of the two values the store holds is unknown, so neither stays, even if a lookup has read one meanwhile.
#[test]
fn what_is_set_while_another_process_sets_it_is_left_nowhere() {
    for set in SETS {
        let client = Client::new();
        let there = client.cache();
        let other = there.clone();
        let here = crossed(&client, move |here, _| {
            assert!(other.set("key", &2_u8).run().unwrap());
            assert_eq!(here.get::<u8>("key").run().unwrap(), Some(2));
        });
        assert!(set(&here, 1).unwrap());
        for cache in [&here, &there] {
            assert_eq!(cache.stats().total_keys, 0);
            assert_eq!(cache.get::<u8>("key").run().unwrap(), None);
        }
        assert!(client.is_empty());
    }
}

/// While a value is on its way to the store, the process may lose its copy, and a lookup may find the store's older value.
#[test]
fn what_is_looked_up_while_something_newer_is_set_does_not_stay() {
    type Lose = fn(&Cache, &Changes);
    let ways: [Lose; 3] = [
        |_, changes| changes.report(Change::Lost),
        |_, changes| changes.report(Change::Covered),
        |here, _| assert_eq!(here.get_or_load("other", || 9_u8).run().unwrap(), 9),
    ];
    for lose in ways {
        for set in SETS {
            let client = Client::new();
            client.cache().set("key", &1_u8).run().unwrap();
            let here = crossed(&client, move |here, changes| {
                lose(here, changes);
                assert_eq!(here.get::<u8>("key").run().unwrap(), Some(1), "the store's");
            });
            assert!(set(&here, 2).unwrap());
            for cache in [&here, &client.cache()] {
                assert_eq!(cache.get::<u8>("key").run().unwrap(), Some(2));
            }
        }
    }
}

#[cache(cache = cache, skip(cache), name = "level")]
fn level(cache: &Cache, n: u32) -> u32 {
    let _ = (cache, n);
    1
}

#[cache_put(cache = cache, skip(cache, to), name = "level")]
fn raise(cache: &Cache, n: u32, to: u32) -> u32 {
    let _ = (cache, n);
    to
}

#[cache_put(cache = cache, skip(cache, to), name = "level")]
async fn raise_async(cache: &Cache, n: u32, to: u32) -> u32 {
    let _ = (cache, n);
    to
}

#[test]
fn what_is_looked_up_while_a_function_puts_something_newer_does_not_stay() {
    let raises: [fn(&Cache) -> u32; 2] = [
        |cache| raise(cache, 7, 2),
        |cache| block_on(raise_async(cache, 7, 2)),
    ];
    for raise in raises {
        let client = Client::new();
        assert_eq!(level(&client.cache(), 7), 1);
        let here = crossed(&client, |here, _| {
            here.get_or_load("other", || 9_u8).run().unwrap();
            assert_eq!(level(here, 7), 1, "the store's");
        });
        assert_eq!(raise(&here), 2);
        for cache in [&here, &client.cache()] {
            assert_eq!(level(cache, 7), 2);
        }
    }
}

#[test]
fn of_a_key_that_is_set_twice_at_once_the_last_counts() {
    let client = Client::new();
    let here = client.cache();
    let stored = here.set_many([("key", &1_u8), ("other", &3), ("key", &2)]);
    assert_eq!(stored.run().unwrap(), [true; 3]);
    for cache in [&here, &client.cache()] {
        let found = cache.get_many::<u8, _>(["key", "other"]).run().unwrap();
        assert_eq!(found, [Some(2), Some(3)]);
    }
}

#[test]
fn what_could_not_be_set_and_was_forgotten_leaves_nothing_older() {
    for set in SETS {
        let client = Client::new();
        client.cache().set("key", &1_u8).run().unwrap();
        let cut = client.clone();
        let here = crossed(&client, move |here, changes| {
            changes.report(Change::Lost);
            assert_eq!(here.get::<u8>("key").run().unwrap(), Some(1), "the store's");
            cut.store().down.store(true, Ordering::SeqCst);
        });
        assert!(set(&here, 2).is_err());
        assert_eq!(here.stats().total_keys, 0);
    }
}

#[cache(cache = cache, skip(cache))]
fn shared(cache: &Cache, n: u32) -> u32 {
    let _ = cache;
    n
}

#[test]
fn who_has_lost_the_claim_overwrites_nothing() {
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    let slow = || {
        client.store().clock.advance(LONG);
        assert_eq!(once(&there, 4000, &|| Some(2)), Ok(2));
        Some(1)
    };
    assert_eq!(once(&here, 4000, &slow), Ok(1));
    assert_eq!(once(&here, 4000, &|| Some(3)), Ok(2), "the store's");
    assert_eq!(once(&there, 4000, &|| Some(3)), Ok(2));
}

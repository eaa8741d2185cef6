//! A failing store: what callers see, what the store is asked, and that everything works again afterwards.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cacheado::backends::{Backend, BackendFuture, BackendResult, Lookup, Payload};
use cacheado::{Cache, Error, Key, Scope, Stats, cache, cache_put, evict, put, scopes};
use cacheado_tests::store::Client;
use futures::executor::block_on;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

const PAUSE: Duration = Duration::from_secs(1);

fn set_down(client: &Client, down: bool) {
    client.store().down.store(down, Ordering::SeqCst);
}

/// Waits until the background thread has sent what could not be sent.
fn until(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it never happens"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn after_several_failures_in_a_row_it_is_not_asked_for_a_while() {
    let client = Client::new();
    let builder = client.builder().in_process(false);
    let cache = builder.circuit_breaker(3, PAUSE).build().unwrap();
    let load = |n: u32| cache.get_or_load(n, || n).run().unwrap();
    set_down(&client, true);
    for n in 0..10 {
        assert_eq!(load(n), n);
    }
    assert_eq!(client.asked(), ["get"; 3]);
    let stats = cache.stats();
    assert_eq!(stats.backend_errors, 3, "what is not asked does not fail");
    assert_eq!(stats.backend_skips, 7);
    assert!(stats.to_string().contains("skipped"), "{stats}");
    client.store().clock.advance(PAUSE);
    load(1);
    load(2);
    assert_eq!(
        client.asked(),
        ["get"],
        "one tries, and the rest wait again"
    );
    set_down(&client, false);
    client.store().clock.advance(PAUSE);
    load(1);
    load(2);
    assert_eq!(client.asked(), ["get", "fill", "get", "fill"]);
}

/// A process that ends loses its unsent evictions, so an operator needs to know their number.
#[test]
fn evictions_that_are_not_sent_yet_are_counted_until_they_are() {
    let client = Client::new();
    let builder = client.builder().circuit_breaker(1, PAUSE);
    let cache = builder.scopes(scope::hierarchy()).build().unwrap();
    let unsent = || cache.stats().unsent_evictions;
    assert_eq!(unsent(), 0);
    set_down(&client, true);
    for key in [1_u32, 1, 2] {
        assert!(cache.evict(key).run().is_err());
    }
    assert!(cache.evict_by_scope(scope::user("acme", 7)).run().is_err());
    assert_eq!(unsent(), 3, "one a key, and one a scope");
    let shown = cache.stats().to_string();
    assert!(shown.contains("evictions not sent yet: 3"), "{shown}");
    set_down(&client, false);
    client.store().clock.advance(PAUSE);
    until(|| unsent() == 0);
    assert!(!cache.stats().to_string().contains("not sent"));
    set_down(&client, true);
    assert!(cache.evict(1_u32).run().is_err());
    assert!(cache.clear().run().is_err());
    assert_eq!(unsent(), 1, "one of everything");
    cache.reset_stats();
    assert_eq!(unsent(), 1, "it is no count of what was");
}

/// A store that accepts no more connections and keeps serving its existing ones, which are those of async calls.
struct Full {
    store: Client,
    refused: Arc<AtomicU32>,
}

impl Full {
    fn refuse<T>(&self) -> BackendResult<T> {
        self.refused.fetch_add(1, Ordering::SeqCst);
        Err("max number of clients reached".into())
    }
}

impl Backend for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    fn get(&self, _: &Key) -> BackendResult<Lookup> {
        self.refuse()
    }

    fn set(&self, _: &Key, _: &Payload) -> BackendResult<()> {
        self.refuse()
    }

    fn evict(&self, _: &Key) -> BackendResult<bool> {
        self.refuse()
    }

    fn evict_by_scope(&self, _: &Scope) -> BackendResult<u64> {
        self.refuse()
    }

    fn clear(&self) -> BackendResult<()> {
        self.refuse()
    }

    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        Box::pin(ready(self.store.get(key)))
    }

    fn set_async<'a>(&'a self, key: &'a Key, payload: &'a Payload) -> BackendFuture<'a, ()> {
        Box::pin(ready(self.store.set(key, payload)))
    }
}

#[test]
fn where_blocking_calls_fail_async_ones_go_on_and_do_not_have_them_tried_again() {
    let client = Client::new();
    let refused = Arc::default();
    let full = Full {
        store: client.clone(),
        refused: Arc::clone(&refused),
    };
    let builder = Cache::builder().clock(client.store().clock.clone());
    let builder = builder.backend(full).in_process(false);
    let cache = builder.circuit_breaker(3, PAUSE).build().unwrap();
    assert!(block_on(cache.set("key", &7).into_future()).unwrap());
    let blocking = || cache.get::<i32>("key").run();
    let asynchronous = || block_on(cache.get::<i32>("key").into_future());
    for _ in 0..3 {
        _ = blocking();
    }
    for _ in 0..3 {
        _ = blocking();
        assert_eq!(asynchronous().unwrap(), Some(7), "its connections are good");
    }
    assert_eq!(refused.load(Ordering::SeqCst), 3, "it is not asked");
    client.store().clock.advance(PAUSE);
    assert_eq!(asynchronous().unwrap(), Some(7));
    for _ in 0..3 {
        _ = blocking();
        _ = asynchronous();
    }
    assert_eq!(refused.load(Ordering::SeqCst), 4, "one tries");
    let stats = cache.stats();
    assert_eq!((stats.backend_errors, stats.backend_skips), (4, 5));
}

#[test]
fn a_store_that_would_not_is_asked_again() {
    let client = Client::new();
    let cache = client.builder().circuit_breaker(1, PAUSE).build().unwrap();
    client.store().refuses.store(true, Ordering::SeqCst);
    for n in 0..5_u32 {
        let error = cache.set("key", &n).run().unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
    }
    assert_eq!(cache.stats().backend_errors, 5);
    client.store().refuses.store(false, Ordering::SeqCst);
    until(|| cache.set("key", &6_u32).run().is_ok());
}

/// Failures count for the function whose entries were requested, whatever the operation and however many keys.
#[test]
fn what_fails_is_counted_of_the_function_that_it_was_for() {
    #[cache(name = "item", cache = cache, skip(cache))]
    fn item(cache: &Cache, id: u32) -> u32 {
        id
    }
    #[cache(name = "item", cache = cache, skip(cache), batch(ids))]
    fn items(cache: &Cache, ids: &[u32]) -> HashMap<u32, u32> {
        ids.iter().map(|id| (*id, *id)).collect()
    }
    #[cache(name = "item async", cache = cache, skip(cache))]
    async fn item_async(cache: &Cache, id: u32) -> u32 {
        id
    }
    let counted = |ask: &dyn Fn(&Cache)| {
        let client = Client::new();
        let builder = client.builder().in_process(false);
        let cache = builder.circuit_breaker(1, PAUSE).build().unwrap();
        set_down(&client, true);
        ask(&cache);
        let asked = cache.stats();
        // the circuit breaker is open by now
        ask(&cache);
        let stats = cache.stats();
        let of = |stats: &Stats| stats.by_function.keys().cloned().collect::<Vec<_>>();
        assert_eq!(of(&asked), of(&stats), "{stats}");
        let by_function: Vec<_> = stats.by_function.into_iter().collect();
        let [(function, counts)] = &by_function[..] else {
            panic!("{by_function:?}");
        };
        assert!(
            counts.backend_errors > 0 && counts.backend_skips > 0,
            "{counts:?}"
        );
        function.clone()
    };
    assert_eq!(counted(&|cache| _ = item(cache, 1)), "item");
    assert_eq!(counted(&|cache| _ = put!(item(cache, 1), 2)), "item");
    assert_eq!(counted(&|cache| _ = evict!(item(cache, 1))), "item");
    assert_eq!(counted(&|cache| _ = items(cache, &[1, 2])), "item");
    let of_async = "item async";
    assert_eq!(
        counted(&|cache| _ = block_on(put!(item_async(cache, 1), 2))),
        of_async
    );
    assert_eq!(
        counted(&|cache| _ = block_on(evict!(item_async(cache, 1)))),
        of_async
    );
    assert_eq!(
        counted(&|cache| _ = cache.evict(1_u32).run()),
        "(programmatic)"
    );
    assert_eq!(counted(&|cache| _ = cache.clear().run()), "(programmatic)");
}

#[test]
fn a_breaker_without_sense_is_an_error() {
    for (failures, pause, hint) in [(0, PAUSE, "never ask"), (5, Duration::ZERO, "how long")] {
        let built = Cache::builder().circuit_breaker(failures, pause).build();
        let message = built.unwrap_err().to_string();
        assert!(
            message.contains("circuit_breaker") && message.contains(hint),
            "{message}"
        );
    }
}

#[test]
fn what_could_not_be_evicted_is_not_served_and_goes_when_the_store_is_back() {
    let client = Client::new();
    let (here, there) = (
        client.cache(),
        client.builder().in_process(false).build().unwrap(),
    );
    let user = || scope::user("acme", 7);
    for key in ["one", "two", "three"] {
        here.set(key, &1_u8).scope(user()).run().unwrap();
    }
    here.set("elsewhere", &1_u8).run().unwrap();
    set_down(&client, true);
    assert!(here.evict("one").scope(user()).run().is_err());
    assert!(block_on(here.evict("two").scope(user()).into_future()).is_err());
    set_down(&client, false);
    // it may have been sent by now; either way the old values are not served
    for key in ["one", "two"] {
        assert_eq!(here.get::<u8>(key).scope(user()).run().unwrap(), None);
    }
    until(|| client.len() == 2);
    assert_eq!(
        there.get::<u8>("three").scope(user()).run().unwrap(),
        Some(1)
    );
    set_down(&client, true);
    assert!(here.evict_by_scope(user()).run().is_err());
    set_down(&client, false);
    until(|| client.len() == 1);
    assert_eq!(there.get::<u8>("elsewhere").run().unwrap(), Some(1));
    set_down(&client, true);
    assert!(block_on(here.clear().into_future()).is_err());
    set_down(&client, false);
    until(|| client.is_empty());
}

/// A store that serves reads as usual, and refuses evictions.
struct Unyielding(Client);

impl Backend for Unyielding {
    fn name(&self) -> &'static str {
        "unyielding"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.0.get(key)
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.0.set(key, payload)
    }

    fn evict(&self, _: &Key) -> BackendResult<bool> {
        Err("no".into())
    }

    fn evict_by_scope(&self, _: &Scope) -> BackendResult<u64> {
        Err("no".into())
    }

    fn clear(&self) -> BackendResult<()> {
        Err("no".into())
    }
}

#[test]
fn what_was_evicted_with_its_scope_is_not_served_before_the_store_has_heard() {
    let scopes = || {
        [
            scope::user("acme", 7),
            scope::user("acme", 77),
            scope::organization("acme"),
            scope::user("acme2", 7),
            scope::global(),
        ]
    };
    let evictions = [
        (scope::user("acme", 7), [false, true, true, true, true]),
        (
            scope::organization("acme"),
            [false, false, false, true, true],
        ),
        (scope::global(), [false; 5]),
    ];
    for in_process in [true, false] {
        for (evicted, served) in &evictions {
            let client = Client::new();
            let builder = Cache::builder().clock(client.store().clock.clone());
            let builder = builder.circuit_breaker(u32::MAX, PAUSE);
            let builder = builder.backend(Unyielding(client)).in_process(in_process);
            let cache = builder.coherence(Duration::MAX).build().unwrap();
            for scope in scopes() {
                cache.set("key", &1_u8).scope(scope).run().unwrap();
            }
            assert!(cache.evict_by_scope(evicted.clone()).run().is_err());
            let found = scopes().map(|scope| cache.get::<u8>("key").scope(scope).run().unwrap());
            let found = found.map(|value| value.is_some());
            assert_eq!(found, *served, "{evicted} {in_process}");
        }
    }
}

#[test]
fn a_value_that_could_not_be_put_takes_the_older_one_with_it() {
    let client = Client::new();
    let (here, there) = (
        client.cache(),
        client.builder().in_process(false).build().unwrap(),
    );
    here.set("key", &1_u8).run().unwrap();
    set_down(&client, true);
    assert!(here.set("key", &2_u8).run().is_err());
    assert_eq!(
        here.get::<u8>("key").run().unwrap(),
        Some(2),
        "the process has it"
    );
    set_down(&client, false);
    until(|| client.is_empty());
    assert_eq!(there.get::<u8>("key").run().unwrap(), None);
}

#[test]
fn the_error_says_whether_an_eviction_is_sent_later() {
    let client = Client::new();
    let cache = client.builder().circuit_breaker(5, PAUSE).build().unwrap();
    cache.set("key", &1_u8).run().unwrap();
    cache.set("other", &1_u8).run().unwrap();
    set_down(&client, true);
    let told = [
        cache.evict("key").run().map(drop),
        block_on(cache.evict("key").into_future()).map(drop),
        cache.set("other", &2_u8).run().map(drop),
        cache.set_many([("other", &2_u8)]).run().map(drop),
        cache.evict_by_scope(Scope::global()).run().map(drop),
        // the circuit breaker is open by now
        block_on(cache.evict_by_scope(Scope::global()).into_future()).map(drop),
        cache.clear().run(),
        block_on(cache.clear().into_future()),
    ];
    for told in told {
        let error = told.unwrap_err();
        assert!(
            matches!(error, Error::Backend { kept: true, .. }),
            "{error:?}"
        );
        let shown = error.to_string();
        assert!(
            shown.ends_with("is kept, and sent as soon as it can be"),
            "{shown}"
        );
    }
    // a failed lookup leaves nothing to be sent
    let shown = strict(&cache, 1).unwrap_err().0;
    assert!(!shown.contains("kept"), "{shown}");
    set_down(&client, false);
    until(|| client.is_empty());
}

#[derive(Debug, PartialEq)]
struct Failed(String);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

#[cache(cache = cache, skip(cache), on_backend_error = "error")]
fn strict(cache: &Cache, n: u32) -> Result<u32, Failed> {
    let _ = cache;
    Ok(n)
}

#[cache(cache = cache, skip(cache), on_backend_error = "error")]
async fn strict_async(cache: &Cache, n: u32) -> Result<u32, Failed> {
    let _ = cache;
    Ok(n)
}

#[cache(cache = cache, skip(cache), on_backend_error = "bypass")]
fn lenient(cache: &Cache, n: u32) -> Result<u32, Failed> {
    let _ = cache;
    Ok(n)
}

#[cache_put(cache = cache, skip(cache), on_backend_error = "error")]
fn strict_put(cache: &Cache, n: u32) -> Result<u32, Failed> {
    let _ = cache;
    Ok(n)
}

#[test]
fn a_function_can_ask_to_be_told() {
    let client = Client::new();
    let cache = client.builder().circuit_breaker(3, PAUSE).build().unwrap();
    assert_eq!(strict(&cache, 1), Ok(1));
    set_down(&client, true);
    assert_eq!(strict(&cache, 1), Ok(1), "the process has it");
    let wire = |result: Result<u32, Failed>| {
        let message = result.unwrap_err().0;
        assert!(message.contains("the wire is cut"), "{message}");
    };
    wire(strict(&cache, 2));
    wire(block_on(strict_async(&cache, 2)));
    wire(strict_put(&cache, 2));
    assert_eq!(lenient(&cache, 2), Ok(2));
    let unasked = strict(&cache, 3).unwrap_err().0;
    assert!(unasked.contains("not asked for a while"), "{unasked}");
    let stats = cache.stats();
    assert_eq!(
        (stats.loads, stats.misses, stats.hits),
        (2, 5, 1),
        "{stats}"
    );
    set_down(&client, false);
    client.store().clock.advance(PAUSE);
    assert_eq!(strict(&cache, 3), Ok(3));
}

#[test]
fn those_who_wait_for_one_that_is_told_are_told_too() {
    let client = Client::new();
    let cache = client.cache();
    set_down(&client, true);
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let cache = cache.clone();
            std::thread::spawn(move || strict(&cache, 7))
        })
        .collect();
    for caller in callers {
        assert!(caller.join().unwrap().is_err());
    }
    assert_eq!(cache.stats().loads, 0);
}

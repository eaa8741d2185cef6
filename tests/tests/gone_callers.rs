//! Callers dropped during a shared-tier operation. What they were about to evict or replace there is removed all the same, and an
//! interrupted lookup counts like any other.

use std::collections::HashMap;
use std::future::{pending, ready};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use cacheado::backends::{Backend, BackendFuture, BackendResult, Lease, Lookup, Mark, Payload};
use cacheado::{Cache, Key, Scope, cache, cache_evict};
use cacheado_tests::store::Client;
use cacheado_tests::within;
use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::future::Shared;
use serde::{Deserialize, Serialize, Serializer};

const KEYS: [&str; 3] = ["one", "two", "three"];

/// A client whose async evictions and sets never complete. All other operations complete at once.
struct Slow {
    inner: Client,
    /// Evicts all keys before a loaded value is written.
    overtakes: Arc<OnceLock<Cache>>,
    /// The async operation, `get` or `fill`, that never completes either, although its effect takes place.
    hangs: Option<&'static str>,
}

/// Returns `done`, or never completes if it `hangs`.
fn answer<'a, T: Send + 'a>(hangs: bool, done: BackendResult<T>) -> BackendFuture<'a, T> {
    if hangs {
        Box::pin(pending())
    } else {
        Box::pin(ready(done))
    }
}

impl Backend for Slow {
    fn name(&self) -> &'static str {
        "slow"
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

    fn fill(&self, key: &Key, payload: &Payload, _: &Mark) -> BackendResult<bool> {
        if let Some(cache) = self.overtakes.get() {
            for key in KEYS {
                cache.evict(key).run().unwrap();
            }
        }
        self.inner.fill(key, payload, &self.inner.mark(key)?)
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

    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        answer(self.hangs == Some("get"), self.get(key))
    }

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        let done = self.fill(key, payload, mark);
        answer(self.hangs == Some("fill"), done)
    }

    fn evict_async<'a>(&'a self, _: &'a Key) -> BackendFuture<'a, bool> {
        Box::pin(pending())
    }

    fn set_async<'a>(&'a self, _: &'a Key, _: &'a Payload) -> BackendFuture<'a, ()> {
        Box::pin(pending())
    }
}

fn slow(client: &Client) -> Slow {
    Slow {
        inner: client.clone(),
        overtakes: Arc::default(),
        hangs: None,
    }
}

/// A store with an older value for each key, and the builder of a cache on it.
fn older() -> (Client, cacheado::CacheBuilder) {
    let client = Client::new();
    let values = KEYS.map(|key| (key, &1_u8));
    client.cache().set_many(values).run().unwrap();
    let builder = client.builder().backend(slow(&client));
    (client, builder)
}

/// Starts an operation and drops its future.
fn begin(operation: impl IntoFuture) {
    let begun = operation.into_future().now_or_never();
    assert!(begun.is_none(), "it is over");
}

/// The number of entries left after a background thread has sent everything: `least` if all is well.
fn left(client: &Client, least: usize) -> usize {
    let begun = Instant::now();
    while client.len() > least && begun.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(1));
    }
    client.len()
}

/// Fails to serialize for the shared tier if the number is odd.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Even(u8);

impl Serialize for Even {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 2 == 1 {
            return Err(serde::ser::Error::custom("odd"));
        }
        serializer.serialize_newtype_struct("Even", &self.0)
    }
}

#[test]
fn what_was_to_be_evicted_is() {
    let (client, builder) = older();
    let cache = builder.build().unwrap();
    for key in KEYS {
        begin(cache.evict(key));
    }
    assert_eq!(left(&client, 0), 0);
}

/// By then the process has the newer value, so the older one in the store must go.
#[test]
fn what_was_to_be_replaced_is_not_left() {
    let (client, builder) = older();
    let cache = builder.build().unwrap();
    for key in KEYS {
        begin(cache.set(key, &2_u8));
    }
    assert_eq!(left(&client, 0), 0);

    let (client, builder) = older();
    let cache = builder.build().unwrap();
    begin(cache.set_many(KEYS.map(|key| (key, &2_u8))));
    assert_eq!(left(&client, 0), 0);
}

#[test]
fn what_many_values_were_to_replace_that_the_store_can_not_have_is_not_left() {
    // with a lifetime of zero the values are stored nowhere
    let (client, builder) = older();
    let cache = builder.build().unwrap();
    let none = cache.set_many(KEYS.map(|key| (key, &2_u8)));
    begin(none.ttl(Duration::ZERO));
    assert_eq!(left(&client, 0), 0);

    // values that only the process can hold
    let (client, builder) = older();
    let cache = builder.build().unwrap();
    begin(cache.set_many(KEYS.map(|key| (key, &Even(3)))));
    assert_eq!(left(&client, 0), 0);
    let found = cache.get_many::<Even, _>(KEYS).run().unwrap();
    assert_eq!(found, [const { Some(Even(3)) }; 3]);

    // some that the store can hold, others that it can't
    let (client, builder) = older();
    let cache = builder.build().unwrap();
    let values = [Even(2), Even(3), Even(5)];
    begin(cache.set_many(KEYS.into_iter().zip(&values)));
    assert_eq!(left(&client, 0), 0);
}

#[test]
fn what_many_loads_have_brought_and_was_evicted_meanwhile_is_not_left() {
    let client = Client::new();
    let backend = slow(&client);
    let overtakes = Arc::clone(&backend.overtakes);
    let cache = client.builder().backend(backend).build().unwrap();
    overtakes.set(cache.clone()).ok().unwrap();
    let load = async |missing: Vec<&'static str>| missing.into_iter().map(|key| (key, 1_u8));
    begin(cache.get_or_load_many(KEYS, load));
    assert_eq!(left(&client, 0), 0);
}

/// The store has no marks by which to refuse the value.
#[test]
fn what_a_load_has_brought_and_was_evicted_while_it_was_stored_is_not_left() {
    let loads: [fn(&Cache); 2] = [
        |cache| begin(cache.get_or_load(KEYS[0], async || 1_u8)),
        |cache| {
            let load =
                async |missing: Vec<&'static str>| missing.into_iter().map(|key| (key, 1_u8));
            begin(cache.get_or_load_many(KEYS, load));
        },
    ];
    for load in loads {
        let client = Client::new();
        let mut backend = slow(&client);
        backend.hangs = Some("fill");
        let overtakes = Arc::clone(&backend.overtakes);
        let cache = client.builder().backend(backend).build().unwrap();
        overtakes.set(cache.clone()).ok().unwrap();
        load(&cache);
        assert_eq!(left(&client, 0), 0);
    }
}

/// A value that was not overtaken is not removed either.
#[test]
fn what_a_load_has_brought_stays_if_nothing_came_meanwhile() {
    let client = Client::new();
    let mut backend = slow(&client);
    backend.hangs = Some("fill");
    let builder = client.builder().backend(backend).in_process(false);
    let cache = builder.build().unwrap();
    begin(cache.get_or_load(KEYS[0], async || 1_u8));
    assert_eq!(cache.get(KEYS[0]).run().unwrap(), Some(1_u8));
    assert!(!client.asked().contains(&"evict"));
}

#[cache(cache = cache, skip(cache))]
async fn third(cache: &Cache, id: u32) -> u32 {
    let _ = cache;
    id
}

#[cache(cache = cache, skip(cache), batch(ids))]
async fn fourth(cache: &Cache, ids: &[u32]) -> HashMap<u32, u32> {
    let _ = cache;
    ids.iter().map(|id| (*id, *id)).collect()
}

/// What the lookup would have found is unknown, so it counts as a miss.
#[test]
fn a_look_up_that_is_given_up_is_a_miss() {
    let client = Client::new();
    let mut backend = slow(&client);
    backend.hangs = Some("get");
    let cache = client.builder().backend(backend).build().unwrap();
    let misses = |count| {
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.loads), (0, count, 0));
    };
    begin(cache.get::<u8>(KEYS[0]));
    misses(1);
    begin(cache.get_or_load(KEYS[0], async || 1_u8));
    misses(2);
    begin(third(&cache, 7));
    misses(3);
    begin(cache.get_many::<u8, _>(KEYS));
    misses(6);
    let none = async |_| Vec::<(&str, u8)>::new();
    begin(cache.get_or_load_many(KEYS, none));
    misses(9);
    // a repeated id is two lookups
    begin(fourth(&cache, &[7, 8, 7]));
    misses(12);
    // a call that waits for another load is a lookup too
    let leads = third(&cache, 9);
    let mut leads = std::pin::pin!(leads);
    assert!(leads.as_mut().now_or_never().is_none());
    begin(third(&cache, 9));
    misses(13);
}

/// In a shared-only cache, the rule chooses what to evict from the store.
#[test]
fn what_a_rule_has_chosen_is_not_left() {
    let client = Client::new();
    let builder = client.builder().backend(slow(&client));
    let builder = builder.rule(cacheado::rules::Lru::new(1));
    let cache = builder.in_process(false).build().unwrap();
    let load = async |missing: Vec<&'static str>| missing.into_iter().map(|key| (key, 1_u8));
    begin(cache.get_or_load_many(KEYS, load));
    assert_eq!(left(&client, 1), 1);
}

#[cache(cache = cache, skip(cache))]
fn first(cache: &Cache, id: u32) -> u32 {
    let _ = cache;
    id
}

#[cache(cache = cache, skip(cache))]
fn second(cache: &Cache, id: u32) -> u32 {
    let _ = cache;
    id
}

#[cache_evict(first(cache, id), second(cache, id), second(cache, id + 1))]
async fn change(cache: &Cache, id: u32) {
    let _ = (cache, id);
}

/// Everything that an attribute names is evicted, not only the first call.
#[test]
fn what_a_function_was_to_evict_is() {
    let client = Client::new();
    let cache = client.builder().backend(slow(&client)).build().unwrap();
    first(&cache, 7);
    second(&cache, 7);
    second(&cache, 8);
    assert_eq!(client.len(), 3);
    begin(change(&cache, 7));
    assert_eq!(left(&client, 0), 0);
    assert_eq!(cache.stats().total_keys, 0);
}

/// A client that grants claims at once, but answers only when released.
struct Late {
    inner: Client,
    answers: Shared<oneshot::Receiver<()>>,
}

impl Backend for Late {
    fn name(&self) -> &'static str {
        "late"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.inner.get(key)
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.inner.set(key, payload)
    }

    fn lease_async<'a>(&'a self, key: &'a Key, span: Duration) -> BackendFuture<'a, Lease> {
        Box::pin(async move {
            let lease = self.inner.lease(key, span);
            let _ = self.answers.clone().await;
            lease
        })
    }

    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        self.inner.release(key, mark)
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

#[cache(cache = cache, skip(cache), single_flight = "cluster")]
async fn claimed(cache: &Cache, id: u32) -> u32 {
    let _ = cache;
    id
}

#[test]
fn what_was_claimed_for_nobody_is_given_back() {
    let is_claimed_again = async |goes: bool| {
        let client = Client::new();
        // longer than the test may take
        let builder = || client.builder().flight_timeout(Duration::from_hours(1));
        let (answer, answers) = oneshot::channel();
        let late = Late {
            inner: client.clone(),
            answers: answers.shared(),
        };
        let here = builder().backend(late).build().unwrap();
        let there = builder().build().unwrap();
        begin(claimed(&here, 7));
        assert_eq!(client.asked(), ["get", "lease"]);
        if goes {
            // as a cache does that is used for one call
            drop(here);
        }
        answer.send(()).unwrap();
        assert_eq!(claimed(&there, 7).await, 7);
        assert!(client.asked().contains(&"release"));
    };
    for goes in [false, true] {
        within(Duration::from_secs(20), move || {
            futures::executor::block_on(is_claimed_again(goes))
        });
        within(Duration::from_secs(20), move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(is_claimed_again(goes));
        });
    }
}

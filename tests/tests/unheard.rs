//! Loads before changes of other processes are first reported, and loads of one key beside each other: the store loses nothing that no
//! caller has evicted, and no body runs merely because reports are missing.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use cacheado::backends::{Backend, BackendResult, Change, Changes, Lease, Lookup, Mark, Payload};
use cacheado::rules::Lru;
use cacheado::{Cache, Key, Scope, cache, evict, peek, put, refresh};
use cacheado_tests::store::Client;
use futures::FutureExt;
use futures::executor::block_on;

/// Runs once, at the next operation of its kind.
type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

fn hang(hook: &Hook, run: impl FnOnce() + Send + 'static) {
    *hook.lock().unwrap() = Some(Box::new(run));
}

fn cross(hook: &Hook) {
    let run = hook.lock().unwrap().take();
    if let Some(run) = run {
        run();
    }
}

/// A client that receives no reports until the test says so, and whose operations other events can cross.
struct Late {
    inner: Client,
    changes: Arc<OnceLock<Changes>>,
    /// Before a fill.
    in_fill: Hook,
    /// After the store has carried it out, and before it answers.
    after_fill: Hook,
    after_evict: Hook,
}

impl Late {
    fn new(inner: &Client) -> Self {
        Self {
            inner: inner.clone(),
            changes: Arc::default(),
            in_fill: Hook::default(),
            after_fill: Hook::default(),
            after_evict: Hook::default(),
        }
    }

    /// Returns a function that has changes reported from then on.
    fn hear(&self) -> impl Fn() + Clone + Send + Sync + 'static {
        let changes = Arc::clone(&self.changes);
        move || changes.get().unwrap().report(Change::Covered)
    }
}

impl Backend for Late {
    fn name(&self) -> &'static str {
        "late"
    }

    fn watch(&self, changes: Changes) -> bool {
        self.changes.set(changes).is_ok()
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.inner.get(key)
    }

    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        self.inner.mark(key)
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.inner.set(key, payload)
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        cross(&self.in_fill);
        let stored = self.inner.fill(key, payload, mark);
        cross(&self.after_fill);
        stored
    }

    fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.inner.put(key, payload, mark)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        let evicted = self.inner.evict(key);
        cross(&self.after_evict);
        evicted
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.inner.evict_by_scope(scope)
    }

    fn clear(&self) -> BackendResult<()> {
        self.inner.clear()
    }

    fn lease(&self, key: &Key, span: Duration) -> BackendResult<Lease> {
        self.inner.lease(key, span)
    }

    fn release(&self, key: &Key, mark: &Mark) -> BackendResult<()> {
        self.inner.release(key, mark)
    }

    fn release_to_all(&self, key: &Key, mark: &Mark, span: Duration) -> BackendResult<()> {
        self.inner.release_to_all(key, mark, span)
    }
}

fn load(cache: &Cache, body: impl FnOnce() -> u32) -> u32 {
    cache.get_or_load("key", body).run().unwrap()
}

#[test]
fn who_finds_what_a_load_has_just_stored_does_not_evict_it() {
    for is_async in [false, true] {
        let client = Client::new();
        let late = Late::new(&client);
        let (hear, after_fill) = (late.hear(), Arc::clone(&late.after_fill));
        let cache = client.builder().backend(late).build().unwrap();
        let other = cache.clone();
        hang(&after_fill, move || {
            let found = if is_async {
                block_on(other.get_or_load("key", async || 8).into_future()).unwrap()
            } else {
                load(&other, || 8)
            };
            assert_eq!(found, 7, "the store's");
        });
        let body = || {
            hear();
            7
        };
        assert_eq!(load(&cache, body), 7);
        assert!(after_fill.lock().unwrap().is_none(), "they have crossed");
        assert_eq!(client.len(), 1);
    }
}

#[test]
fn nor_where_the_process_keeps_no_values_or_has_no_room() {
    let caches: [fn(&Client, Late) -> Cache; 2] = [
        |client, late| {
            client
                .builder()
                .backend(late)
                .in_process(false)
                .build()
                .unwrap()
        },
        |client, late| {
            client
                .builder()
                .backend(late)
                .rule(Lru::new(1))
                .build()
                .unwrap()
        },
    ];
    for cache in caches {
        let client = Client::new();
        let late = Late::new(&client);
        let (hear, after_fill) = (late.hear(), Arc::clone(&late.after_fill));
        let cache = cache(&client, late);
        hear();
        let other = cache.clone();
        hang(&after_fill, move || {
            other.get_or_load("another", || 1_u32).run().unwrap();
            let found = other.get("key").run().unwrap();
            assert_eq!(found, Some(7_u32), "the store's");
        });
        assert_eq!(load(&cache, || 7), 7);
        assert!(after_fill.lock().unwrap().is_none(), "they have crossed");
        let found = client.cache().get::<u32>("key").run().unwrap();
        assert_eq!(found, Some(7));
    }
}

type Body = Arc<dyn Fn() -> u32 + Send + Sync>;

fn body(run: impl Fn() -> u32 + Send + Sync + 'static) -> Body {
    Arc::new(run)
}

#[cache(single_flight = false, cache = cache, skip(cache, body))]
fn beside(cache: &Cache, body: &Body) -> u32 {
    let _ = cache;
    body()
}

/// A load that joins no other, of one key or in bulk, with `run` in its body.
fn load_beside(cache: &Cache, many: bool, value: u32, run: impl FnOnce() + Send + 'static) -> u32 {
    let hook = Hook::default();
    hang(&hook, run);
    let load = move || {
        cross(&hook);
        value
    };
    if many {
        let body = |keys: Vec<u32>| keys.into_iter().map(move |key| (key, load()));
        let got = cache.get_or_load_many([1_u32], body).run().unwrap();
        got[0].unwrap()
    } else {
        beside(cache, &body(load))
    }
}

#[test]
fn two_loads_side_by_side_do_not_evict_what_either_stores() {
    for (many, first_wins) in [(false, false), (false, true), (true, false), (true, true)] {
        let client = Client::new();
        let store = client.store();
        store.first_wins.store(first_wins, Ordering::SeqCst);
        let late = Late::new(&client);
        let (hear, after_fill) = (late.hear(), Arc::clone(&late.after_fill));
        let cache = client.builder().backend(late).build().unwrap();
        hear();
        let (other, stored) = (cache.clone(), Arc::clone(&after_fill));
        let got = load_beside(&cache, many, 1, move || {
            // a later load, which ends while the first of the two is being stored
            let (began, begins) = mpsc::channel();
            let (go, goes) = mpsc::channel::<()>();
            let later = thread::spawn(move || {
                load_beside(&other, many, 2, move || {
                    began.send(()).unwrap();
                    goes.recv().unwrap();
                })
            });
            begins.recv().unwrap();
            hang(&stored, move || {
                go.send(()).unwrap();
                assert_eq!(later.join().unwrap(), 2);
            });
        });
        assert_eq!(got, 1);
        assert!(after_fill.lock().unwrap().is_none(), "they have crossed");
        assert_eq!(client.len(), 1);
        let last = if first_wins { 1 } else { 2 };
        assert_eq!(load_beside(&cache, many, 3, || ()), last);
        assert_eq!(load_beside(&client.cache(), many, 3, || ()), last);
    }
}

#[cache(ttl = 60, single_flight = "cluster", cache = cache, skip(cache, body))]
fn claimed(cache: &Cache, body: &Body) -> u32 {
    let _ = cache;
    body()
}

#[test]
fn a_claimed_load_that_an_eviction_overtakes_evicts_nothing_itself() {
    let client = Client::new();
    let late = Late::new(&client);
    let (hear, after_evict) = (late.hear(), Arc::clone(&late.after_evict));
    let cache = client.builder().backend(late).build().unwrap();
    hear();
    assert_eq!(claimed(&cache, &body(|| 1)), 1);
    let (end, ends) = mpsc::channel();
    let (loading, loads) = mpsc::channel();
    let ends = Mutex::new(ends);
    let other = cache.clone();
    // a caller that comes after the store has evicted, and before the process knows
    hang(&after_evict, move || {
        let (began, begins) = mpsc::channel();
        let slow = body(move || {
            began.send(()).unwrap();
            ends.lock().unwrap().recv().unwrap();
            2
        });
        loading
            .send(thread::spawn(move || claimed(&other, &slow)))
            .unwrap();
        begins.recv().unwrap();
    });
    evict!(claimed(&cache, &body(|| 0))).unwrap();
    end.send(()).unwrap();
    let overtaken = loads.recv().unwrap().join().unwrap();
    assert_eq!(overtaken, 2);
    let asked = client.asked();
    assert!(
        !asked.contains(&"release to all"),
        "nobody has failed: {asked:?}"
    );
    let evictions = asked.iter().filter(|it| **it == "evict").count();
    assert_eq!(evictions, 1, "{asked:?}");
}

type Rate = Arc<dyn Fn() -> Result<u32, String> + Send + Sync>;

fn down() -> Result<u32, String> {
    Err("down".to_owned())
}

#[cache(ttl = 60, when = |it| *it < 100, single_flight = "cluster", cache = cache, skip(cache, body))]
fn claimed_rate(cache: &Cache, body: &Rate) -> Result<u32, String> {
    let _ = cache;
    body()
}

#[cache(ttl = 60, when = |it| *it < 100, single_flight = "cluster", cache = cache, skip(cache, body))]
async fn claimed_rate_async(cache: &Cache, body: &Rate) -> Result<u32, String> {
    let _ = cache;
    body()
}

/// Even though an eviction has overtaken the load.
#[test]
fn a_claimed_load_with_nothing_to_store_is_followed_by_all() {
    for ends in [down, || Ok(500)] {
        let client = Client::new();
        let cache = client.cache();
        let evicting = cache.clone();
        let body: Rate = Arc::new(move || {
            let unused: Rate = Arc::new(down);
            evict!(claimed_rate(&evicting, &unused)).unwrap();
            let evicted = evict!(claimed_rate_async(&evicting, &unused)).now_or_never();
            evicted.expect("it has nothing to wait for").unwrap();
            ends()
        });
        for is_async in [false, true] {
            client.asked();
            let got = if is_async {
                block_on(claimed_rate_async(&cache, &body))
            } else {
                claimed_rate(&cache, &body)
            };
            assert_eq!(got, ends());
            assert_eq!(client.asked().last(), Some(&"release to all"));
        }
    }
}

#[cache(ttl = 60, stale = 60, when = |it| *it < 100, cache = cache, skip(cache, body))]
fn bounded(cache: &Cache, body: &Body) -> u32 {
    let _ = cache;
    body()
}

#[cache(ttl = 60, stale = 60, when = |it| *it < 100, cache = cache, skip(cache, body))]
async fn bounded_async(cache: &Cache, body: &Body) -> u32 {
    let _ = cache;
    body()
}

#[test]
fn what_is_not_stored_takes_away_what_stood_in_and_nothing_that_came_since() {
    for is_async in [false, true] {
        let call = move |cache: &Cache, value: u32| {
            let body = body(move || value);
            if is_async {
                block_on(bounded_async(cache, &body))
            } else {
                bounded(cache, &body)
            }
        };
        let client = Client::new();
        assert_eq!(call(&client.cache(), 1), 1);
        client.store().clock.advance(Duration::from_secs(61));
        let late = Late::new(&client);
        let (hear, after_evict) = (late.hear(), Arc::clone(&late.after_evict));
        let cache = client.builder().backend(late).build().unwrap();
        hear();
        let other = cache.clone();
        hang(&after_evict, move || {
            // on a thread of its own, which is not inside any load
            thread::spawn(move || assert_eq!(call(&other, 2), 2))
                .join()
                .unwrap();
        });
        assert_eq!(call(&cache, 500), 500);
        assert!(after_evict.lock().unwrap().is_none(), "they have crossed");
        assert_eq!(call(&cache, 3), 2);
    }
}

#[cache(ttl = 60, stale = 3600, cache = cache, skip(cache, body))]
fn rate(cache: &Cache, body: &Rate) -> Result<u32, String> {
    let _ = cache;
    body()
}

#[cache(ttl = 60, stale = 3600, when = |it| *it < 100, cache = cache, skip(cache, body))]
fn bounded_rate(cache: &Cache, body: &Rate) -> Result<u32, String> {
    let _ = cache;
    body()
}

#[test]
fn what_stands_in_does_so_for_the_first_call_of_a_process() {
    for heard_meanwhile in [false, true] {
        let client = Client::new();
        let right: Rate = Arc::new(|| Ok(1));
        assert_eq!(rate(&client.cache(), &right), Ok(1));
        client.store().clock.advance(Duration::from_secs(61));
        let late = Late::new(&client);
        let hear = late.hear();
        let cache = client.builder().backend(late).build().unwrap();
        let fails: Rate = Arc::new(move || {
            if heard_meanwhile {
                hear();
            }
            down()
        });
        assert_eq!(rate(&cache, &fails), Ok(1));
    }
}

#[test]
fn what_is_not_stored_ends_what_stood_in_for_it() {
    for heard_meanwhile in [false, true] {
        let client = Client::new();
        let right: Rate = Arc::new(|| Ok(1));
        assert_eq!(bounded_rate(&client.cache(), &right), Ok(1));
        client.store().clock.advance(Duration::from_secs(61));
        let late = Late::new(&client);
        let hear = late.hear();
        let cache = client.builder().backend(late).build().unwrap();
        let large: Rate = Arc::new(move || {
            if heard_meanwhile {
                hear();
            }
            Ok(500)
        });
        assert_eq!(bounded_rate(&cache, &large), Ok(500));
        let fails: Rate = Arc::new(down);
        assert_eq!(bounded_rate(&cache, &fails), down());
    }
}

#[test]
fn an_older_load_that_is_refused_takes_nothing_of_a_newer_one() {
    let client = Client::new();
    let late = Late::new(&client);
    let hear = late.hear();
    let cache = client.builder().backend(late).build().unwrap();
    let runs = AtomicU32::new(0);
    thread::scope(|scope| {
        let (began, begins) = mpsc::channel();
        let (go, goes) = mpsc::channel();
        let older = move || {
            began.send(()).unwrap();
            goes.recv().unwrap();
            1
        };
        let cache = &cache;
        let older = scope.spawn(|| load(cache, older));
        begins.recv().unwrap();
        client.cache().evict("key").run().unwrap();
        hear();
        let newer = load(cache, || {
            runs.fetch_add(1, Ordering::SeqCst);
            go.send(()).unwrap();
            assert_eq!(older.join().unwrap(), 1);
            2
        });
        assert_eq!(newer, 2);
    });
    let third = load(&cache, || 3);
    assert_eq!((third, runs.load(Ordering::SeqCst)), (2, 1));
}

type Waiter = Mutex<Pin<Box<dyn Future<Output = u32> + Send>>>;

/// Polls on a thread of its own, which is not inside any load.
fn poll(waiter: &Waiter) -> Poll<u32> {
    let poll = || {
        let mut context = Context::from_waker(Waker::noop());
        waiter.lock().unwrap().as_mut().poll(&mut context)
    };
    thread::scope(|scope| scope.spawn(poll).join().unwrap())
}

#[test]
fn who_has_waited_and_asks_again_finds_it() {
    for heard_meanwhile in [false, true] {
        let client = Client::new();
        let late = Late::new(&client);
        let (hear, in_fill) = (late.hear(), Arc::clone(&late.in_fill));
        let cache = client.builder().backend(late).build().unwrap();
        let other = cache.clone();
        let waiter: Arc<Waiter> = Arc::new(Mutex::new(Box::pin(async move {
            assert_eq!(other.get_or_load("key", async || 8_u32).await.unwrap(), 7);
            load(&other, || 9)
        })));
        // the waiter goes on as soon as it may, possibly before the store has the value
        let (early, goes_on) = (Arc::new(OnceLock::new()), Arc::clone(&waiter));
        let is_early = Arc::clone(&early);
        hang(&in_fill, move || is_early.set(poll(&goes_on)).unwrap());
        let loaded = load(&cache, || {
            assert!(poll(&waiter).is_pending(), "it waits");
            if heard_meanwhile {
                hear();
            }
            7
        });
        assert_eq!(loaded, 7);
        let found = match early.get() {
            Some(Poll::Ready(found)) => Poll::Ready(*found),
            _ => poll(&waiter),
        };
        assert_eq!(found, Poll::Ready(7));
    }
}

#[cache(ttl = 60, local, cache = cache, skip(cache, body))]
fn local(cache: &Cache, body: &dyn Fn() -> u32) -> u32 {
    let _ = cache;
    body()
}

#[test]
fn what_never_leaves_the_process_is_kept_though_news_are_lost() {
    let client = Client::new();
    let cache = client.cache();
    let lossy = || {
        client.report(&Change::Lost);
        client.report(&Change::Covered);
        1
    };
    assert_eq!(local(&cache, &lossy), 1);
    assert_eq!(peek!(local(&cache, &lossy)).unwrap(), Some(1));
    assert!(put!(local(&cache, &lossy), 5).unwrap());
    assert_eq!(refresh!(local(&cache, &lossy)), 1);
    assert_eq!(peek!(local(&cache, &lossy)).unwrap(), Some(1));
}

#[cache(ttl = 60, err_ttl = 5, local, cache = cache, skip(cache, body))]
fn local_rate(cache: &Cache, body: &Rate) -> Result<u32, String> {
    let _ = cache;
    body()
}

#[cache(ttl = 60, err_ttl = 5, cache = cache, skip(cache, body))]
fn shared_rate(cache: &Cache, body: &Rate) -> Result<u32, String> {
    let _ = cache;
    body()
}

/// An error of a function with shared values is not kept, since another process may have stored a value unreported.
#[test]
fn so_is_its_error() {
    let changes: [&[Change]; 2] = [&[Change::Covered], &[Change::Lost, Change::Covered]];
    for changes in changes {
        let client = Client::new();
        let late = Late::new(&client);
        let reports = Arc::clone(&late.changes);
        let cache = client.builder().backend(late).build().unwrap();
        let runs = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&runs);
        let fails: Rate = Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let reports = reports.get().unwrap();
            for change in changes {
                reports.report(change.clone());
            }
            down()
        });
        for (call, once) in [
            (local_rate as fn(&Cache, &Rate) -> _, true),
            (shared_rate, false),
        ] {
            runs.store(0, Ordering::SeqCst);
            assert_eq!(call(&cache, &fails), down());
            assert_eq!(call(&cache, &fails), down());
            assert_eq!(runs.load(Ordering::SeqCst) == 1, once);
        }
    }
}

/// A process, and the source that all processes read.
#[derive(Clone)]
struct Process {
    cache: Cache,
    source: Arc<AtomicU32>,
}

impl Process {
    fn new(client: &Client, source: &Arc<AtomicU32>) -> Self {
        Self {
            cache: client.cache(),
            source: Arc::clone(source),
        }
    }
}

#[cache(cache = of.cache, skip(of), ttl = 3600)]
fn part(of: &Process, id: u32) -> u32 {
    of.source.load(Ordering::SeqCst)
}

#[cache(cache = of.cache, skip(of), ttl = 3600, stale = 60)]
fn aged_part(of: &Process, id: u32) -> u32 {
    of.source.load(Ordering::SeqCst)
}

#[cache(cache = of.cache, skip(of), batch(ids))]
fn parts(of: &Process, ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter()
        .map(|&id| (id, of.source.load(Ordering::SeqCst)))
        .collect()
}

/// A way to read a part.
type Ask = fn(&Process) -> u32;

#[cache(cache = of.cache, skip(of, ask), ttl = 3600)]
fn whole(of: &Process, way: usize, ask: Ask) -> u32 {
    ask(of)
}

#[cache(cache = of.cache, skip(of, ask), ttl = 3600, batch(ways))]
fn wholes(of: &Process, ways: &[usize], ask: Ask) -> HashMap<usize, u32> {
    ways.iter().map(|&way| (way, ask(of))).collect()
}

const ASKS: [Ask; 6] = [
    |of| part(of, 1),
    |of| block_on(async { part(of, 1) }),
    |of| parts(of, &[1])[&1],
    |of| {
        let load = || of.source.load(Ordering::SeqCst);
        of.cache.get_or_load("part", load).run().unwrap()
    },
    |of| {
        let found: Option<u32> = of.cache.get("part").run().unwrap();
        found.unwrap_or_else(|| of.source.load(Ordering::SeqCst))
    },
    |of| peek!(part(of, 1)).unwrap().unwrap_or_else(|| part(of, 1)),
];

#[test]
fn what_a_load_makes_of_a_copy_that_may_be_old_is_as_new_as_the_store() {
    for (way, ask) in ASKS.into_iter().enumerate() {
        let client = Client::new();
        client.store().silent.store(true, Ordering::SeqCst);
        let source = Arc::new(AtomicU32::new(1));
        let (one, other) = (
            Process::new(&client, &source),
            Process::new(&client, &source),
        );
        one.cache.set("part", &1_u32).run().unwrap();
        for process in [&one, &other] {
            assert_eq!((part(process, 1), parts(process, &[1])[&1]), (1, 1));
            assert_eq!(ask(process), 1);
        }
        source.store(2, Ordering::SeqCst);
        one.cache.clear().run().unwrap();
        // a copy may be as old as `coherence` allows, and a value derived from it would be so for its whole lifetime
        assert_eq!(ask(&other), 1, "{way}: nothing says that it is old");
        assert_eq!(whole(&other, way, ask), 2, "{way}");
        assert_eq!(wholes(&other, &[way], ask)[&way], 2, "{way}");
        assert_eq!(whole(&one, way, ask), 2, "{way}");
    }
}

#[test]
fn copies_that_are_all_there_is_serve_loads_as_well() {
    let client = Client::new();
    client.store().silent.store(true, Ordering::SeqCst);
    let source = Arc::new(AtomicU32::new(1));
    let process = Process::new(&client, &source);
    assert_eq!((part(&process, 1), aged_part(&process, 1)), (1, 1));
    source.store(2, Ordering::SeqCst);
    client.store().down.store(true, Ordering::SeqCst);
    assert_eq!(whole(&process, 0, |of| part(of, 1)), 1);
    assert_eq!(whole(&process, 1, |of| aged_part(of, 1)), 1);
}

/// The bodies of programmatic bulk loads are bodies as well.
#[test]
fn so_is_what_a_loader_of_many_makes() {
    for is_async in [false, true] {
        let client = Client::new();
        client.store().silent.store(true, Ordering::SeqCst);
        let source = Arc::new(AtomicU32::new(1));
        let of = Process::new(&client, &source);
        assert_eq!(part(&of, 1), 1);
        source.store(2, Ordering::SeqCst);
        client.cache().clear().run().unwrap();
        let lazily = |ids: Vec<u32>| ids.into_iter().map(|id| (id, part(&of, id)));
        let got = if is_async {
            let many = of.cache.get_or_load_many([1], async |ids| lazily(ids));
            block_on(many.into_future())
        } else {
            of.cache.get_or_load_many([1], lazily).run()
        };
        assert_eq!(got.unwrap(), [Some(2)], "async: {is_async}");
    }
}

#[cache(cache = of.cache, skip(of), ttl = 3600, detached)]
async fn detached_part(of: Arc<Process>, id: u32) -> u32 {
    of.source.load(Ordering::SeqCst)
}

/// Fails while the source holds 0.
#[cache(cache = of.cache, skip(of), ttl = 3600, stale = 60)]
fn part_or_old(of: &Process, id: u32) -> Result<u32, String> {
    let found = of.source.load(Ordering::SeqCst);
    (found > 0).then_some(found).ok_or_else(String::new)
}

/// The derived value stays in the process, where it may be outdated for no longer than the copy may.
#[test]
fn what_is_made_of_a_copy_for_want_of_better_does_not_go_to_the_store() {
    let asks: [fn(&Arc<Process>) -> u32; 4] = [
        |of| part(of, 1),
        |of| block_on(detached_part(Arc::clone(of), 1)),
        |of| of.cache.get("part").run().unwrap().unwrap(),
        |of| {
            block_on(of.cache.get("part").into_future())
                .unwrap()
                .unwrap()
        },
    ];
    for (way, ask) in asks.into_iter().enumerate() {
        for many in [false, true] {
            let client = Client::new();
            client.store().silent.store(true, Ordering::SeqCst);
            let source = Arc::new(AtomicU32::new(1));
            let of = Arc::new(Process::new(&client, &source));
            of.cache.set("part", &1_u32).run().unwrap();
            assert_eq!(ask(&of), 1);
            // the connection breaks for a moment
            let load = || {
                client.store().down.store(true, Ordering::SeqCst);
                let found = ask(&of);
                client.store().down.store(false, Ordering::SeqCst);
                found
            };
            let (cache, elsewhere) = (&of.cache, client.cache());
            let (got, stored) = if many {
                let loaded = cache.get_or_load_many(["whole"], |ids| [(ids[0], load())]);
                (loaded.run().unwrap()[0].unwrap(), elsewhere.get("whole"))
            } else {
                let around = || cache.get_or_load("inner", load).run().unwrap();
                let loaded = cache.get_or_load("whole", around).run().unwrap();
                let inner: Option<u32> = elsewhere.get("inner").run().unwrap();
                assert_eq!(inner, None, "{way}");
                (loaded, elsewhere.get("whole"))
            };
            assert_eq!(got, 1, "{way}");
            let stored: Option<u32> = stored.run().unwrap();
            assert_eq!(stored, None, "{way}, many: {many}");
            let kept: Option<u32> = cache.get("whole").run().unwrap();
            assert_eq!(kept, Some(1), "{way}");
        }
    }
}

#[test]
fn nor_what_is_made_of_one_that_stands_in() {
    let client = Client::new();
    client.store().silent.store(true, Ordering::SeqCst);
    let source = Arc::new(AtomicU32::new(1));
    let of = Process::new(&client, &source);
    assert_eq!(part_or_old(&of, 1), Ok(1));
    client.cache().clear().run().unwrap();
    source.store(0, Ordering::SeqCst);
    let load = || part_or_old(&of, 1).unwrap();
    assert_eq!(of.cache.get_or_load("whole", load).run().unwrap(), 1);
    let stored: Option<u32> = client.cache().get("whole").run().unwrap();
    assert_eq!(stored, None);
}

/// No other process has the stale value that was served, so this process remembers that the load has just failed.
#[test]
fn a_load_that_has_failed_in_a_body_is_not_tried_again_at_once() {
    let client = Client::new();
    client.store().silent.store(true, Ordering::SeqCst);
    let right: Rate = Arc::new(|| Ok(1));
    assert_eq!(rate(&client.cache(), &right), Ok(1));
    client.store().clock.advance(Duration::from_secs(61));
    let runs = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&runs);
    let fails: Rate = Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        down()
    });
    let cache = client.cache();
    for whole in 0..3 {
        let load = || rate(&cache, &fails).unwrap();
        assert_eq!(cache.get_or_load(whole, load).run().unwrap(), 1);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn nor_what_is_made_of_that_by_who_has_waited_for_it() {
    let client = Client::new();
    client.store().silent.store(true, Ordering::SeqCst);
    let source = Arc::new(AtomicU32::new(1));
    let of = Process::new(&client, &source);
    assert_eq!(part(&of, 1), 1);
    let other = of.cache.clone();
    let waiter: Arc<Waiter> = Arc::new(Mutex::new(Box::pin(async move {
        let load = async || other.get_or_load("middle", async || 9).await.unwrap();
        other.get_or_load("whole", load).await.unwrap()
    })));
    let waits = Arc::clone(&waiter);
    let load = || {
        assert!(poll(&waits).is_pending(), "it waits");
        client.store().down.store(true, Ordering::SeqCst);
        let found = part(&of, 1);
        client.store().down.store(false, Ordering::SeqCst);
        found
    };
    assert_eq!(of.cache.get_or_load("middle", load).run().unwrap(), 1);
    assert_eq!(poll(&waiter), Poll::Ready(1));
    let stored: Option<u32> = client.cache().get("whole").run().unwrap();
    assert_eq!(stored, None);
}

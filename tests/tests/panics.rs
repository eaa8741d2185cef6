//! Panics in user code. Where the code runs for the cache, a broken cache degrades to calling the function. Where it is the caller's
//! own, the panic reaches the caller. After any panic, the next call is served.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cacheado::backends::{Backend, BackendFuture, BackendResult, Lookup, Payload};
use cacheado::rule::{Admission, Candidate, Cause, Reads, Verdict};
use cacheado::{Cache, CacheBuilder, Key, Rule, Scope, Weighed, cache, evict, peek, put};
use cacheado_tests::within;
use futures::FutureExt;

/// Long enough for the slowest machine: a test that exceeds it hangs.
const LIMIT: Duration = Duration::from_mins(1);

/// Determines when something panics.
#[derive(Clone, Default)]
struct Fuse(Arc<AtomicBool>);

impl Fuse {
    fn light(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn put_out(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    fn burns(&self) {
        assert!(!self.0.load(Ordering::SeqCst), "on purpose");
    }
}

fn panics<R>(call: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_err()
}

#[cache(cache = cache, skip(cache))]
fn double(cache: &Cache, x: u64) -> u64 {
    x * 2
}

#[cache(cache = cache, skip(cache))]
async fn double_async(cache: &Cache, x: u64) -> u64 {
    x * 2
}

#[test]
fn what_a_weigher_panics_over_weighs_one() {
    let odd = |it: &Weighed<'_>| {
        let value = *it.value::<u64>().unwrap();
        assert!(value < 100, "on purpose");
        2
    };
    let builders: [fn(CacheBuilder) -> CacheBuilder; 2] = [
        |builder| {
            builder.max_weight(10, |it| {
                it.value::<u64>().map_or(0, |_| panic!("on purpose"))
            })
        },
        |builder| {
            builder
                .rule(cacheado::rules::WTinyLfu::new(10))
                .weigher(|_| panic!("on purpose"))
        },
    ];
    for bound in builders {
        let cache = bound(Cache::builder()).build().unwrap();
        for x in 0..100 {
            assert_eq!(double(&cache, x), x * 2);
            assert_eq!(double_async(&cache, x).now_or_never(), Some(x * 2));
            assert!(put!(double(&cache, x), x).is_ok());
        }
        assert!(cache.set("key", &1_u64).run().is_ok());
        let keys = cache.stats().total_keys;
        assert!(
            (1..=10).contains(&keys),
            "{keys}: they are bounded all the same"
        );
    }
    let cache = Cache::builder().max_weight(3, odd).build().unwrap();
    assert_eq!((double(&cache, 1), double(&cache, 100)), (2, 200));
    assert_eq!(peek!(double(&cache, 1)).unwrap(), Some(2));
    assert_eq!(peek!(double(&cache, 100)).unwrap(), Some(200));
}

/// A backend whose operations all panic.
struct Broken {
    fuse: Fuse,
    asked: Arc<AtomicU64>,
    answered: Arc<AtomicU64>,
    /// Its futures panic when polled, not when made.
    late: bool,
}

impl Broken {
    fn ask<T>(&self, answer: T) -> BackendResult<T> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.fuse.burns();
        self.answered.fetch_add(1, Ordering::SeqCst);
        Ok(answer)
    }

    fn ask_async<T: Send + 'static>(&self, answer: T) -> BackendFuture<'_, T> {
        if self.late {
            Box::pin(async move { self.ask(answer) })
        } else {
            let answer = self.ask(answer);
            Box::pin(async move { answer })
        }
    }
}

impl Backend for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn get(&self, _: &Key) -> BackendResult<Lookup> {
        self.ask(None.into())
    }

    fn set(&self, _: &Key, _: &Payload) -> BackendResult<()> {
        self.ask(())
    }

    fn evict(&self, _: &Key) -> BackendResult<bool> {
        self.ask(false)
    }

    fn evict_by_scope(&self, _: &Scope) -> BackendResult<u64> {
        self.ask(0)
    }

    fn clear(&self) -> BackendResult<()> {
        self.ask(())
    }

    fn get_async<'a>(&'a self, _: &'a Key) -> BackendFuture<'a, Lookup> {
        self.ask_async(Lookup::from(None))
    }

    fn set_async<'a>(&'a self, _: &'a Key, _: &'a Payload) -> BackendFuture<'a, ()> {
        self.ask_async(())
    }

    fn evict_async<'a>(&'a self, _: &'a Key) -> BackendFuture<'a, bool> {
        self.ask_async(false)
    }

    fn evict_by_scope_async<'a>(&'a self, _: &'a Scope) -> BackendFuture<'a, u64> {
        self.ask_async(0)
    }

    fn clear_async(&self) -> BackendFuture<'_, ()> {
        self.ask_async(())
    }
}

#[test]
fn a_backend_that_panics_has_failed() {
    within(LIMIT, || {
        for late in [false, true] {
            futures::executor::block_on(fails(late));
        }
    });
}

async fn fails(late: bool) {
    let (fuse, asked, answered) = (Fuse::default(), Arc::default(), Arc::default());
    let backend = Broken {
        fuse: fuse.clone(),
        asked: Arc::clone(&asked),
        answered: Arc::clone(&answered),
        late,
    };
    let builder = Cache::builder().backend(backend);
    // the circuit breaker never opens
    let cache = builder.circuit_breaker(u32::MAX, LIMIT).build().unwrap();
    fuse.light();
    assert_eq!(double(&cache, 1), 2);
    assert_eq!(double_async(&cache, 2).await, 4);
    assert_eq!(cache.get_or_load("key", || 3_u64).run().unwrap(), 3);
    let load = |missing: Vec<u64>| {
        missing
            .into_iter()
            .map(|key| (key, key))
            .collect::<Vec<_>>()
    };
    assert_eq!(cache.get_many::<u64, _>([7_u64]).run().unwrap(), [None]);
    assert_eq!(cache.get_many::<u64, _>([7_u64]).await.unwrap(), [None]);
    let loaded = cache.get_or_load_many([8_u64], load).run().unwrap();
    assert_eq!(loaded, [Some(8)]);
    let loaded = cache.get_or_load_many([9_u64], async |missing| load(missing));
    assert_eq!(loaded.await.unwrap(), [Some(9)]);
    let stats = cache.stats();
    assert_eq!(stats.loads, 5);
    let failed = stats.backend_errors;
    assert_eq!(failed, asked.load(Ordering::SeqCst), "each is counted");
    // explicit operations return the failure
    let told = [
        evict!(double(&cache, 1)).map(drop),
        evict!(double_async(&cache, 2)).await.map(drop),
        put!(double(&cache, 1), 1).map(drop),
        put!(double_async(&cache, 2), 1).await.map(drop),
        cache.set_many([(7_u64, &7_u64)]).run().map(drop),
        cache.set_many([(7_u64, &7_u64)]).await.map(drop),
        cache.evict_by_scope(Scope::global()).run().map(drop),
        cache.evict_by_scope(Scope::global()).await.map(drop),
        cache.clear().run(),
        cache.clear().await,
    ];
    for told in told {
        let error = told.unwrap_err().to_string();
        assert!(
            error.contains("broken") && error.contains("panicked"),
            "{error}"
        );
    }
    fuse.put_out();
    // what could not be sent meanwhile is sent later, in the background
    while answered.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert_eq!((double(&cache, 5), double_async(&cache, 5).await), (10, 10));
    assert_eq!((double(&cache, 5), double_async(&cache, 5).await), (10, 10));
}

/// Panics in one of its hooks.
struct Startled {
    hook: &'static str,
    fuse: Fuse,
}

impl Startled {
    fn asked(&self, hook: &str) {
        if self.hook == hook {
            self.fuse.burns();
        }
    }
}

impl Rule for Startled {
    fn name(&self) -> &'static str {
        "Startled"
    }

    fn reads(&self) -> Reads {
        Reads::Call
    }

    fn on_get(&self, _: &Key) -> Verdict {
        self.asked("get");
        Verdict::Keep
    }

    fn on_set(&self, _: &mut Candidate<'_>) -> Admission {
        self.asked("set");
        Admission::Admit
    }

    fn on_evict(&self, _: &Key, _: Cause) {
        self.asked("evict");
    }

    fn on_clear(&self) {
        self.asked("clear");
    }
}

/// A rule belongs to the application, so its panic reaches the caller; the cache keeps working.
#[test]
fn after_a_rule_has_panicked_the_cache_is_used_on() {
    within(LIMIT, || {
        for hook in ["get", "set", "evict", "clear"] {
            let fuse = Fuse::default();
            let rule = Startled {
                hook,
                fuse: fuse.clone(),
            };
            let cache = Cache::builder().rule(rule).build().unwrap();
            double(&cache, 1);
            double_async(&cache, 1).now_or_never();
            fuse.light();
            let panicked = [
                panics(|| double(&cache, 1)),
                panics(|| double_async(&cache, 1).now_or_never()),
                panics(|| double(&cache, 2)),
                panics(|| double_async(&cache, 2).now_or_never()),
                panics(|| evict!(double(&cache, 1))),
                panics(|| evict!(double_async(&cache, 1)).now_or_never()),
                panics(|| cache.clear().run()),
            ];
            assert!(panicked.contains(&true), "{hook}");
            fuse.put_out();
            for x in [1, 2, 3, 3] {
                assert_eq!(double(&cache, x), x * 2, "{hook}");
                assert_eq!(
                    double_async(&cache, x).now_or_never(),
                    Some(x * 2),
                    "{hook}"
                );
            }
            assert_eq!(peek!(double(&cache, 3)).unwrap(), Some(6), "{hook}");
            assert!(evict!(double(&cache, 3)).unwrap(), "{hook}");
            cache.clear().run().unwrap();
            assert_eq!(cache.stats().total_keys, 0, "{hook}");
        }
    });
}

/// Functions whose options panic.
mod options {
    use super::{Cache, Duration, Fuse, cache};

    fn lives(fuse: &Fuse) -> Duration {
        fuse.burns();
        Duration::from_mins(1)
    }

    #[cache(cache = cache, skip(cache, fuse), ttl = lives(fuse))]
    pub(super) fn ttl(cache: &Cache, fuse: &Fuse, x: u64) -> u64 {
        x
    }

    #[cache(cache = cache, skip(cache, fuse), ttl = |_| lives(fuse))]
    pub(super) fn ttl_of_value(cache: &Cache, fuse: &Fuse, x: u64) -> u64 {
        x
    }

    #[cache(cache = cache, skip(cache, fuse), when = |_| lives(fuse) > Duration::ZERO)]
    pub(super) fn when(cache: &Cache, fuse: &Fuse, x: u64) -> u64 {
        x
    }

    #[cache(cache = cache, skip(cache, fuse), key = (lives(fuse).as_secs(), x))]
    pub(super) fn key(cache: &Cache, fuse: &Fuse, x: u64) -> u64 {
        x
    }

    #[cache(cache = cache, skip(cache, fuse), bypass = lives(fuse) == Duration::ZERO)]
    pub(super) fn bypass(cache: &Cache, fuse: &Fuse, x: u64) -> u64 {
        x
    }

    #[cache(cache = { fuse.burns(); cache }, skip(cache, fuse))]
    pub(super) fn within(cache: &Cache, fuse: &Fuse, x: u64) -> u64 {
        x
    }

    #[cache(cache = cache, skip(cache, fuse), ttl = |_| lives(fuse))]
    pub(super) async fn ttl_async(cache: &Cache, fuse: &Fuse, x: u64) -> u64 {
        x
    }

    #[cache(cache = cache, skip(cache, fuse), when = |_| lives(fuse) > Duration::ZERO)]
    pub(super) async fn when_async(cache: &Cache, fuse: &Fuse, x: u64) -> u64 {
        x
    }

    #[cache(cache = cache, skip(cache, fuse), key = (lives(fuse).as_secs(), x))]
    pub(super) async fn key_async(cache: &Cache, fuse: &Fuse, x: u64) -> u64 {
        x
    }
}

#[test]
fn after_an_option_has_panicked_its_function_is_cached_as_before() {
    type Call = fn(&Cache, &Fuse) -> u64;
    fn now(call: impl Future<Output = u64>) -> u64 {
        call.now_or_never().expect("nobody holds it up")
    }
    let calls: [(&str, Call); 9] = [
        ("ttl", |cache, fuse| options::ttl(cache, fuse, 7)),
        ("ttl of value", |cache, fuse| {
            options::ttl_of_value(cache, fuse, 7)
        }),
        ("when", |cache, fuse| options::when(cache, fuse, 7)),
        ("key", |cache, fuse| options::key(cache, fuse, 7)),
        ("bypass", |cache, fuse| options::bypass(cache, fuse, 7)),
        ("cache", |cache, fuse| options::within(cache, fuse, 7)),
        ("ttl, async", |cache, fuse| {
            now(options::ttl_async(cache, fuse, 7))
        }),
        ("when, async", |cache, fuse| {
            now(options::when_async(cache, fuse, 7))
        }),
        ("key, async", |cache, fuse| {
            now(options::key_async(cache, fuse, 7))
        }),
    ];
    within(LIMIT, move || {
        for (option, call) in calls {
            let (cache, fuse) = (Cache::builder().build().unwrap(), Fuse::default());
            fuse.light();
            for _ in 0..2 {
                assert!(panics(|| call(&cache, &fuse)), "{option}");
            }
            fuse.put_out();
            assert_eq!(
                [call(&cache, &fuse), call(&cache, &fuse)],
                [7, 7],
                "{option}"
            );
            assert_eq!(cache.stats().hits, 1, "{option}");
        }
    });
}

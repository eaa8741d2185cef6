//! Single flight with async callers, and with callers of both kinds on one key: one runs the body and the rest wait for it. A leader
//! that panics, is cancelled or is never polled again delays no caller for long, and a blocking caller never keeps its leader from
//! being polled.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::{Duration, Instant};

use cacheado::backends::{BackendFuture, BackendResult, Lookup, Payload};
use cacheado::testing::ManualClock;
use cacheado::{Backend, Cache, Key, Scope, cache};
use cacheado_tests::within;
use futures::future::{BoxFuture, FutureExt as _, join_all};
use futures::task::noop_waker;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Barrier, Notify};
use tokio::task::{JoinHandle, LocalSet, spawn_blocking, yield_now};

/// Long enough for the slowest machine: a test that exceeds it hangs.
const LIMIT: Duration = Duration::from_mins(1);

fn current_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn cache() -> Cache {
    Cache::builder().build().expect("a plain cache")
}

/// A cache whose waiters never give up a leader within a test.
fn patient() -> Cache {
    let timeout = Duration::from_hours(1);
    let cache = Cache::builder().flight_timeout(timeout).build();
    cache.expect("a patient cache")
}

/// A cache whose waiters soon give up a leader that is not polled.
fn impatient() -> Cache {
    let timeout = Duration::from_millis(50);
    let cache = Cache::builder().flight_timeout(timeout).build();
    cache.expect("an impatient cache")
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&noop_waker()))
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

/// A programmatic load, async.
fn get_or_load<'a, F, Fut>(cache: &'a Cache, loader: F) -> BoxFuture<'a, u32>
where
    F: FnOnce() -> Fut + Send + 'a,
    Fut: Future<Output = u32> + Send + 'a,
{
    let value = cache.get_or_load("k", loader).into_future();
    value.map(|value| value.expect("a value")).boxed()
}

/// A load whose body is given by its caller.
#[cache(cache = cache, skip(cache, body))]
async fn boxed_load(cache: &Cache, body: BoxFuture<'_, u32>, x: u32) -> u32 {
    body.await
}

/// Boxes the body, since another type of body would be another instantiation, which shares no load.
async fn load(cache: &Cache, body: impl Future<Output = u32> + Send, x: u32) -> u32 {
    boxed_load(cache, body.boxed(), x).await
}

#[cache(cache = cache, skip(cache, body))]
async fn failing_load(cache: &Cache, body: BoxFuture<'_, ()>, x: u32) -> Result<u32, String> {
    body.await;
    Err(format!("no {x}"))
}

#[test]
fn a_thousand_tasks_on_one_key_run_the_body_once() {
    const CALLERS: usize = 1_000;
    within(LIMIT, || {
        for runtime in [current_thread(), multi_thread(1), multi_thread(2)] {
            let cache = cache();
            let arrived = Arc::new(AtomicUsize::new(0));
            let runs = Arc::new(AtomicUsize::new(0));
            let call = || {
                let (cache, arrived, runs) = (cache.clone(), arrived.clone(), runs.clone());
                async move {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    let body = async {
                        runs.fetch_add(1, Ordering::SeqCst);
                        until(|| arrived.load(Ordering::SeqCst) == CALLERS).await;
                        42
                    };
                    load(&cache, body, 1).await
                }
            };
            runtime.block_on(async {
                let tasks: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(call())).collect();
                for task in tasks {
                    assert_eq!(task.await.expect("no panic"), 42);
                }
            });
            assert_eq!(runs.load(Ordering::SeqCst), 1);
            let stats = cache.stats();
            assert_eq!(stats.loads, 1);
            assert_eq!(stats.hits + stats.misses, CALLERS as u64);
        }
    });
}

/// Callers of each kind on one key. The kind `first` comes first, and so leads.
fn mixed_callers(first: usize) {
    const OF_EACH: usize = 300;
    let runtime = multi_thread(2);
    let cache = patient();
    let arrived = Arc::new(AtomicUsize::new(0));
    let runs = Arc::new(AtomicUsize::new(0));
    let blocking = || {
        let (cache, arrived, runs) = (cache.clone(), arrived.clone(), runs.clone());
        move || {
            arrived.fetch_add(1, Ordering::SeqCst);
            let loader = || {
                runs.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < 3 * OF_EACH {
                    thread::yield_now();
                }
                42_u32
            };
            cache.get_or_load("k", loader).run().expect("a value")
        }
    };
    let awaiting = || {
        let (cache, arrived, runs) = (cache.clone(), arrived.clone(), runs.clone());
        async move {
            arrived.fetch_add(1, Ordering::SeqCst);
            let loader = || async {
                runs.fetch_add(1, Ordering::SeqCst);
                until(|| arrived.load(Ordering::SeqCst) == 3 * OF_EACH).await;
                42_u32
            };
            get_or_load(&cache, loader).await
        }
    };
    runtime.block_on(async {
        let (mut tasks, mut threads) = (Vec::new(), Vec::new());
        for kind in 0..3 {
            for _ in 0..OF_EACH {
                match (kind + first) % 3 {
                    0 => tasks.push(tokio::spawn(awaiting())),
                    1 => tasks.push(spawn_blocking(blocking())),
                    _ => threads.push(thread::spawn(blocking())),
                }
            }
            until(|| runs.load(Ordering::SeqCst) > 0).await;
        }
        for task in tasks {
            assert_eq!(task.await.expect("no panic"), 42);
        }
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), 42);
        }
    });
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(cache.stats().loads, 1);
}

#[test]
fn tasks_blocking_tasks_and_threads_share_the_load_of_a_task() {
    within(LIMIT, || mixed_callers(0));
}

#[test]
fn tasks_blocking_tasks_and_threads_share_the_load_of_a_blocking_task() {
    within(LIMIT, || mixed_callers(1));
}

#[test]
fn tasks_blocking_tasks_and_threads_share_the_load_of_a_thread() {
    within(LIMIT, || mixed_callers(2));
}

#[test]
fn waiters_of_a_panicking_leader_go_on() {
    within(LIMIT, || {
        for runtime in [current_thread(), multi_thread(2)] {
            runtime.block_on(async {
                let (cache, go) = (patient(), Notify::new());
                let body = async {
                    go.notified().await;
                    panic!("the leader's own");
                };
                let leader = AssertUnwindSafe(load(&cache, body, 1)).catch_unwind();
                let mut leader = Box::pin(leader);
                assert!(poll_once(&mut leader).is_pending());
                let mut waiters: Vec<_> = (0..10)
                    .map(|_| Box::pin(load(&cache, async { 7 }, 1)))
                    .collect();
                for waiter in &mut waiters {
                    assert!(poll_once(waiter).is_pending());
                }
                go.notify_one();
                leader.await.expect_err("it panics");
                assert_eq!(join_all(waiters).await, [7; 10]);
            });
        }
    });
}

/// The panicked future is kept, as by an executor that catches the panic.
#[test]
fn waiters_of_a_panicked_leader_that_is_not_dropped_go_on() {
    within(LIMIT, || {
        let (cache, armed) = (patient(), AtomicBool::new(false));
        let body = std::future::poll_fn(|_| {
            assert!(!armed.load(Ordering::SeqCst), "the leader's own");
            Poll::<u32>::Pending
        });
        let mut leader = Box::pin(load(&cache, body, 1));
        assert!(poll_once(&mut leader).is_pending());
        let mut waiter = Box::pin(load(&cache, async { 7 }, 1));
        assert!(poll_once(&mut waiter).is_pending());
        armed.store(true, Ordering::SeqCst);
        let poll = std::panic::catch_unwind(AssertUnwindSafe(|| poll_once(&mut leader)));
        assert!(poll.is_err());
        assert_eq!(poll_once(&mut waiter), Poll::Ready(7));
    });
}

#[test]
fn waiters_of_a_dropped_leader_go_on_and_one_of_them_leads() {
    within(LIMIT, || {
        let (cache, runs) = (patient(), AtomicU32::new(0));
        let mut leader = Box::pin(load(&cache, std::future::pending(), 1));
        assert!(poll_once(&mut leader).is_pending());
        let body = || async {
            runs.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
            7
        };
        let mut waiters: Vec<_> = (0..10).map(|_| Box::pin(load(&cache, body(), 1))).collect();
        for waiter in &mut waiters {
            assert!(poll_once(waiter).is_pending());
        }
        drop(leader);
        assert_eq!(current_thread().block_on(join_all(waiters)), [7; 10]);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn waiters_of_an_aborted_task_go_on() {
    within(LIMIT, || {
        for runtime in [current_thread(), multi_thread(2)] {
            runtime.block_on(async {
                let (cache, led) = (patient(), Arc::new(Notify::new()));
                let leader = tokio::spawn({
                    let (cache, led) = (cache.clone(), led.clone());
                    async move {
                        let body = async {
                            led.notify_one();
                            std::future::pending().await
                        };
                        load(&cache, body, 1).await
                    }
                });
                led.notified().await;
                let task = |cache: Cache| async move { load(&cache, async { 7 }, 1).await };
                let tasks: Vec<_> = (0..10).map(|_| tokio::spawn(task(cache.clone()))).collect();
                let thread = thread::spawn({
                    let cache = cache.clone();
                    move || current_thread().block_on(task(cache))
                });
                until(|| cache.stats().misses >= 12).await;
                leader.abort();
                for task in tasks {
                    assert_eq!(task.await.expect("no panic"), 7);
                }
                assert_eq!(thread.join().expect("no panic"), 7);
                assert!(leader.await.expect_err("aborted").is_cancelled());
            });
        }
    });
}

#[test]
fn a_waiter_that_is_dropped_leaves_the_load_to_the_rest() {
    let (cache, go) = (patient(), Notify::new());
    let body = async {
        go.notified().await;
        7
    };
    let mut leader = Box::pin(load(&cache, body, 1));
    assert!(poll_once(&mut leader).is_pending());
    let mut first = Box::pin(load(&cache, async { 8 }, 1));
    let mut second = Box::pin(load(&cache, async { 8 }, 1));
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut second).is_pending());
    drop(first);
    go.notify_one();
    assert_eq!(poll_once(&mut leader), Poll::Ready(7));
    assert_eq!(poll_once(&mut second), Poll::Ready(7));
}

/// A waker that wakes nothing, and counts its calls.
#[derive(Default)]
struct Idle {
    woken: AtomicU32,
}

impl Wake for Idle {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn nothing_is_kept_of_a_waiter_that_is_dropped_or_polled_elsewhere() {
    within(LIMIT, || {
        let cache = patient();
        let mut leader = get_or_load(&cache, std::future::pending);
        assert!(poll_once(&mut leader).is_pending());
        let mut waiter = get_or_load(&cache, async || 2);
        let wakers = [Arc::new(Idle::default()), Arc::default()];
        for waker in &wakers {
            let waker = Arc::clone(waker).into();
            let polled = waiter.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        let held = |nth: usize| Arc::strong_count(&wakers[nth]) - 1;
        assert_eq!((held(0), held(1)), (0, 1), "the last one is to be woken");
        drop(waiter);
        assert_eq!((held(0), held(1)), (0, 0));
        let woken = wakers.map(|waker| waker.woken.load(Ordering::SeqCst));
        assert_eq!(woken, [0, 0], "there was nothing to wake for");
    });
}

#[test]
fn a_leader_that_is_never_polled_again_is_given_up_after_the_flight_timeout() {
    within(LIMIT, || {
        let cache = impatient();
        let (mut runs, runs_of) = (0, Arc::new(AtomicU32::new(0)));
        let stuck = || {
            let mut leader = Box::pin(load(&cache, std::future::pending(), 1));
            assert!(poll_once(&mut leader).is_pending());
            leader
        };
        let body = || {
            let runs_of = runs_of.clone();
            async move { runs_of.fetch_add(1, Ordering::SeqCst) + 100 }
        };

        // under an executor without a timer
        let leader = stuck();
        let begun = Instant::now();
        let waiters: Vec<_> = (0..10).map(|_| load(&cache, body(), 1)).collect();
        let values = futures::executor::block_on(join_all(waiters));
        assert!(begun.elapsed() >= Duration::from_millis(40));
        assert_eq!(values, [100; 10], "one of those who waited loads for all");
        runs += 1;
        assert_eq!(runs_of.load(Ordering::SeqCst), runs);
        drop(leader);

        // under tokio
        cache.clear().run().expect("cleared");
        let leader = stuck();
        let value = current_thread().block_on(load(&cache, body(), 1));
        assert_eq!(value, 101);
        drop(leader);
    });
}

#[test]
fn threads_give_a_leader_up_that_is_never_polled_again() {
    within(LIMIT, || {
        let (cache, runs) = (impatient(), AtomicU32::new(0));
        let mut leader = Box::pin(
            cache
                .get_or_load("k", std::future::pending::<u32>)
                .into_future(),
        );
        assert!(poll_once(&mut leader).is_pending());
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    let loader = || runs.fetch_add(1, Ordering::SeqCst) + 100;
                    assert_eq!(cache.get_or_load("k", loader).run().expect("a value"), 100);
                });
            }
        });
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_leader_that_was_given_up_and_polled_after_all_replaces_no_newer_value() {
    within(LIMIT, || {
        let (cache, go) = (impatient(), Notify::new());
        let body = async {
            go.notified().await;
            1
        };
        let mut leader = Box::pin(load(&cache, body, 1));
        assert!(poll_once(&mut leader).is_pending());
        assert_eq!(futures::executor::block_on(load(&cache, async { 2 }, 1)), 2);
        go.notify_one();
        assert_eq!(
            poll_once(&mut leader),
            Poll::Ready(1),
            "its caller has its own"
        );
        let peeked = cacheado::peek!(boxed_load(&cache, async { 0 }.boxed(), 1));
        assert_eq!(
            futures::executor::block_on(peeked).expect("peeked"),
            Some(2)
        );
    });
}

/// The leader takes many times the `flight_timeout`, but is polled all the while.
#[test]
fn a_slow_leader_that_is_polled_is_not_given_up() {
    within(LIMIT, || {
        let timeout = Duration::from_millis(500);
        let cache = Cache::builder().flight_timeout(timeout).build();
        let (cache, runs) = (cache.expect("a cache"), AtomicU32::new(0));
        let begun = Instant::now();
        let body = || async {
            runs.fetch_add(1, Ordering::SeqCst);
            until(|| begun.elapsed() > 3 * timeout).await;
            7
        };
        let calls = (0..3).map(|_| load(&cache, body(), 1));
        assert_eq!(current_thread().block_on(join_all(calls)), [7; 3]);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

/// Makes 50 callers `call` what is not stored. The first ends when all have come; the rest pass only if they are all inside at once,
/// which never happens in a queue.
fn run_side_by_side<F, T>(call: impl Fn(Cache, BoxFuture<'static, ()>) -> F)
where
    F: Future<Output = T>,
{
    const CALLERS: usize = 50;
    current_thread().block_on(async {
        let (cache, go) = (patient(), Arc::new(Notify::new()));
        let all = Arc::new(Barrier::new(CALLERS - 1));
        let released = go.clone();
        let mut leader = Box::pin(call(
            cache.clone(),
            Box::pin(async move { released.notified().await }),
        ));
        assert!(futures::poll!(&mut leader).is_pending());
        let mut waiters = Vec::new();
        for _ in 1..CALLERS {
            let all = all.clone();
            let body = async move { _ = all.wait().await };
            let mut waiter = Box::pin(call(cache.clone(), Box::pin(body)));
            assert!(futures::poll!(&mut waiter).is_pending());
            waiters.push(waiter);
        }
        assert_eq!(cache.stats().loads, 1, "the rest wait");
        go.notify_one();
        leader.await;
        let finished = tokio::time::timeout(LIMIT / 2, join_all(waiters)).await;
        assert!(finished.is_ok(), "they queue");
        assert_eq!(cache.stats().loads, CALLERS as u64);
        assert_eq!(cache.stats().total_keys, 0);
    });
}

#[test]
fn callers_of_a_failing_body_run_side_by_side() {
    within(LIMIT, || {
        run_side_by_side(|cache, body| async move {
            let failed = failing_load(&cache, body, 1).await;
            assert_eq!(failed, Err("no 1".to_owned()));
        });
    });
}

#[test]
fn callers_whose_value_when_refuses_run_side_by_side() {
    #[cache(cache = cache, skip(cache, body), when = |value: &u32| *value > 10)]
    async fn refused(cache: &Cache, body: BoxFuture<'static, ()>, x: u32) -> u32 {
        body.await;
        x
    }

    within(LIMIT, || {
        run_side_by_side(
            |cache, body| async move { assert_eq!(refused(&cache, body, 1).await, 1) },
        );
    });
}

#[test]
fn callers_whose_none_is_not_stored_run_side_by_side() {
    #[cache(cache = cache, skip(cache, body), cache_none = false)]
    async fn nothing(cache: &Cache, body: BoxFuture<'static, ()>, x: u32) -> Option<u32> {
        body.await;
        None
    }

    within(LIMIT, || {
        run_side_by_side(|cache, body| async move {
            assert_eq!(nothing(&cache, body, 1).await, None);
        });
    });
}

#[test]
fn callers_that_bypass_the_cache_or_single_flight_never_wait_for_each_other() {
    #[cache(cache = cache, skip(cache, all), bypass = x > 10)]
    async fn bypassed(cache: &Cache, all: &Barrier, x: u32) -> u32 {
        all.wait().await;
        x
    }

    #[cache(cache = cache, skip(cache, all), single_flight = false)]
    async fn each_for_itself(cache: &Cache, all: &Barrier, x: u32) -> u32 {
        all.wait().await;
        x
    }

    within(LIMIT, || {
        let (cache, all) = (patient(), Barrier::new(50));
        let calls = (0..50).map(|_| bypassed(&cache, &all, 11));
        assert_eq!(current_thread().block_on(join_all(calls)), [11; 50]);
        let calls = (0..50).map(|_| each_for_itself(&cache, &all, 11));
        assert_eq!(current_thread().block_on(join_all(calls)), [11; 50]);
    });
}

#[test]
fn different_keys_never_wait_for_each_other() {
    let cache = patient();
    let mut stuck = Box::pin(load(&cache, std::future::pending(), 0));
    assert!(poll_once(&mut stuck).is_pending());
    // enough keys that some share the lock of the stuck key
    for x in 1..500 {
        let mut other = Box::pin(load(&cache, async move { x }, x));
        assert_eq!(poll_once(&mut other), Poll::Ready(x));
    }
}

#[test]
fn a_key_inside_its_own_load_runs_the_body() {
    #[cache(cache = cache, skip(cache, depth))]
    async fn nested(cache: &Cache, depth: &AtomicUsize, x: u32) -> u32 {
        yield_now().await;
        match depth.fetch_add(1, Ordering::SeqCst) {
            3 => x,
            _ => Box::pin(nested(cache, depth, x)).await + 1,
        }
    }

    within(LIMIT, || {
        let (cache, depth) = (patient(), AtomicUsize::new(0));
        let runtime = current_thread();
        assert_eq!(runtime.block_on(nested(&cache, &depth, 10)), 13);
        assert_eq!(runtime.block_on(nested(&cache, &depth, 10)), 13, "stored");
        assert_eq!(depth.load(Ordering::SeqCst), 4);
    });
}

#[test]
fn a_key_inside_its_own_load_runs_the_body_through_another_function_too() {
    #[cache(cache = cache, skip(cache, depth))]
    async fn here(cache: &Cache, depth: &AtomicUsize, x: u32) -> u32 {
        yield_now().await;
        match depth.fetch_add(1, Ordering::SeqCst) {
            2 => x,
            _ => Box::pin(there(cache, depth, x)).await + 1,
        }
    }

    #[cache(cache = cache, skip(cache, depth))]
    async fn there(cache: &Cache, depth: &AtomicUsize, x: u32) -> u32 {
        yield_now().await;
        // two futures at once, both inside the load
        let (one, _other) = tokio::join!(here(cache, depth, x), yield_now());
        one + 10
    }

    within(LIMIT, || {
        for runtime in [current_thread(), multi_thread(2)] {
            let (cache, depth) = (patient(), Arc::new(AtomicUsize::new(0)));
            let task = runtime.spawn(async move { here(&cache, &depth, 0).await });
            assert_eq!(runtime.block_on(task).expect("no panic"), 22);
        }
    });
}

#[test]
fn a_key_that_a_closure_of_its_options_asks_for_is_inside_its_own_load() {
    #[cache(
        cache = cache,
        skip(cache, runs),
        when = |value| again(agreed(cache, runs, x)) == *value,
    )]
    async fn agreed(cache: &Cache, runs: &AtomicUsize, x: u32) -> u32 {
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        x
    }

    /// A closure can't await, so it blocks on the call.
    fn again(asked: impl Future<Output = u32>) -> u32 {
        futures::executor::block_on(asked)
    }

    within(LIMIT, || {
        let (cache, runs) = (patient(), AtomicUsize::new(0));
        let runtime = current_thread();
        assert_eq!(runtime.block_on(agreed(&cache, &runs, 7)), 7);
        assert_eq!(runtime.block_on(agreed(&cache, &runs, 7)), 7, "stored");
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_key_inside_its_own_load_runs_the_body_in_a_blocking_call_too() {
    within(LIMIT, || {
        let cache = patient();
        let loader = || async {
            yield_now().await;
            cache.get_or_load("k", || 1_u32).run().expect("a value") + 1
        };
        let outer = current_thread().block_on(cache.get_or_load("k", loader).into_future());
        assert_eq!(outer.expect("a value"), 2);
    });
}

/// A leader that waits on its runtime until `waiting`, and a caller that blocks in a task of the same runtime.
async fn blocking_waiter(cache: Cache, spawn: impl Fn(BoxFuture<'static, u32>) -> JoinHandle<u32>) {
    let (led, waiting) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let leader = spawn(Box::pin({
        let (cache, led, waiting) = (cache.clone(), led.clone(), waiting.clone());
        async move {
            let loader = || async {
                led.notify_one();
                until(|| waiting.load(Ordering::SeqCst) == 3).await;
                1
            };
            get_or_load(&cache, loader).await
        }
    }));
    led.notified().await;
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let (cache, waiting) = (cache.clone(), waiting.clone());
            spawn(Box::pin(async move {
                waiting.fetch_add(1, Ordering::SeqCst);
                cache.get_or_load("k", || 2).run().expect("a value")
            }))
        })
        .collect();
    for waiter in waiters {
        let value = waiter.await.expect("no panic");
        assert!(value == 1 || value == 2, "{value}");
    }
    assert_eq!(leader.await.expect("no panic"), 1);
}

#[test]
fn a_task_that_blocks_does_not_stall_its_leader_on_a_current_thread_runtime() {
    within(LIMIT, || {
        current_thread().block_on(blocking_waiter(patient(), tokio::spawn));
    });
}

#[test]
fn a_task_that_blocks_does_not_stall_its_leader_on_the_only_worker() {
    within(LIMIT, || {
        multi_thread(1).block_on(blocking_waiter(patient(), tokio::spawn));
    });
}

#[test]
fn a_task_that_blocks_does_not_stall_its_leader_on_two_workers() {
    within(LIMIT, || {
        multi_thread(2).block_on(blocking_waiter(patient(), tokio::spawn));
    });
}

#[test]
fn a_task_that_blocks_does_not_stall_its_leader_in_a_local_set() {
    within(LIMIT, || {
        for runtime in [current_thread(), multi_thread(2)] {
            let waiter = blocking_waiter(patient(), |task| tokio::task::spawn_local(task));
            LocalSet::new().block_on(&runtime, waiter);
        }
    });
}

#[test]
fn a_blocking_task_does_not_stall_its_leader() {
    within(LIMIT, || {
        for runtime in [current_thread(), multi_thread(1)] {
            let first = AtomicBool::new(true);
            let spawn = |task| {
                if first.swap(false, Ordering::SeqCst) {
                    return tokio::spawn(task);
                }
                spawn_blocking(move || futures::executor::block_on(task))
            };
            runtime.block_on(blocking_waiter(patient(), spawn));
        }
    });
}

/// The leader and the blocking caller are parts of one future, so no other thread can poll the leader meanwhile.
async fn blocking_waiter_beside_its_leader(cache: Cache) -> (u32, u32) {
    let go = Notify::new();
    let leader = async {
        let loader = || async {
            go.notified().await;
            1_u32
        };
        get_or_load(&cache, loader).await
    };
    let waiter = async {
        let value = cache.get_or_load("k", || 2_u32).run().expect("a value");
        go.notify_one();
        value
    };
    tokio::join!(biased; leader, waiter)
}

#[test]
fn a_caller_that_blocks_in_its_leaders_own_task_does_not_stall_it() {
    within(Duration::from_secs(20), || {
        let values = current_thread().block_on(blocking_waiter_beside_its_leader(patient()));
        assert_eq!(values, (1, 2));
        let runtime = multi_thread(2);
        let values = runtime.block_on(blocking_waiter_beside_its_leader(patient()));
        assert_eq!(values, (1, 2));
        let task = runtime.spawn(blocking_waiter_beside_its_leader(patient()));
        assert_eq!(runtime.block_on(task).expect("no panic"), (1, 2));
    });
}

/// The leader blocks too, on a future that needs the runtime's only worker.
#[test]
fn a_task_that_blocks_hands_its_worker_on_while_a_blocking_leader_runs() {
    within(Duration::from_secs(20), || {
        let runtime = multi_thread(1);
        let (led, waiting) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let cache = patient();
        runtime.block_on(async {
            let leader = spawn_blocking({
                let (cache, led, waiting) = (cache.clone(), led.clone(), waiting.clone());
                move || {
                    let loader = || {
                        led.notify_one();
                        let runtime = tokio::runtime::Handle::current();
                        let helper = runtime
                            .spawn(async move { until(|| waiting.load(Ordering::SeqCst)).await });
                        tokio::task::block_in_place(|| runtime.block_on(helper)).expect("no panic");
                        1_u32
                    };
                    cache.get_or_load("k", loader).run().expect("a value")
                }
            });
            led.notified().await;
            let waiter = tokio::spawn({
                let (cache, waiting) = (cache.clone(), waiting.clone());
                async move {
                    waiting.store(true, Ordering::SeqCst);
                    cache.get_or_load("k", || 2_u32).run().expect("a value")
                }
            });
            assert_eq!(leader.await.expect("no panic"), 1);
            assert_eq!(waiter.await.expect("no panic"), 1);
        });
    });
}

/// A shared tier that holds nothing, and is slow to answer a request to store.
#[derive(Clone, Default)]
struct SlowToStore {
    storing: Arc<AtomicUsize>,
    go: Arc<AtomicBool>,
}

impl Backend for SlowToStore {
    fn name(&self) -> &'static str {
        "slow to store"
    }

    fn get(&self, _: &Key) -> BackendResult<Lookup> {
        Ok(None.into())
    }

    fn set(&self, _: &Key, _: &Payload) -> BackendResult<()> {
        Ok(())
    }

    fn evict(&self, _: &Key) -> BackendResult<bool> {
        Ok(false)
    }

    fn evict_by_scope(&self, _: &Scope) -> BackendResult<u64> {
        Ok(0)
    }

    fn clear(&self) -> BackendResult<()> {
        Ok(())
    }

    fn set_async<'a>(&'a self, _: &'a Key, _: &'a Payload) -> BackendFuture<'a, ()> {
        Box::pin(async {
            self.storing.fetch_add(1, Ordering::SeqCst);
            until(|| self.go.load(Ordering::SeqCst)).await;
            Ok(())
        })
    }
}

#[cache(cache = cache, skip(cache, value), ttl = 1)]
async fn short_lived(cache: &Cache, value: u32) -> u32 {
    yield_now().await;
    value
}

/// A leader whose value is there and being stored in the shared tier; then `meanwhile`, and a caller that finds nothing. Returns that
/// caller's result.
fn called_while_a_leader_stores(
    builder: cacheado::CacheBuilder,
    waiters: u32,
    meanwhile: impl FnOnce() + Send + 'static,
) -> u32 {
    within(Duration::from_secs(20), move || {
        let tier = SlowToStore::default();
        let cache = builder.backend(tier.clone()).build().expect("a cache");
        let call = |cache: Cache, value: u32| async move { short_lived(&cache, value).await };
        current_thread().block_on(async {
            let leader = tokio::spawn(call(cache.clone(), 1));
            let waiters: Vec<_> = (0..waiters)
                .map(|_| tokio::spawn(call(cache.clone(), 1)))
                .collect();
            until(|| tier.storing.load(Ordering::SeqCst) > 0).await;
            for waiter in waiters {
                assert_eq!(waiter.await.expect("no panic"), 1);
            }
            meanwhile();
            let late = tokio::spawn(call(cache.clone(), 2));
            for _ in 0..100 {
                yield_now().await;
            }
            tier.go.store(true, Ordering::SeqCst);
            assert_eq!(leader.await.expect("no panic"), 1);
            late.await.expect("no panic")
        })
    })
}

#[test]
fn a_caller_does_not_spin_while_a_leader_stores_in_the_shared_tier_alone() {
    let value = called_while_a_leader_stores(Cache::builder().in_process(false), 0, || ());
    assert!(value == 1 || value == 2, "{value}");
}

#[test]
fn a_caller_does_not_spin_while_a_leader_stores_what_has_expired() {
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone());
    let value =
        called_while_a_leader_stores(builder, 0, move || clock.advance(Duration::from_secs(1)));
    assert_eq!(value, 2);
}

#[test]
fn a_value_that_was_shared_is_not_served_once_it_has_expired_though_its_leader_still_stores() {
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone());
    let value =
        called_while_a_leader_stores(builder, 1, move || clock.advance(Duration::from_secs(1)));
    assert_eq!(value, 2);
}

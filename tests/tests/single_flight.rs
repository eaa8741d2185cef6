//! Single flight with blocking callers: of several callers of one key, one runs the body and the rest wait for it. No caller is left
//! waiting, whatever happens to the leader.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use cacheado::{Cache, cache};
use cacheado_tests::within;

/// Long enough for the slowest machine: a test that exceeds it hangs.
const LIMIT: Duration = Duration::from_mins(1);

/// Opens for all once enough callers are inside.
#[derive(Default)]
struct Gate {
    inside: Mutex<usize>,
    opened: Condvar,
}

impl Gate {
    /// Enters, and waits until `enough` callers are inside. Panics if they don't come.
    fn pass(&self, enough: usize) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        *inside += 1;
        self.opened.notify_all();
        let (inside, timed_out) = self
            .opened
            .wait_timeout_while(inside, LIMIT / 2, |inside| *inside < enough)
            .unwrap_or_else(PoisonError::into_inner);
        let inside = *inside;
        assert!(
            !timed_out.timed_out(),
            "{inside} of {enough} bodies run at once"
        );
    }
}

/// Waits for `count` to reach `target`, and then gives those callers time to begin to wait.
fn all_arrived(count: &AtomicUsize, target: usize) {
    while count.load(Ordering::SeqCst) < target {
        thread::yield_now();
    }
    for _ in 0..1_000 {
        thread::yield_now();
    }
}

fn cache() -> Cache {
    Cache::builder().build().expect("a plain cache")
}

#[test]
fn a_thousand_threads_on_one_key_run_the_body_once() {
    const CALLERS: usize = 1_000;

    #[cache(cache = cache, skip(cache, arrived, runs))]
    fn slow(cache: &Cache, arrived: &AtomicUsize, runs: &AtomicUsize, x: u64) -> u64 {
        runs.fetch_add(1, Ordering::SeqCst);
        all_arrived(arrived, CALLERS);
        x * 2
    }

    within(LIMIT, || {
        let (cache, arrived, runs) = (cache(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..CALLERS {
                let caller = thread::Builder::new().stack_size(256 * 1024);
                let call = || {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(slow(&cache, &arrived, &runs, 21), 42);
                };
                caller.spawn_scoped(scope, call).expect("a thread");
            }
        });
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        let stats = cache.stats();
        assert_eq!(stats.loads, 1);
        assert_eq!(stats.hits + stats.misses, CALLERS as u64);
        assert_eq!(stats.total_keys, 1);
    });
}

#[test]
fn a_panicking_leader_panics_alone_and_the_rest_go_on_side_by_side() {
    const WAITERS: usize = 20;
    within(LIMIT, || {
        let (cache, arrived, gate) = (cache(), AtomicUsize::new(0), Gate::default());
        let lead = AtomicBool::new(true);
        let load = || {
            if lead.swap(false, Ordering::SeqCst) {
                all_arrived(&arrived, WAITERS);
                panic!("the leader's own");
            }
            gate.pass(WAITERS / 2);
            7_u32
        };
        thread::scope(|scope| {
            let leader = scope
                .spawn(|| catch_unwind(AssertUnwindSafe(|| cache.get_or_load("k", load).run())));
            while lead.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            let waiters: Vec<_> = (0..WAITERS)
                .map(|_| {
                    scope.spawn(|| {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        cache.get_or_load("k", load).run().expect("a value")
                    })
                })
                .collect();
            let panic = leader.join().expect("caught").expect_err("it panics");
            assert_eq!(panic.downcast_ref(), Some(&"the leader's own"));
            for waiter in waiters {
                assert_eq!(waiter.join().expect("no waiter panics"), 7);
            }
        });
        assert_eq!(cache.get("k").run().expect("a value"), Some(7_u32));
    });
}

#[test]
fn a_panic_in_when_lets_the_rest_go_on() {
    #[cache(cache = cache, skip(cache, arrived), when = |value: &u32| if *value == 0 { panic!("undecided") } else { true })]
    fn decided(cache: &Cache, arrived: &AtomicUsize) -> u32 {
        all_arrived(arrived, 4);
        u32::from(arrived.fetch_add(1, Ordering::SeqCst) > 4)
    }

    within(LIMIT, || {
        let (cache, arrived) = (cache(), AtomicUsize::new(0));
        thread::scope(|scope| {
            let callers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        catch_unwind(AssertUnwindSafe(|| decided(&cache, &arrived)))
                    })
                })
                .collect();
            let results: Vec<_> = callers
                .into_iter()
                .map(|caller| caller.join().expect("caught"))
                .collect();
            assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        });
    });
}

/// Makes 50 callers at once `call` what is not stored. The leader ends only when all have arrived; the rest pass only if half of them
/// are inside at once, which never happens in a queue.
fn run_side_by_side(call: impl Fn(&Cache, &dyn Fn()) + Sync) {
    const CALLERS: usize = 50;
    let (cache, arrived, gate) = (cache(), AtomicUsize::new(0), Gate::default());
    let lead = AtomicBool::new(true);
    let body = || {
        if lead.swap(false, Ordering::SeqCst) {
            // a caller that has missed is about to wait
            while cache.stats().misses < CALLERS as u64 {
                thread::yield_now();
            }
            all_arrived(&arrived, CALLERS);
        } else {
            gate.pass(CALLERS / 2);
        }
    };
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                arrived.fetch_add(1, Ordering::SeqCst);
                call(&cache, &body);
            });
        }
    });
    assert_eq!(cache.stats().loads, CALLERS as u64);
    assert_eq!(cache.stats().total_keys, 0);
}

#[test]
fn callers_of_a_failing_body_run_side_by_side() {
    #[cache(cache = cache, skip(cache, body))]
    fn failing(cache: &Cache, body: &dyn Fn(), x: u32) -> Result<u32, String> {
        body();
        Err(format!("no {x}"))
    }

    within(LIMIT, || {
        run_side_by_side(|cache, body| {
            assert_eq!(failing(cache, body, 1), Err("no 1".to_owned()));
        });
    });
}

#[test]
fn callers_of_a_failing_loader_run_side_by_side() {
    within(LIMIT, || {
        run_side_by_side(|cache, body| {
            let loader = || {
                body();
                Err::<u32, _>("no")
            };
            assert_eq!(cache.try_get_or_load("k", loader).run(), Err("no"));
        });
    });
}

#[test]
fn callers_whose_value_when_refuses_run_side_by_side() {
    #[cache(cache = cache, skip(cache, body), when = |value: &u32| *value > 10)]
    fn refused(cache: &Cache, body: &dyn Fn(), x: u32) -> u32 {
        body();
        x
    }

    within(LIMIT, || {
        run_side_by_side(|cache, body| assert_eq!(refused(cache, body, 1), 1));
    });
}

#[test]
fn callers_whose_none_is_not_stored_run_side_by_side() {
    #[cache(cache = cache, skip(cache, body), cache_none = false)]
    fn nothing(cache: &Cache, body: &dyn Fn(), x: u32) -> Option<u32> {
        body();
        None
    }

    within(LIMIT, || {
        run_side_by_side(|cache, body| assert_eq!(nothing(cache, body, 1), None));
    });
}

#[test]
fn callers_whose_value_has_no_lifetime_run_side_by_side() {
    #[cache(cache = cache, skip(cache, body), ttl = |_value: &u32| Duration::ZERO)]
    fn ephemeral(cache: &Cache, body: &dyn Fn(), x: u32) -> u32 {
        body();
        x
    }

    within(LIMIT, || {
        run_side_by_side(|cache, body| assert_eq!(ephemeral(cache, body, 1), 1));
    });
}

#[test]
fn callers_that_bypass_the_cache_or_single_flight_never_wait_for_each_other() {
    const CALLERS: usize = 50;

    #[cache(cache = cache, skip(cache, gate), bypass = x > 10)]
    fn bypassed(cache: &Cache, gate: &Gate, x: u32) -> u32 {
        gate.pass(CALLERS);
        x
    }

    #[cache(cache = cache, skip(cache, gate), single_flight = false)]
    fn each_for_itself(cache: &Cache, gate: &Gate, x: u32) -> u32 {
        gate.pass(CALLERS);
        x
    }

    within(LIMIT, || {
        for call in [bypassed, each_for_itself] {
            let (cache, gate) = (cache(), Gate::default());
            thread::scope(|scope| {
                for _ in 0..CALLERS {
                    scope.spawn(|| assert_eq!(call(&cache, &gate, 11), 11));
                }
            });
        }
    });
}

#[test]
fn different_keys_never_wait_for_each_other() {
    #[cache(cache = cache, skip(cache, body))]
    fn load(cache: &Cache, body: &dyn Fn(), x: u32) -> u32 {
        body();
        x
    }

    within(LIMIT, || {
        let (cache, entered, release) = (cache(), Gate::default(), Gate::default());
        thread::scope(|scope| {
            let stuck = scope.spawn(|| {
                let body = || {
                    entered.pass(2);
                    release.pass(2);
                };
                load(&cache, &body, 0)
            });
            entered.pass(2);
            // enough keys that some share the lock of the stuck key
            for x in 1..500 {
                assert_eq!(load(&cache, &|| (), x), x);
            }
            assert_eq!(cache.stats().total_keys, 499);
            release.pass(2);
            assert_eq!(stuck.join().expect("a value"), 0);
        });
    });
}

#[test]
fn a_key_inside_its_own_load_runs_the_body() {
    #[cache(cache = cache, skip(cache, depth))]
    fn nested(cache: &Cache, depth: &AtomicUsize, x: u32) -> u32 {
        match depth.fetch_add(1, Ordering::SeqCst) {
            3 => x,
            _ => nested(cache, depth, x) + 1,
        }
    }

    within(LIMIT, || {
        let (cache, depth) = (cache(), AtomicUsize::new(0));
        assert_eq!(nested(&cache, &depth, 10), 13);
        assert_eq!(depth.load(Ordering::SeqCst), 4);
        assert_eq!(
            nested(&cache, &depth, 10),
            13,
            "what the outermost call returned is stored"
        );
        assert_eq!(depth.load(Ordering::SeqCst), 4);
    });
}

#[test]
fn a_key_inside_its_own_load_runs_the_body_through_another_function_too() {
    #[cache(cache = cache, skip(cache, depth))]
    fn here(cache: &Cache, depth: &AtomicUsize, x: u32) -> u32 {
        match depth.fetch_add(1, Ordering::SeqCst) {
            2 => x,
            _ => there(cache, depth, x) + 1,
        }
    }

    #[cache(cache = cache, skip(cache, depth))]
    fn there(cache: &Cache, depth: &AtomicUsize, x: u32) -> u32 {
        here(cache, depth, x) + 10
    }

    within(LIMIT, || {
        let (cache, depth) = (cache(), AtomicUsize::new(0));
        assert_eq!(here(&cache, &depth, 0), 22);
    });
}

#[test]
fn a_key_that_a_closure_of_its_options_asks_for_is_inside_its_own_load() {
    #[cache(
        cache = cache,
        skip(cache, runs),
        when = |value| agreed(cache, runs, x) == *value,
        ttl = |_| Duration::from_secs(u64::from(agreed(cache, runs, x))),
    )]
    fn agreed(cache: &Cache, runs: &AtomicUsize, x: u32) -> u32 {
        runs.fetch_add(1, Ordering::SeqCst);
        x
    }

    within(LIMIT, || {
        let patient = Cache::builder().flight_timeout(Duration::from_hours(1));
        let (cache, runs) = (patient.build().expect("a cache"), AtomicUsize::new(0));
        assert_eq!(agreed(&cache, &runs, 7), 7);
        assert_eq!(
            runs.load(Ordering::SeqCst),
            3,
            "nobody waits, or is asked again"
        );
        assert_eq!(agreed(&cache, &runs, 7), 7);
        assert_eq!(runs.load(Ordering::SeqCst), 3, "stored");
    });
}

#[test]
fn a_loader_inside_its_own_load_runs() {
    within(LIMIT, || {
        let cache = cache();
        let inner = || cache.get_or_load("k", || 1_u32).run().expect("a value");
        let outer = cache.get_or_load("k", || inner() + 1).run();
        assert_eq!(outer.expect("a value"), 2);
        assert_eq!(cache.get("k").run().expect("a value"), Some(2_u32));
    });
}

#[test]
fn a_key_inside_the_same_load_of_another_cache_is_loaded_and_stored() {
    #[cache(cache = cache, skip(cache, other))]
    fn twice(cache: &Cache, other: Option<&Cache>, x: u32) -> u32 {
        other.map_or(x, |other| twice(other, None, x)) + 1
    }

    within(LIMIT, || {
        let (one, other) = (cache(), cache());
        assert_eq!(twice(&one, Some(&other), 1), 3);
        assert_eq!((one.stats().total_keys, other.stats().total_keys), (1, 1));
    });
}

#[test]
fn after_a_key_was_met_inside_its_own_load_others_wait_for_it_again() {
    #[cache(cache = cache, skip(cache, arrived, runs))]
    fn nested(cache: &Cache, arrived: &AtomicUsize, runs: &AtomicUsize, x: u32) -> u32 {
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            nested(cache, arrived, runs, x);
            all_arrived(arrived, 10);
        }
        x
    }

    within(LIMIT, || {
        let (cache, arrived, runs) = (cache(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    nested(&cache, &arrived, &runs, 1)
                });
            }
        });
        assert_eq!(runs.load(Ordering::SeqCst), 2, "the leader's two");
    });
}

/// Without a cache both calls return, so with one neither may wait for the other for ever.
#[test]
fn two_threads_in_two_loads_that_call_each_other_both_return() {
    #[cache(cache = cache, skip(cache, gate, first))]
    fn ping(cache: &Cache, gate: &Gate, first: bool) -> u32 {
        if first {
            gate.pass(2);
            pong(cache, gate, false);
        }
        1
    }

    #[cache(cache = cache, skip(cache, gate, first))]
    fn pong(cache: &Cache, gate: &Gate, first: bool) -> u32 {
        if first {
            gate.pass(2);
            ping(cache, gate, false);
        }
        2
    }

    within(Duration::from_secs(20), || {
        let timeout = Duration::from_millis(100);
        let cache = Cache::builder().flight_timeout(timeout).build();
        let (cache, gate) = (cache.expect("a cache"), Gate::default());
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(ping(&cache, &gate, true), 1));
            scope.spawn(|| assert_eq!(pong(&cache, &gate, true), 2));
        });
    });
}

/// A value that uses its cache when dropped.
#[derive(Clone)]
struct Busy {
    cache: Weak<Cache>,
    _held: Arc<()>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade() {
            let _ = cache.evict("other").run();
            let _ = peer(&cache, 1);
        }
    }
}

#[cache(cache = cache, skip(cache), single_flight = true)]
fn peer(cache: &Cache, x: u32) -> u32 {
    x
}

#[cache(cache = cache, skip(cache), local)]
fn busy(cache: &Arc<Cache>, x: u32) -> Busy {
    Busy {
        cache: Arc::downgrade(cache),
        _held: Arc::new(()),
    }
}

#[cache(cache = cache, skip(cache), local, ttl = Duration::from_nanos(1))]
fn busy_for_a_moment(cache: &Arc<Cache>, x: u32) -> Busy {
    Busy {
        cache: Arc::downgrade(cache),
        _held: Arc::new(()),
    }
}

#[test]
fn a_value_may_use_the_cache_when_it_is_dropped() {
    within(Duration::from_secs(20), || {
        let cache = Arc::new(cache());
        for x in 0..64 {
            drop(busy(&cache, x));
            assert!(cacheado::evict!(busy(&cache, x)).expect("evicted"));
            drop(busy(&cache, x));
            drop(cacheado::refresh!(busy(&cache, x)));
        }
        cache.clear().run().expect("cleared");
    });
}

#[test]
fn an_expired_value_may_use_the_cache_when_it_is_dropped() {
    within(Duration::from_secs(20), || {
        let cache = Arc::new(cache());
        for x in 0..1_000 {
            drop(busy_for_a_moment(&cache, x));
            // it may have been freed already
            assert!(!cacheado::evict!(busy_for_a_moment(&cache, x)).expect("evicted"));
            drop(busy_for_a_moment(&cache, x));
            drop(busy_for_a_moment(&cache, x));
        }
    });
}

//! `refresh_after`: a hit after a fraction of the lifetime starts a refresh; no timer does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use cacheado::rule::{Admission, Candidate};
use cacheado::testing::ManualClock;
use cacheado::{Cache, Rule, cache, evict, peek, refresh};

use crate::source::{Failure, NANO, SECOND, Source, cache, comes};

#[cache(ttl = 100, refresh_after = 0.8, cache = cache, skip(cache, source))]
fn early(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load()
}

#[test]
fn nothing_is_loaded_before_it_or_without_a_hit() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(early(&cache, &source), Ok(1));
    clock.advance(80 * SECOND - NANO);
    assert_eq!(early(&cache, &source), Ok(1));
    clock.advance(10 * SECOND);
    assert_eq!(peek!(early(&cache, &source)).unwrap(), Some(1));
    assert_eq!(source.loads(), 1);
    assert_eq!(early(&cache, &source), Ok(1));
    comes("the new value", || {
        peek!(early(&cache, &source)).unwrap() == Some(2)
    });
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.stale_hits, stats.refreshes), (2, 0, 1));
    // the new value has a lifetime of its own
    clock.advance(80 * SECOND - NANO);
    assert_eq!(early(&cache, &source), Ok(2));
    assert_eq!(source.loads(), 2);
}

#[test]
fn callers_meanwhile_get_the_current_value_and_those_after_its_end_join() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(early(&cache, &source), Ok(1));
    clock.advance(80 * SECOND);
    source.close();
    for _ in 0..100 {
        assert_eq!(early(&cache, &source), Ok(1));
    }
    source.has_begun(2);
    clock.advance(20 * SECOND);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| early(&cache, &source)))
            .collect();
        source.open();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), Ok(2));
        }
    });
    assert_eq!(source.loads(), 2);
}

#[test]
fn one_that_fails_leaves_the_value_for_the_rest_of_its_lifetime() {
    for failure in [Failure::Error, Failure::Panic] {
        let source = Source::default();
        let (cache, clock) = cache();
        assert_eq!(early(&cache, &source), Ok(1));
        clock.advance(90 * SECOND);
        source.fails(failure);
        assert_eq!(early(&cache, &source), Ok(1));
        comes("the failure", || cache.stats().failures == 1);
        clock.advance(5 * SECOND - NANO);
        assert_eq!(early(&cache, &source), Ok(1));
        assert_eq!(source.loads(), 2);
        source.fails(None);
        clock.advance(5 * SECOND + NANO);
        assert_eq!(early(&cache, &source), Ok(3));
    }
}

#[test]
fn an_eviction_undoes_it() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(early(&cache, &source), Ok(1));
    clock.advance(80 * SECOND);
    source.close();
    assert_eq!(early(&cache, &source), Ok(1));
    source.has_begun(2);
    assert!(evict!(early(&cache, &source)).unwrap());
    source.open();
    assert_eq!(early(&cache, &source), Ok(3));
}

#[tokio::test]
async fn an_async_one_runs_on_the_callers_runtime() {
    #[cache(ttl = 100, refresh_after = 0.5, cache = cache, skip(cache, source))]
    async fn early(cache: &Cache, source: &Source) -> Result<u64, String> {
        // without a runtime this would panic
        tokio::time::sleep(std::time::Duration::ZERO).await;
        source.load_async().await
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(early(&cache, &source).await, Ok(1));
    clock.advance(50 * SECOND);
    assert_eq!(early(&cache, &source).await, Ok(1));
    while peek!(early(&cache, &source)).await.unwrap() != Some(2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(source.loads(), 2);
}

#[test]
fn an_async_one_without_a_runtime_runs_on_a_thread() {
    #[cache(ttl = 100, refresh_after = 0.5, cache = cache, skip(cache, source))]
    async fn early(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load()
    }
    let source = Source::default();
    let (cache, clock) = cache();
    let now = |value| {
        assert_eq!(
            futures::executor::block_on(early(&cache, &source)),
            Ok(value)
        )
    };
    now(1);
    clock.advance(50 * SECOND);
    now(1);
    comes("the new value", || {
        futures::executor::block_on(peek!(early(&cache, &source))).unwrap() == Some(2)
    });
}

#[test]
fn a_value_that_is_not_to_be_stored_takes_the_old_one_with_it() {
    #[cache(ttl = 100, refresh_after = 0.5, cache = cache, skip(cache, source), when = |value| *value != 2)]
    fn odd(cache: &Cache, source: &Source) -> u64 {
        source.load().unwrap()
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(odd(&cache, &source), 1);
    clock.advance(50 * SECOND);
    assert_eq!(odd(&cache, &source), 1);
    comes("its end", || peek!(odd(&cache, &source)).unwrap().is_none());
    assert_eq!(odd(&cache, &source), 3);
}

/// A value whose `Clone` panics when told to.
struct Brittle(u64, Arc<AtomicBool>);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        assert!(!self.1.load(Ordering::SeqCst), "as asked");
        Self(self.0, self.1.clone())
    }
}

#[test]
fn a_clone_that_panics_is_not_the_end_of_all_refreshes() {
    #[cache(ttl = 100, refresh_after = 0.5, cache = cache, skip(cache, source, broken), local)]
    fn brittle(cache: &Cache, source: &Source, broken: &Arc<AtomicBool>) -> Brittle {
        Brittle(source.load().unwrap(), broken.clone())
    }
    let (source, broken) = (Source::default(), Arc::default());
    let (cache, clock) = cache();
    assert_eq!(brittle(&cache, &source, &broken).0, 1);
    clock.advance(50 * SECOND);
    broken.store(true, Ordering::SeqCst);
    let hit = std::panic::AssertUnwindSafe(|| brittle(&cache, &source, &broken));
    assert!(std::panic::catch_unwind(hit).is_err());
    broken.store(false, Ordering::SeqCst);
    assert_eq!(brittle(&cache, &source, &broken).0, 1);
    comes("the new value", || {
        peek!(brittle(&cache, &source, &broken)).unwrap().unwrap().0 == 2
    });
}

#[test]
fn one_whose_value_can_not_be_judged_rests_as_any_that_fails() {
    #[cache(ttl = 100, refresh_after = 0.8, cache = cache, skip(cache, source), when = |value: &u64| {
        assert_ne!(*value, 2, "as asked");
        true
    })]
    fn early(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load()
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(early(&cache, &source), Ok(1));
    clock.advance(90 * SECOND);
    assert_eq!(early(&cache, &source), Ok(1));
    comes("the failure", || cache.stats().failures == 1);
    clock.advance(5 * SECOND - NANO);
    assert_eq!(early(&cache, &source), Ok(1));
    assert_eq!(source.loads(), 2);
    clock.advance(NANO);
    // a failure is counted just before its refresh ends, and a hit in between starts no other
    comes("the new value", || early(&cache, &source) == Ok(3));
    assert_eq!(source.loads(), 3);
}

#[test]
fn a_hit_inside_of_its_own_load_leaves_the_refresh_to_others() {
    #[cache(ttl = 100, refresh_after = 0.5, cache = cache, skip(cache, source))]
    fn early(cache: &Cache, source: &Source) -> Result<u64, String> {
        let number = source.load()?;
        if number == 2 {
            return Err(format!("found {}", early(cache, source)?));
        }
        Ok(number)
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(early(&cache, &source), Ok(1));
    clock.advance(50 * SECOND);
    assert_eq!(
        refresh!(early(&cache, &source)),
        Err("found 1".to_owned()),
        "what is there while it loads"
    );
    clock.advance(40 * SECOND);
    assert_eq!(early(&cache, &source), Ok(1));
    comes("the new value", || {
        peek!(early(&cache, &source)).unwrap() == Some(3)
    });
}

/// A lifetime changed by a rule is the lifetime to which the fraction applies.
#[test]
fn it_goes_by_the_lifetime_that_rules_leave() {
    /// Gives all entries the same lifetime.
    struct Fixed(Duration);

    impl Rule for Fixed {
        fn name(&self) -> &'static str {
            "Fixed"
        }

        fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
            candidate.set_lifetime(Some(self.0));
            Admission::Admit
        }
    }

    #[cache(ttl = 100, refresh_after = 0.8, stale = 20, cache = cache, skip(cache, source))]
    fn both(cache: &Cache, source: &Source) -> Result<u64, String> {
        source.load()
    }

    for lifetime in [SECOND, 60 * SECOND, 120 * SECOND, 1_000 * SECOND] {
        let source = Source::default();
        let clock = ManualClock::new();
        let builder = Cache::builder().clock(clock.clone());
        let cache = builder.rule(Fixed(lifetime)).build().unwrap();
        assert_eq!(early(&cache, &source), Ok(1));
        clock.advance(lifetime - lifetime / 5 - NANO);
        assert_eq!(early(&cache, &source), Ok(1));
        assert_eq!(cache.stats().refreshes, 0, "{lifetime:?}");
        clock.advance(NANO);
        assert_eq!(early(&cache, &source), Ok(1));
        comes("a refresh", || cache.stats().refreshes == 1);

        // a stale value is served for as long as intended, if that much of the lifetime is left
        let fresh = if lifetime < 120 * SECOND {
            lifetime.min(100 * SECOND)
        } else {
            lifetime - 20 * SECOND
        };
        let source = Source::default();
        cache.shutdown();
        assert_eq!(both(&cache, &source), Ok(1));
        source.fails(Failure::Error);
        clock.advance(fresh - NANO);
        cache.reset_stats();
        assert_eq!(both(&cache, &source), Ok(1));
        assert_eq!(cache.stats().stale_hits, 0, "{lifetime:?}");
        clock.advance(NANO);
        let stands_in = both(&cache, &source).is_ok();
        assert_eq!(stands_in, fresh < lifetime, "{lifetime:?}");
        assert_eq!(cache.stats().stale_hits > 0, stands_in, "{lifetime:?}");
        clock.advance(lifetime - fresh);
        assert!(both(&cache, &source).is_err(), "{lifetime:?}");
    }
}

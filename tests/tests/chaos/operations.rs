//! Operations that fail or are refused.

use std::error::Error as _;
use std::time::Duration;

use cacheado::backends::{Backend as _, Refused};
use cacheado::testing::Chaos;
use cacheado::{Cache, Error};
use cacheado_tests::store::Client;
use futures::executor::block_on;

use crate::{cache_with, tripled, tripled_async};

#[test]
fn calls_are_right_though_operations_fail_and_each_failure_is_counted() {
    for seed in 0..20 {
        let client = Client::new();
        let (cache, handle) = cache_with(&client, |it| it.seed(seed).fail(0.3).refuse(0.2));
        for x in (0..20).chain(0..20) {
            assert_eq!(tripled(&cache, x), 3 * x);
            assert_eq!(block_on(tripled_async(&cache, x)), 3 * x);
        }
        let counts = handle.counts();
        assert!(counts.failed > 0 && counts.refused > 0, "{counts:?}");
        let errors = counts.failed + counts.refused;
        assert_eq!(cache.stats().backend_errors, errors, "of seed {seed}");
    }
}

/// In an outage the response is lost, whether or not the store has carried out the operation.
#[test]
fn half_of_what_fails_is_done_all_the_same() {
    let client = Client::new();
    let chaos = Chaos::new(client.clone()).fail(1.0);
    for _ in 0..100 {
        assert!(chaos.clear().is_err());
    }
    let asked = client.asked().len();
    assert!((20..80).contains(&asked), "{asked}");
    assert_eq!(chaos.handle().counts().failed, 100);
}

#[test]
fn an_eviction_that_fails_is_sent_once_there_is_calm() {
    let client = Client::new();
    let (cache, handle) = cache_with(&client, |it| it);
    for x in 0..20 {
        tripled(&cache, x);
    }
    handle.refuse(1.0);
    assert!(cache.clear().run().is_err());
    assert_eq!(client.len(), 20);
    handle.calm();
    crate::recovery::until("the eviction", || client.is_empty());
}

#[test]
fn an_outage_opens_the_circuit_and_a_refusal_does_not() {
    let client = Client::new();
    let asked = |chaos: Chaos<Client>| {
        let handle = chaos.handle();
        let builder = Cache::builder().clock(client.store().clock.clone());
        let builder = builder.circuit_breaker(3, Duration::from_secs(1));
        let cache = builder.in_process(false).backend(chaos).build().unwrap();
        for x in 0..10 {
            assert_eq!(tripled(&cache, x), 3 * x);
        }
        handle.counts().operations
    };
    assert_eq!(asked(Chaos::new(client.clone()).fail(1.0)), 3);
    assert_eq!(asked(Chaos::new(client.clone()).refuse(1.0)), 10);
}

#[test]
fn errors_say_what_they_are() {
    let (cache, handle) = cache_with(&Client::new(), |it| it.refuse(1.0));
    let error = cache.evict("key").run().unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error:?}");
    let source = error.source().unwrap();
    assert!(source.to_string().contains("as `Chaos` was told"));

    let chaos = Chaos::new(Client::new()).refuse(1.0);
    assert!(chaos.clear().unwrap_err().is::<Refused>());
    let chaos = chaos.fail(1.0);
    assert!(!chaos.clear().unwrap_err().is::<Refused>());
    // the eviction is sent again
    assert!(handle.counts().refused >= 1);
}

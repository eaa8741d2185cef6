//! `none_ttl`: how long a `None` is kept.

use cacheado::{Cache, cache, expire};
use cacheado_tests::store::Client;

use crate::source::{NANO, SECOND, cache};

#[cache(ttl = 600, none_ttl = 5, cache = cache, skip(cache, there))]
fn found(cache: &Cache, there: bool) -> Option<u64> {
    there.then_some(1)
}

#[cache(none_ttl = 5, cache = cache, skip(cache, there))]
fn found_or_failed(cache: &Cache, there: bool) -> Result<Option<u64>, String> {
    Ok(there.then_some(1))
}

#[test]
fn a_none_is_kept_for_its_own_time() {
    let (cache, clock) = cache();
    assert_eq!(found(&cache, false), None);
    clock.advance(5 * SECOND - NANO);
    assert_eq!(found(&cache, true), None);
    clock.advance(NANO);
    assert_eq!(found(&cache, true), Some(1));
    clock.advance(600 * SECOND - NANO);
    assert_eq!(found(&cache, false), Some(1));
    clock.advance(NANO);
    assert_eq!(found(&cache, false), None);
}

#[test]
fn so_is_one_in_a_result_and_what_has_no_lifetime_else() {
    let (cache, clock) = cache();
    assert_eq!(found_or_failed(&cache, false), Ok(None));
    assert_eq!(found_or_failed(&cache, true), Ok(None));
    clock.advance(5 * SECOND);
    assert_eq!(found_or_failed(&cache, true), Ok(Some(1)));
    clock.advance(1_000_000 * SECOND);
    assert_eq!(found_or_failed(&cache, false), Ok(Some(1)));
}

#[test]
fn with_stale_it_stands_in_as_any_value() {
    #[cache(ttl = 600, none_ttl = 5, stale = 5, cache = cache, skip(cache, there))]
    fn served(cache: &Cache, there: bool) -> Option<u64> {
        there.then_some(1)
    }
    let (cache, clock) = cache();
    cache.shutdown();
    assert_eq!(served(&cache, false), None);
    clock.advance(10 * SECOND - NANO);
    assert_eq!(served(&cache, true), None);
    assert_eq!(cache.stats().stale_hits, 1);
    clock.advance(NANO);
    assert_eq!(served(&cache, true), Some(1));
}

type Answer = Result<Option<u64>, String>;

const THERE: Answer = Ok(Some(1));
const GONE: Answer = Ok(None);

fn down() -> Answer {
    Err("down".to_owned())
}

#[cache(ttl = 10, stale = 100, cache_none = false, cache = cache, skip(cache, answer))]
fn user(cache: &Cache, answer: &Answer) -> Answer {
    answer.clone()
}

/// A deleted value does not come back when the source is down.
#[test]
fn what_is_not_kept_ends_what_stood_in() {
    #[cache(ttl = 10, stale = 100, timeout = 5, cache_none = false, cache = cache, skip(cache, answer))]
    fn awaited(cache: &Cache, answer: Answer) -> Answer {
        answer
    }
    #[cache(ttl = 10, when = |it: &Option<u64>| it.is_some(), cache = cache, skip(cache, answer))]
    fn by_the_builder(cache: &Cache, answer: Answer) -> Answer {
        answer
    }
    let (cache, clock) = cache();
    assert_eq!(awaited(&cache, THERE), THERE);
    clock.advance(20 * SECOND);
    assert_eq!(awaited(&cache, GONE), GONE);
    assert_eq!(awaited(&cache, down()), down());

    let builder = Cache::builder().clock(clock.clone()).stale(100 * SECOND);
    let cache = builder.build().unwrap();
    assert_eq!(by_the_builder(&cache, THERE), THERE);
    clock.advance(20 * SECOND);
    assert_eq!(by_the_builder(&cache, down()), THERE);
    clock.advance(10 * SECOND);
    assert_eq!(by_the_builder(&cache, GONE), GONE);
    assert_eq!(by_the_builder(&cache, down()), down());

    assert_eq!(user(&cache, &THERE), THERE);
    expire!(user(&cache, &THERE)).unwrap();
    cache.shutdown();
    assert_eq!(user(&cache, &GONE), GONE);
    assert_eq!(user(&cache, &down()), down());
}

#[test]
fn so_it_does_in_the_shared_tier() {
    for in_process in [true, false] {
        let client = Client::new();
        let other = client.clone();
        let build = |client: &Client| client.builder().in_process(in_process).build().unwrap();
        let (one, two) = (build(&client), build(&other));
        assert_eq!(user(&one, &THERE), THERE);
        client.store().clock.advance(20 * SECOND);
        assert_eq!(user(&two, &GONE), GONE);
        assert_eq!(user(&two, &down()), down());
        let third = client.clone();
        assert_eq!(user(&build(&third), &down()), down());
    }
}

/// Without a previous value there is nothing to evict, so calls cause no writes.
#[test]
fn where_nothing_stands_in_the_shared_tier_is_told_nothing() {
    let client = Client::new();
    let cache = client.cache();
    for _ in 0..3 {
        assert_eq!(user(&cache, &GONE), GONE);
    }
    assert!(!client.asked().contains(&"evict"));
}

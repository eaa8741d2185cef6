//! `none_ttl`: how long a `None` is kept.

use cacheado::{Cache, cache};

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

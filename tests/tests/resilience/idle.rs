//! `idle`: a value lives for as long as it is used, and for `ttl` at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheado::rule::{Admission, Candidate};
use cacheado::rules::{Lru, Ttl};
use cacheado::testing::ManualClock;
use cacheado::{Cache, CacheBuilder, Rule, cache, evict, expire, peek};
use cacheado_tests::store::Client;

use crate::source::{NANO, SECOND, Source, cache};

#[cache(ttl = 100, idle = 10, cache = cache, skip(cache, source))]
fn session(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load()
}

#[cache(ttl = "1h", idle = 10, cache = cache, skip(cache))]
fn many(cache: &Cache, id: u64) -> u64 {
    id
}

#[test]
fn each_hit_prolongs_it() {
    let source = Source::default();
    let (cache, clock) = cache();
    for _ in 0..9 {
        assert_eq!(session(&cache, &source), Ok(1));
        clock.advance(10 * SECOND - NANO);
    }
    assert_eq!(session(&cache, &source), Ok(1));
    clock.advance(10 * SECOND);
    assert_eq!(session(&cache, &source), Ok(2));
}

#[test]
fn no_longer_than_its_lifetime() {
    let source = Source::default();
    let (cache, clock) = cache();
    for _ in 0..20 {
        assert_eq!(session(&cache, &source), Ok(1));
        clock.advance(5 * SECOND);
    }
    assert_eq!(session(&cache, &source), Ok(2));
}

#[cache(ttl = Duration::MAX, idle = 10, cache = cache, skip(cache, source))]
fn endless(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load()
}

#[test]
fn one_that_has_no_end_goes_as_well() {
    let source = Source::default();
    let (cache, clock) = cache();
    for _ in 0..100 {
        assert_eq!(endless(&cache, &source), Ok(1));
        clock.advance(10 * SECOND - NANO);
    }
    assert_eq!(endless(&cache, &source), Ok(1));
    clock.advance(10 * SECOND);
    assert_eq!(endless(&cache, &source), Ok(2));
    clock.advance(10 * SECOND);
    assert_eq!(cache.stats().total_keys, 0, "freed without being touched");
}

/// A cache that keeps nothing for longer than `max`.
fn kept_for(builder: CacheBuilder, max: Duration) -> (Cache, ManualClock) {
    let clock = ManualClock::new();
    let builder = builder.clock(clock.clone()).rule(Ttl::new().max(max));
    (builder.build().unwrap(), clock)
}

/// Calls each second until the call loads again.
fn seconds(clock: &ManualClock, call: impl Fn() -> Result<u64, String>) -> u32 {
    assert_eq!(call(), Ok(1));
    let mut seconds = 0;
    loop {
        clock.advance(SECOND);
        seconds += 1;
        if call() != Ok(1) || seconds == 1000 {
            return seconds;
        }
    }
}

#[test]
fn no_longer_than_a_rule_allows() {
    // less than `idle`, less than the process keeps it without a hit, and more
    for max in [4, 15, 40] {
        let most = max * SECOND;
        let (cache, clock) = kept_for(Cache::builder(), most);
        let source = Source::default();
        assert_eq!(seconds(&clock, || session(&cache, &source)), max);
        let (cache, clock) = kept_for(Cache::builder().max_items(100), most);
        let source = Source::default();
        assert_eq!(seconds(&clock, || endless(&cache, &source)), max);
    }
    let (cache, clock) = kept_for(Cache::builder(), 40 * SECOND);
    let source = Source::default();
    assert_eq!(session(&cache, &source), Ok(1));
    clock.advance(10 * SECOND);
    assert_eq!(session(&cache, &source), Ok(2), "a rule adds nothing");
}

/// The longest lifetime that the rule was asked about.
#[derive(Clone, Default)]
struct Longest(Arc<Mutex<Option<Duration>>>);

impl Rule for Longest {
    fn name(&self) -> &'static str {
        "Longest"
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        let mut longest = self.0.lock().unwrap();
        *longest = (*longest).max(candidate.lifetime());
        Admission::Admit
    }
}

#[test]
fn a_rule_is_told_how_long_a_value_may_live() {
    let rule = Longest::default();
    let cache = Cache::builder().rule(rule.clone()).build().unwrap();
    assert_eq!(session(&cache, &Source::default()), Ok(1));
    assert_eq!(*rule.0.lock().unwrap(), Some(100 * SECOND));
}

/// A value in the store lives there for `idle`, and the process tracks its key no longer.
#[test]
fn what_is_kept_elsewhere_is_forgotten_with_it() {
    let client = Client::new();
    let cache = client.builder().in_process(false).rule(Lru::new(100));
    let cache = cache.build().unwrap();
    assert_eq!(many(&cache, 7), 7);
    assert_eq!(cache.keys().run().unwrap().len(), 1);
    client.store().clock.advance(10 * SECOND);
    assert_eq!(cache.keys().run().unwrap().len(), 0);
}

#[test]
fn looking_at_it_without_a_call_is_no_use() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(session(&cache, &source), Ok(1));
    clock.advance(10 * SECOND - NANO);
    assert_eq!(peek!(session(&cache, &source)).unwrap(), Some(1));
    clock.advance(NANO);
    assert_eq!(peek!(session(&cache, &source)).unwrap(), None);
    assert_eq!(session(&cache, &source), Ok(2));
}

#[test]
fn it_goes_as_any_value_does() {
    let source = Source::default();
    let (cache, _clock) = cache();
    assert_eq!(session(&cache, &source), Ok(1));
    assert!(expire!(session(&cache, &source)).unwrap());
    assert_eq!(session(&cache, &source), Ok(2));
    assert!(evict!(session(&cache, &source)).unwrap());
    assert_eq!(session(&cache, &source), Ok(3));
}

#[test]
fn past_its_time_it_is_listed_no_more() {
    let (cache, clock) = cache();
    let listed = || {
        let keys = cache.keys().run().unwrap().len() as u64;
        assert_eq!(cache.stats().total_keys, keys);
        keys
    };
    // used only once, and used for a while
    for asked in 0..30 {
        many(&cache, 7);
        for _ in 0..asked {
            clock.advance(SECOND);
            many(&cache, 7);
        }
        clock.advance(10 * SECOND - NANO);
        assert_eq!(listed(), 1, "asked for {asked} times");
        clock.advance(NANO);
        assert_eq!(listed(), 0, "asked for {asked} times");
    }
}

#[test]
fn it_is_freed_without_being_touched() {
    let (cache, clock) = cache();
    for id in 0..1000 {
        many(&cache, id);
    }
    // one value in ten is used, every nine seconds
    for _ in 0..10 {
        clock.advance(9 * SECOND);
        for id in (0..1000).step_by(10) {
            many(&cache, id);
        }
    }
    let stats = cache.stats();
    assert_eq!((stats.total_keys, stats.expirations), (100, 900));
    assert_eq!(stats.loads, 1000);
    clock.advance(10 * SECOND);
    assert_eq!(cache.stats().total_keys, 0);
    assert_eq!(cache.stats().expirations, 1000);
}

#[test]
fn what_the_builder_says_of_values_that_are_kept_longer_is_not_for_it() {
    let source = Source::default();
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).stale(1000 * SECOND);
    let cache = cache.refresh_after(0.5).build().unwrap();
    assert_eq!(session(&cache, &source), Ok(1));
    clock.advance(10 * SECOND);
    assert_eq!(session(&cache, &source), Ok(2));
    assert_eq!(cache.stats().stale_hits, 0);
}

#[test]
fn another_process_has_no_more_of_it_than_the_first_had_left() {
    let source = Source::default();
    let client = Client::new();
    let (one, two) = (client.cache(), client.clone().cache());
    let clock = &client.store().clock;
    assert_eq!(session(&one, &source), Ok(1));
    clock.advance(9 * SECOND);
    assert_eq!(session(&one, &source), Ok(1));
    assert_eq!(session(&two, &source), Ok(1));
    // the lifetime in the store was not prolonged
    clock.advance(SECOND + Duration::from_millis(1));
    assert_eq!(session(&two, &source), Ok(2));
}

/// No report says when the copy is outdated.
#[test]
fn a_copy_is_kept_no_longer_for_being_asked_for() {
    #[cache(ttl = "1h", idle = 2, cache = cache, skip(cache), name = "brief")]
    fn brief(cache: &Cache, id: u64) -> u64 {
        let _ = cache;
        id
    }
    let client = Client::new();
    let here = client.builder().coherence(5 * SECOND).build().unwrap();
    client.report(&cacheado::backends::Change::Lost);
    assert_eq!(brief(&here, 7), 7);
    client.asked();
    for _ in 0..20 {
        client.store().clock.advance(SECOND);
        assert_eq!(brief(&here, 7), 7);
    }
    assert!(client.asked().len() >= 3, "it was kept all along");
}

#[test]
fn what_many_ids_have_brought_is_prolonged_as_well() {
    #[cache(ttl = 100, idle = 10, cache = cache, skip(cache, source), batch(ids))]
    fn sessions(cache: &Cache, source: &Source, ids: &[u32]) -> HashMap<u32, u64> {
        let number = source.load().unwrap();
        ids.iter().map(|id| (*id, number)).collect()
    }
    let source = Source::default();
    let (cache, clock) = cache();
    for _ in 0..5 {
        assert_eq!(sessions(&cache, &source, &[1])[&1], 1);
        clock.advance(9 * SECOND);
    }
    clock.advance(SECOND);
    assert_eq!(sessions(&cache, &source, &[1])[&1], 2);

    let source = Source::default();
    let (cache, clock) = kept_for(Cache::builder(), 40 * SECOND);
    let call = || Ok(sessions(&cache, &source, &[1])[&1]);
    assert_eq!(seconds(&clock, call), 40);
}

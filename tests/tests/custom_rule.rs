//! A custom rule: what each hook receives, and what it can do.

#![allow(
    clippy::unchecked_time_subtraction,
    reason = "times of the tests' own choosing"
)]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheado::rule::{Admission, Candidate, Cause, Departed, Newcomer, Reads, Seats, Verdict};
use cacheado::rules::{Lru, MaxItems, Ttl, WTinyLfu};
use cacheado::testing::ManualClock;
use cacheado::{Cache, CacheBuilder, Error, Key, Rule, cache, refresh, scopes};
use cacheado_tests::store::Client;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

/// Does to each entry what the text of its key says, and records its hook calls.
#[derive(Clone, Default)]
struct Obedient(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    set: Vec<(String, bool, usize, Option<Duration>)>,
    got: Vec<String>,
    gone: Vec<(String, Cause)>,
    clears: usize,
    /// What to evict for the next key that says `in place of others`.
    others: Vec<Key>,
    /// Whether each of `others` was there to be evicted.
    found: Vec<bool>,
}

/// The text in a key of these tests.
fn text(key: &Key) -> String {
    let shown = key.to_string();
    let text = shown.split('"').nth(1);
    text.unwrap_or_else(|| panic!("no text in {shown}"))
        .to_owned()
}

impl Rule for Obedient {
    fn name(&self) -> &'static str {
        "Obedient"
    }

    fn reads(&self) -> Reads {
        Reads::Call
    }

    fn on_get(&self, key: &Key) -> Verdict {
        let text = text(key);
        let verdict = if text.contains("once only") {
            Verdict::Drop
        } else {
            Verdict::Keep
        };
        self.0.lock().unwrap().got.push(text);
        verdict
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        let text = text(candidate.key());
        let mut told = self.0.lock().unwrap();
        let seen = (candidate.replaces(), candidate.len(), candidate.lifetime());
        assert_ne!(candidate.is_empty(), candidate.len() > 0);
        told.set.push((text.clone(), seen.0, seen.1, seen.2));
        if text.contains("refused") {
            return Admission::Reject;
        }
        if text.contains("brief") {
            candidate.set_lifetime(Some(Duration::from_secs(1)));
        }
        if text.contains("forever") {
            candidate.set_lifetime(None);
        }
        if text.contains("never") {
            candidate.set_lifetime(Some(Duration::ZERO));
        }
        if text.contains("in place of others") {
            let others = std::mem::take(&mut told.others);
            told.found = others.into_iter().map(|key| candidate.evict(key)).collect();
        }
        Admission::Admit
    }

    fn on_evict(&self, key: &Key, cause: Cause) {
        self.0.lock().unwrap().gone.push((text(key), cause));
    }

    fn on_clear(&self) {
        self.0.lock().unwrap().clears += 1;
    }

    fn on_keys(&self, keys: &mut Vec<Key>) {
        keys.retain(|key| !text(key).contains("hidden"));
    }
}

fn cache(rule: &Obedient, clock: &ManualClock) -> Cache {
    let builder = Cache::builder().clock(clock.clone());
    builder.rule(rule.clone()).build().unwrap()
}

fn set(cache: &Cache, key: &str) -> bool {
    cache.set(key, &1_u32).run().unwrap()
}

fn get(cache: &Cache, key: &str) -> Option<u32> {
    cache.get(key).run().unwrap()
}

#[test]
fn a_rule_is_told_what_is_about_to_be_stored() {
    let rule = Obedient::default();
    let cache = cache(&rule, &ManualClock::new());
    let minute = Duration::from_mins(1);
    set(&cache, "a");
    cache.set("b", &1_u32).ttl(minute).run().unwrap();
    set(&cache, "a");
    let told = rule.0.lock().unwrap();
    let expected = [
        ("a".to_owned(), false, 0, None),
        ("b".to_owned(), false, 1, Some(minute)),
        ("a".to_owned(), true, 2, None),
    ];
    assert_eq!(told.set, expected);
    assert!(told.gone.is_empty(), "what is replaced has not gone");
}

#[test]
fn a_rule_refuses() {
    let rule = Obedient::default();
    let cache = cache(&rule, &ManualClock::new());
    assert!(!set(&cache, "refused"));
    assert_eq!(get(&cache, "refused"), None);
    assert_eq!(cache.stats().total_keys, 0);
    let loaded: u32 = cache.get_or_load("refused", || 7).run().unwrap();
    assert_eq!(loaded, 7);
    assert_eq!(cache.stats().total_keys, 0);
}

#[test]
fn a_rule_changes_the_lifetime() {
    let rule = Obedient::default();
    let clock = ManualClock::new();
    let cache = cache(&rule, &clock);
    assert!(set(&cache, "brief"));
    let second = Duration::from_secs(1);
    assert!(cache.set("forever", &1_u32).ttl(second).run().unwrap());
    assert!(!set(&cache, "never"));
    clock.advance(second - Duration::from_nanos(1));
    assert_eq!(get(&cache, "brief"), Some(1));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(get(&cache, "brief"), None);
    assert_eq!(get(&cache, "never"), None);
    clock.advance(Duration::from_hours(1_000_000));
    assert_eq!(get(&cache, "forever"), Some(1));
}

#[test]
fn a_rule_evicts_others() {
    let rule = Obedient::default();
    let cache = cache(&rule, &ManualClock::new());
    for key in ["a", "b", "c", "gone"] {
        set(&cache, key);
    }
    let keys = cache.keys().run().unwrap();
    cache.evict("gone").run().unwrap();
    let listed = |name: &str| keys.iter().find(|key| text(key) == name).unwrap().clone();
    rule.0.lock().unwrap().others = vec![listed("a"), listed("gone"), listed("b"), listed("a")];
    assert!(set(&cache, "in place of others"));
    assert_eq!(get(&cache, "a"), None);
    assert_eq!(get(&cache, "b"), None);
    assert_eq!(get(&cache, "c"), Some(1));
    let mut told = rule.0.lock().unwrap();
    assert_eq!(told.found, [true, false, true, false]);
    told.gone.sort_by(|one, two| one.0.cmp(&two.0));
    let expected = [
        ("a".to_owned(), Cause::Rule),
        ("b".to_owned(), Cause::Rule),
        ("gone".to_owned(), Cause::Evicted),
    ];
    assert_eq!(told.gone, expected);
    drop(told);
    assert_eq!(cache.stats().evictions, 3);
    assert_eq!(cache.stats().total_keys, 2);
}

/// A rule's choice is evicted only if every later rule admits the new entry.
#[test]
fn a_choice_takes_effect_only_if_all_admit() {
    let rule = Obedient::default();
    let cache = Cache::builder()
        .rule(Lru::new(2))
        .rule(rule.clone())
        .build()
        .unwrap();
    set(&cache, "a");
    set(&cache, "b");
    for _ in 0..3 {
        assert!(!set(&cache, "refused"));
    }
    assert_eq!(rule.0.lock().unwrap().gone.len(), 0);
    assert_eq!(get(&cache, "a"), Some(1));
    // the order is unchanged except for the hit
    assert!(set(&cache, "c"));
    assert_eq!(get(&cache, "b"), None);
    assert_eq!(get(&cache, "a"), Some(1));
}

/// A later rule sees the room that an earlier one made.
#[test]
fn a_choice_is_room_to_the_next_rule() {
    let rule = Obedient::default();
    let builder = Cache::builder().rule(rule.clone());
    let cache = builder.rule(MaxItems::new(1)).build().unwrap();
    set(&cache, "a");
    assert!(!set(&cache, "in place of others"));
    assert_eq!(get(&cache, "a"), Some(1));
    rule.0.lock().unwrap().others = cache.keys().run().unwrap();
    assert!(set(&cache, "in place of others"));
    assert_eq!(get(&cache, "a"), None);
}

#[test]
fn a_rule_drops_what_was_found() {
    let rule = Obedient::default();
    let cache = cache(&rule, &ManualClock::new());
    set(&cache, "once only");
    set(&cache, "kept");
    assert_eq!(get(&cache, "once only"), None);
    assert_eq!(get(&cache, "kept"), Some(1));
    assert_eq!(get(&cache, "kept"), Some(1));
    assert_eq!(get(&cache, "never stored"), None);
    let told = rule.0.lock().unwrap();
    assert_eq!(told.got, ["once only", "kept", "kept"]);
    assert_eq!(told.gone, [("once only".to_owned(), Cause::Rule)]);
    drop(told);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (2, 2));
    assert_eq!((stats.total_keys, stats.evictions), (1, 1));
}

#[test]
fn a_rule_hides_keys() {
    let rule = Obedient::default();
    let cache = cache(&rule, &ManualClock::new());
    set(&cache, "seen");
    set(&cache, "hidden");
    let keys = cache.keys().run().unwrap();
    assert_eq!(keys.iter().map(text).collect::<Vec<_>>(), ["seen"]);
    assert_eq!(get(&cache, "hidden"), Some(1));
}

#[test]
fn a_rule_is_told_of_each_entry_that_goes_and_why() {
    let rule = Obedient::default();
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .clock(clock.clone())
        .rule(Lru::new(3))
        .rule(rule.clone())
        .build()
        .unwrap();
    set(&cache, "pushed out");
    set(&cache, "by key");
    set(&cache, "brief");
    let user = scope::user("acme", 1);
    cache.set("by scope", &1_u32).scope(user).run().unwrap();
    cache.evict("by key").run().unwrap();
    let organization = scope::organization("acme");
    cache.evict_by_scope(organization).run().unwrap();
    clock.advance(Duration::from_secs(1));
    set(&cache, "by the root");
    cache.evict_by_scope(scope::global()).run().unwrap();
    set(&cache, "cleared");
    cache.clear().run().unwrap();

    let told = rule.0.lock().unwrap();
    let expected = [
        ("pushed out".to_owned(), Cause::Rule),
        ("by key".to_owned(), Cause::Evicted),
        ("by scope".to_owned(), Cause::Scope),
        ("brief".to_owned(), Cause::Expired),
        ("by the root".to_owned(), Cause::Scope),
    ];
    assert_eq!(told.gone, expected);
    assert_eq!(told.clears, 1);
    drop(told);
    let stats = cache.stats();
    assert_eq!((stats.evictions, stats.expirations), (4, 1));
}

#[test]
fn a_value_that_is_refused_in_the_place_of_an_older_one_removes_that() {
    #[cache(cache = cache, skip(cache), ttl = |value| Duration::from_secs(*value))]
    fn value(cache: &Cache, key: &str, value: u64) -> u64 {
        let _ = (cache, key);
        value
    }

    struct NotOverAMinute;

    impl Rule for NotOverAMinute {
        fn name(&self) -> &'static str {
            "NotOverAMinute"
        }

        fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
            if candidate.lifetime() > Some(Duration::from_mins(1)) {
                Admission::Reject
            } else {
                Admission::Admit
            }
        }
    }

    let cache = Cache::builder().rule(NotOverAMinute).build().unwrap();
    let set = |value: u64, ttl| {
        let set = cache.set("key", &value).ttl(Duration::from_secs(ttl));
        set.run().unwrap()
    };
    assert!(set(1, 60));
    assert!(!set(2, 61));
    assert_eq!(cache.get::<u64>("key").run().unwrap(), None);

    assert_eq!(value(&cache, "key", 60), 60);
    assert_eq!(refresh!(value(&cache, "key", 61)), 61);
    assert_eq!(cache.stats().total_keys, 1);
}

#[test]
fn a_rule_is_called_on_each_hit_unless_it_says_otherwise() {
    struct Drops(Option<Reads>);

    impl Rule for Drops {
        fn name(&self) -> &'static str {
            "Drops"
        }

        fn reads(&self) -> Reads {
            self.0.unwrap()
        }

        fn on_get(&self, _: &Key) -> Verdict {
            Verdict::Drop
        }
    }

    /// Does not implement `reads`.
    struct Plain;

    impl Rule for Plain {
        fn name(&self) -> &'static str {
            "Plain"
        }

        fn on_get(&self, key: &Key) -> Verdict {
            Drops(None).on_get(key)
        }
    }

    let is_kept = |cache: cacheado::Result<Cache>| {
        let cache = cache.unwrap();
        assert!(cache.set("key", &1_u32).run().unwrap());
        cache.get::<u32>("key").run().unwrap().is_some()
    };
    assert!(!is_kept(Cache::builder().rule(Plain).build()));
    for (reads, kept) in [
        (Reads::Call, false),
        (Reads::Stamp, true),
        (Reads::Ignore, true),
    ] {
        let rule = Drops(Some(reads));
        assert_eq!(is_kept(Cache::builder().rule(rule).build()), kept);
    }
}

/// Any rule can ask for the last uses of entries, without being called on hits.
#[test]
fn a_rule_can_ask_when_others_were_used() {
    /// Keeps two entries: the most recently used one makes room.
    #[derive(Clone, Default)]
    struct MostRecent(Arc<Mutex<Vec<Key>>>);

    impl Rule for MostRecent {
        fn name(&self) -> &'static str {
            "MostRecent"
        }

        fn reads(&self) -> Reads {
            Reads::Stamp
        }

        fn on_get(&self, _: &Key) -> Verdict {
            panic!("it did not ask to be called")
        }

        fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
            let mut keys = self.0.lock().unwrap();
            assert!(candidate.last_used(candidate.key()).is_none());
            let newest = keys.iter().max_by_key(|key| candidate.last_used(key));
            if let (true, Some(newest)) = (candidate.len() == 2, newest) {
                assert!(candidate.last_used(newest) < Some(candidate.stamp()));
                candidate.evict(newest.clone());
            }
            keys.push(candidate.key().clone());
            Admission::Admit
        }
    }

    let rule = MostRecent::default();
    let cache = Cache::builder().rule(rule).build().unwrap();
    set(&cache, "a");
    set(&cache, "b");
    get(&cache, "a");
    set(&cache, "c");
    assert_eq!(get(&cache, "a"), None);
    assert_eq!(get(&cache, "b"), Some(1));
    set(&cache, "d");
    assert_eq!(get(&cache, "b"), None);
    assert_eq!(get(&cache, "c"), Some(1));
}

#[test]
fn a_rule_without_sense_fails_the_build() {
    struct Senseless;

    impl Rule for Senseless {
        fn name(&self) -> &'static str {
            "Senseless"
        }

        fn check(&self) -> cacheado::Result<()> {
            Err(Error::config("Senseless", "it has none"))
        }
    }

    struct Restless;

    impl Rule for Restless {
        fn name(&self) -> &'static str {
            "Restless"
        }

        fn sweep_interval(&self) -> Option<Duration> {
            Some(Duration::ZERO)
        }
    }

    let built = Cache::builder().rule(Ttl::new()).rule(Senseless).build();
    assert_eq!(built.unwrap_err().to_string(), "Senseless: it has none");
    let built = Cache::builder().rule(Ttl::new()).rule(Restless).build();
    assert_eq!(
        built.unwrap_err().to_string(),
        "the sweep_interval of the rule Restless: expired entries would be looked for without a pause: give a duration longer than zero, or `None`"
    );
}

#[test]
fn a_function_is_subject_to_rules_as_programmatic_calls_are() {
    #[cache(cache = cache, skip(cache))]
    fn length(cache: &Cache, text: &str) -> usize {
        let _ = cache;
        text.len()
    }

    let rule = Obedient::default();
    let cache = cache(&rule, &ManualClock::new());
    for text in ["plain", "refused", "once only"] {
        for _ in 0..3 {
            assert_eq!(length(&cache, text), text.len());
        }
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.loads), (2, 7));
}

/// Records what is in the cache.
#[derive(Clone, Default)]
struct Spy(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    residents: HashSet<Key>,
    weights: Vec<(String, u32)>,
    wrong: Vec<String>,
}

impl Seen {
    fn expect(&mut self, holds: bool, what: &str, key: &Key) {
        if !holds {
            self.wrong.push(format!("{what}: {key:?}"));
        }
    }

    fn weigh(&mut self, newcomer: &Newcomer<'_>) {
        let weight = (text(newcomer.key()), newcomer.weight());
        self.weights.push(weight);
    }
}

impl Rule for Spy {
    fn name(&self) -> &'static str {
        "Spy"
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        let weight = (text(candidate.key()), candidate.weight());
        self.0.lock().unwrap().weights.push(weight);
        Admission::Admit
    }

    fn on_insert(&self, newcomer: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        let seen = &mut *self.0.lock().unwrap();
        let new = seen.residents.insert(newcomer.key().clone());
        seen.expect(new, "inserted", newcomer.key());
        seen.weigh(newcomer);
        Admission::Admit
    }

    fn on_replace(
        &self,
        _: Option<u32>,
        newcomer: &mut Newcomer<'_>,
        _: &mut Seats<'_>,
    ) -> Admission {
        let seen = &mut *self.0.lock().unwrap();
        let known = seen.residents.contains(newcomer.key());
        seen.expect(known, "replaced", newcomer.key());
        seen.weigh(newcomer);
        Admission::Admit
    }

    fn on_remove(&self, departed: &Departed<'_>, _: Cause) {
        let seen = &mut *self.0.lock().unwrap();
        let known = seen.residents.remove(departed.key());
        seen.expect(known, "removed", departed.key());
    }

    fn on_clear(&self) {
        self.0.lock().unwrap().residents.clear();
    }
}

#[test]
fn a_rule_beside_is_told_what_a_bound_admits_and_evicts() {
    type Around = fn(CacheBuilder, Spy) -> CacheBuilder;
    let around: [Around; 3] = [
        |builder, spy| builder.rule(spy).max_items(4),
        |builder, spy| builder.rule(spy).rule(WTinyLfu::new(4)),
        |builder, spy| builder.rule(WTinyLfu::new(4)).rule(spy),
    ];
    for around in around {
        let (spy, clock) = (Spy::default(), ManualClock::new());
        let builder = Cache::builder().clock(clock.clone());
        let cache = around(builder, spy.clone()).build().unwrap();
        let mut refused = 0;
        for nth in 0..400_u64 {
            // used again, so some are more valuable than others
            let name = nth * nth % 17;
            let known = format!("name {}", nth % 3);
            cache.get::<u64>(&known).run().unwrap();
            let set = cache.set(format!("name {name}"), &nth);
            let ttl = Duration::from_secs(1 + nth % 5);
            refused += u64::from(!set.ttl(ttl).run().unwrap());
            match nth % 40 {
                7 => clock.advance(Duration::from_secs(2)),
                23 => _ = cache.evict(known).run().unwrap(),
                39 => cache.clear().run().unwrap(),
                _ => {}
            }
            let seen = spy.0.lock().unwrap();
            assert_eq!(seen.wrong, Vec::<String>::new());
            let listed: HashSet<Key> = cache.keys().run().unwrap().into_iter().collect();
            assert_eq!(seen.residents, listed, "step {nth}");
            assert!(listed.len() <= 4);
        }
        assert_eq!(refused, 0, "a newcomer that fits is always stored");
    }
}

#[test]
fn a_rule_sees_what_each_weighs() {
    type Weighing = fn(CacheBuilder) -> CacheBuilder;
    let weighings: [Weighing; 2] = [
        |builder| builder.max_weight(100, |it| *it.value::<u32>().unwrap()),
        |builder| builder.weigher(|it| *it.value::<u32>().unwrap()),
    ];
    for weighing in weighings {
        let spy = Spy::default();
        let cache = weighing(Cache::builder().rule(spy.clone()));
        let cache = cache.build().unwrap();
        for (key, weight) in [("a", 7_u32), ("b", 30), ("a", 9)] {
            assert!(cache.set(key, &weight).run().unwrap());
        }
        let seen = spy.0.lock().unwrap();
        let expected = [("a", 7), ("a", 7), ("b", 30), ("b", 30), ("a", 9), ("a", 9)];
        let expected = expected.map(|(key, weight)| (key.to_owned(), weight));
        assert_eq!(seen.weights, expected, "asked and told");
    }

    let spy = Spy::default();
    let cache = Cache::builder().rule(spy.clone()).build().unwrap();
    assert!(cache.set("a", &700_u32).run().unwrap());
    let expected = ("a".to_owned(), 1);
    assert_eq!(spy.0.lock().unwrap().weights, [expected.clone(), expected]);
}

/// With `idle`, a lookup accesses the entry a second time after finding it. That is not a second use.
#[test]
fn each_hit_is_told_once() {
    #[cache(ttl = 60, idle = 10, cache = cache, skip(cache))]
    #[allow(clippy::needless_lifetimes, reason = "functions have them, too")]
    fn prolonged<'t>(cache: &Cache, text: &'t str) -> String {
        let _ = cache;
        text.to_owned()
    }
    let rule = Obedient::default();
    let clock = ManualClock::new();
    let builder = Cache::builder().clock(clock.clone());
    let cache = builder.rule(rule.clone()).build().unwrap();
    for _ in 0..=10 {
        prolonged(&cache, "text");
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(cache.stats().hits, 10);
    assert_eq!(rule.0.lock().unwrap().got.len(), 10);
}

/// Gives every entry a lifetime of two hours.
struct Generous;

impl Rule for Generous {
    fn name(&self) -> &'static str {
        "Generous"
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        candidate.set_lifetime(Some(Duration::from_hours(2)));
        Admission::Admit
    }
}

#[cache(cache = cache, skip(cache))]
fn once(cache: &Cache, x: u32) -> u32 {
    x
}

#[test]
fn a_copy_is_not_made_to_outlive_what_the_shared_tier_has() {
    let client = Client::new();
    let clock = &client.store().clock;
    let (hour, minute) = (Duration::from_hours(1), Duration::from_mins(1));
    let other = client.cache();
    // nothing else limits copies
    let cache = client.builder().rule(Generous).coherence(Duration::MAX);
    let cache = cache.build().unwrap();
    for key in 0..3_u32 {
        other.set(key, &key).ttl(minute).run().unwrap();
    }
    let limited = Cache::builder()
        .clock(clock.clone())
        .backend(client.clone());
    let limited = limited.rule(Ttl::new().max(minute)).build().unwrap();
    assert_eq!(once(&limited, 3), 3);
    assert_eq!(cache.get(0_u32).run().unwrap(), Some(0_u32));
    assert_eq!(cache.get_many([1_u32]).run().unwrap(), [Some(1_u32)]);
    assert_eq!(cache.get_or_load(2_u32, || 7_u32).run().unwrap(), 2);
    assert_eq!(once(&cache, 3), 3);
    // the rule may lengthen the lifetime of new values
    cache.set("new", &1_u32).ttl(minute).run().unwrap();
    cache.get_or_load("loaded", || 1_u32).run().unwrap();
    assert_eq!(cache.stats().total_keys, 6);
    clock.advance(minute);
    assert_eq!(cache.stats().total_keys, 2);
    clock.advance(hour);
    assert_eq!(
        (get(&cache, "new"), get(&cache, "loaded")),
        (Some(1), Some(1))
    );
    clock.advance(hour);
    assert_eq!(cache.stats().total_keys, 0);
}

/// Takes a seat without having declared any.
struct Sits;

impl Rule for Sits {
    fn name(&self) -> &'static str {
        "Sits"
    }

    fn on_insert(&self, newcomer: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        newcomer.take_seat(3);
        Admission::Admit
    }
}

#[test]
fn a_seat_of_a_rule_that_gives_none_is_none() {
    for order in [true, false] {
        let builder = Cache::builder();
        let builder = if order {
            builder.rule(Sits).rule(WTinyLfu::new(10))
        } else {
            builder.rule(WTinyLfu::new(10)).rule(Sits)
        };
        let cache = builder.build().unwrap();
        for key in 0..1000_u32 {
            cache.set(key, &key).run().unwrap();
        }
        assert!(
            cache.stats().total_keys <= 10,
            "{}",
            cache.stats().total_keys
        );
    }
}

//! A rule behind a pointer acts as that rule: each of its methods is called, and each result counts.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheado::rule::{Admission, Candidate, Cause, Departed, Newcomer, Reads, Seats, Verdict};
use cacheado::rules::{Lru, MaxItems};
use cacheado::{Cache, Error, Key, Result, Rule};

/// Records its calls, and answers differently from the defaults.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<&'static str>>>);

impl Noting {
    fn note<T>(&self, asked: &'static str, answer: T) -> T {
        self.0.lock().unwrap().push(asked);
        answer
    }

    fn notes(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Rule for Noting {
    fn name(&self) -> &'static str {
        self.note("name", "Noting")
    }

    fn check(&self) -> Result<()> {
        self.note("check", Err(Error::config("Noting", "it has no sense")))
    }

    fn reads(&self) -> Reads {
        self.note("reads", Reads::Stamp)
    }

    fn on_get(&self, _: &Key) -> Verdict {
        self.note("on_get", Verdict::Drop)
    }

    fn on_set(&self, _: &mut Candidate<'_>) -> Admission {
        self.note("on_set", Admission::Admit)
    }

    fn on_insert(&self, _: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        self.note("on_insert", Admission::Admit)
    }

    fn on_replace(&self, _: Option<u32>, _: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        self.note("on_replace", Admission::Reject)
    }

    fn on_remove(&self, _: &Departed<'_>, _: Cause) {
        self.note("on_remove", ());
    }

    fn on_evict(&self, _: &Key, _: Cause) {
        self.note("on_evict", ());
    }

    fn on_clear(&self) {
        self.note("on_clear", ());
    }

    fn on_keys(&self, keys: &mut Vec<Key>) {
        keys.clear();
        self.note("on_keys", ());
    }

    fn gives_seats(&self) -> bool {
        self.note("gives_seats", true)
    }

    fn asks_last_use(&self) -> bool {
        self.note("asks_last_use", false)
    }

    fn sweep_interval(&self) -> Option<Duration> {
        self.note("sweep_interval", Some(Duration::from_mins(7)))
    }
}

/// The same rule with valid settings, called on hits.
struct Sensible<R>(R);

impl<R: Rule> Rule for Sensible<R> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn on_get(&self, key: &Key) -> Verdict {
        self.0.on_get(key)
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        self.0.on_set(candidate)
    }

    fn on_insert(&self, newcomer: &mut Newcomer<'_>, seats: &mut Seats<'_>) -> Admission {
        self.0.on_insert(newcomer, seats)
    }

    fn on_replace(
        &self,
        old: Option<u32>,
        newcomer: &mut Newcomer<'_>,
        seats: &mut Seats<'_>,
    ) -> Admission {
        self.0.on_replace(old, newcomer, seats)
    }

    fn on_remove(&self, departed: &Departed<'_>, cause: Cause) {
        self.0.on_remove(departed, cause);
        self.0.on_evict(departed.key(), cause);
    }

    fn on_clear(&self) {
        self.0.on_clear();
    }

    fn on_keys(&self, keys: &mut Vec<Key>) {
        self.0.on_keys(keys);
    }
}

/// The results of the methods that concern the `rule` alone.
fn answers(rule: &impl Rule) -> String {
    format!(
        "{} {:?} {:?} {} {} {:?}",
        rule.name(),
        rule.check(),
        rule.reads(),
        rule.gives_seats(),
        rule.asks_last_use(),
        rule.sweep_interval(),
    )
}

/// The results of a cache's operations with this rule.
fn comes(rule: impl Rule) -> Vec<bool> {
    let cache = Cache::builder().rule(Sensible(rule)).build().unwrap();
    let set = |key: &str| cache.set(key, &1_u32).run().unwrap();
    let get = |key: &str| cache.get::<u32>(key).run().unwrap().is_some();
    let mut came = vec![set("a"), set("a"), set("b"), get("b"), set("c")];
    came.push(cache.keys().run().unwrap().is_empty());
    came.push(cache.evict("c").run().unwrap());
    cache.clear().run().unwrap();
    came
}

fn is_asked_as_itself<R: Rule>(behind: impl Fn(Noting) -> R) {
    let (plain, noting) = (Noting::default(), Noting::default());
    assert_eq!(answers(&behind(noting.clone())), answers(&plain));
    assert_eq!(comes(behind(noting.clone())), comes(plain.clone()));
    let asked = noting.notes();
    assert_eq!(asked, plain.notes());
    let all: BTreeSet<&str> = asked.into_iter().collect();
    assert_eq!(all.len(), 14, "each method: {all:?}");
}

#[test]
fn each_method_is_forwarded() {
    is_asked_as_itself(Box::new);
    is_asked_as_itself(Arc::new);
    is_asked_as_itself(|rule| -> Box<dyn Rule> { Box::new(rule) });
    is_asked_as_itself(|rule| -> Arc<dyn Rule> { Arc::new(rule) });
}

#[test]
fn a_rule_is_chosen_at_run_time() {
    for (evicts, first) in [(true, None), (false, Some(1))] {
        let rule: Box<dyn Rule> = if evicts {
            Box::new(Lru::new(1))
        } else {
            Box::new(MaxItems::new(1))
        };
        let cache = Cache::builder().rule(rule).build().unwrap();
        for key in 1..=2_u32 {
            cache.set(key, &key).run().unwrap();
        }
        assert_eq!(cache.get::<u32>(1_u32).run().unwrap(), first);
    }
}

#[test]
fn a_handle_to_a_rule_is_kept() {
    #[derive(Default)]
    struct Sealed(Mutex<bool>);

    impl Rule for Sealed {
        fn name(&self) -> &'static str {
            "Sealed"
        }

        fn on_set(&self, _: &mut Candidate<'_>) -> Admission {
            if *self.0.lock().unwrap() {
                Admission::Reject
            } else {
                Admission::Admit
            }
        }
    }

    let rule = Arc::new(Sealed::default());
    let cache = Cache::builder().rule(Arc::clone(&rule)).build().unwrap();
    assert!(cache.set("a", &1_u32).run().unwrap());
    *rule.0.lock().unwrap() = true;
    assert!(!cache.set("b", &1_u32).run().unwrap());
}

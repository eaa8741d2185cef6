//! One event, one call: a rule that counts its calls sees each event once, whichever tiers a cache has.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use cacheado::backends::{Backend, BackendResult, Lookup, Payload};
use cacheado::rule::{Admission, Candidate, Cause, Verdict};
use cacheado::{Cache, Error, Key, Rule, Scope, cache};
use cacheado_tests::store::Client;
use futures::FutureExt;

/// Records the hooks that are called.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<&'static str>>>);

impl Ear {
    fn hear(&self, event: &'static str) {
        self.0.lock().unwrap().push(event);
    }

    /// The hooks called since the last call of this method.
    fn told(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Rule for Ear {
    fn name(&self) -> &'static str {
        "Ear"
    }

    fn on_get(&self, _: &Key) -> Verdict {
        self.hear("get");
        Verdict::Keep
    }

    fn on_set(&self, _: &mut Candidate<'_>) -> Admission {
        self.hear("set");
        Admission::Admit
    }

    fn on_evict(&self, _: &Key, _: Cause) {
        self.hear("evict");
    }

    fn on_clear(&self) {
        self.hear("clear");
    }
}

#[cache(cache = cache, skip(cache))]
fn cached(cache: &Cache, x: u32) -> u32 {
    x
}

#[cache(cache = cache, skip(cache))]
async fn cached_async(cache: &Cache, x: u32) -> u32 {
    x
}

#[cache(cache = cache, skip(cache), batch(xs))]
fn batched(cache: &Cache, xs: &[u32]) -> HashMap<u32, u32> {
    xs.iter().map(|x| (*x, *x)).collect()
}

type Call = fn(&Cache);

/// Each looks something up, and loads it on a miss.
const LOOK_UPS: [(&str, Call); 7] = [
    ("get_or_load", |cache| {
        cache.get_or_load(1_u32, || 1_u32).run().unwrap();
    }),
    ("get_or_load, async", |cache| {
        let load = cache.get_or_load(1_u32, || async { 1_u32 }).into_future();
        load.now_or_never().unwrap().unwrap();
    }),
    ("get_or_load_many", |cache| {
        let load = |missing: Vec<u32>| {
            missing
                .into_iter()
                .map(|key| (key, key))
                .collect::<Vec<_>>()
        };
        cache.get_or_load_many([1_u32], load).run().unwrap();
    }),
    ("get, or set", |cache| {
        if cache.get::<u32>(1_u32).run().unwrap().is_none() {
            cache.set(1_u32, &1_u32).run().unwrap();
        }
    }),
    ("get_many, async, or set_many", |cache| {
        let get = cache.get_many([1_u32]).into_future();
        if get.now_or_never().unwrap().unwrap() == [None::<u32>] {
            cache.set_many([(1_u32, &1_u32)]).run().unwrap();
        }
    }),
    ("a function", |cache| _ = cached(cache, 1)),
    ("an async function", |cache| {
        cached_async(cache, 1).now_or_never().unwrap();
    }),
];

#[test]
fn of_a_hit_a_rule_is_told_once() {
    for tiers in ["in process", "both", "shared"] {
        for (what, look_up) in LOOK_UPS {
            let (client, ear) = (Client::new(), Ear::default());
            let builder = match tiers {
                "in process" => Cache::builder(),
                _ => client.builder().in_process(tiers == "both"),
            };
            let cache = builder.rule(ear.clone()).build().unwrap();
            look_up(&cache);
            assert_eq!(ear.told(), ["set"], "{tiers}: a miss of {what}");
            look_up(&cache);
            assert_eq!(ear.told(), ["get"], "{tiers}: a hit of {what}");
        }
    }
}

#[test]
fn of_what_another_process_has_stored_a_rule_is_told_once() {
    for in_process in [true, false] {
        for (what, look_up) in LOOK_UPS {
            let (client, ear) = (Client::new(), Ear::default());
            look_up(&client.cache());
            let builder = client.builder().in_process(in_process);
            let cache = builder.rule(ear.clone()).build().unwrap();
            look_up(&cache);
            assert_eq!(ear.told(), ["set"], "{what}, in process: {in_process}");
            look_up(&cache);
            assert_eq!(ear.told(), ["get"], "{what}, in process: {in_process}");
        }
    }
}

#[test]
fn of_each_of_many_a_rule_is_told_once() {
    for in_process in [true, false] {
        let (client, ear) = (Client::new(), Ear::default());
        let builder = client.builder().in_process(in_process);
        let cache = builder.rule(ear.clone()).build().unwrap();
        batched(&cache, &[1, 2]);
        assert_eq!(ear.told(), ["set", "set"]);
        batched(&cache, &[1, 2, 3]);
        assert_eq!(ear.told(), ["get", "get", "set"]);
    }
}

#[test]
fn of_what_goes_a_rule_is_told_once() {
    for in_process in [true, false] {
        let (client, ear) = (Client::new(), Ear::default());
        let builder = client.builder().in_process(in_process);
        let cache = builder.rule(ear.clone()).build().unwrap();
        let clears: [(&str, Call); 4] = [
            ("evict", |cache| _ = cache.evict(1_u32).run().unwrap()),
            ("evict", |cache| {
                let evict = cache.evict_by_scope(Scope::global()).into_future();
                assert_eq!(evict.now_or_never().unwrap().unwrap(), 1);
            }),
            ("clear", |cache| cache.clear().run().unwrap()),
            ("clear", |cache| {
                let clear = cache.clear().into_future();
                clear.now_or_never().unwrap().unwrap();
            }),
        ];
        for (what, clear) in clears {
            cache.set(1_u32, &1_u32).run().unwrap();
            ear.told();
            clear(&cache);
            assert_eq!(ear.told(), [what], "in process: {in_process}");
        }
    }
}

/// The body fails, and the value that was looked up is served stale.
#[test]
fn of_what_stands_in_a_rule_is_told_once() {
    #[cache(ttl = 1, cache = cache, skip(cache, body))]
    fn fails(cache: &Cache, body: &AtomicU32) -> Result<u32, Error> {
        match body.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(0),
            _ => Err(Error::config("body", "it fails")),
        }
    }

    let (client, ear) = (Client::new(), Ear::default());
    let clock = client.store().clock.clone();
    let builder = Cache::builder()
        .clock(clock.clone())
        .stale(Duration::from_mins(1));
    let cache = builder.rule(ear.clone()).build().unwrap();
    let body = AtomicU32::new(0);
    assert_eq!(fails(&cache, &body).unwrap(), 0);
    assert_eq!(ear.told(), ["set"]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(fails(&cache, &body).unwrap(), 0);
    assert_eq!(body.load(Ordering::Relaxed), 2);
    assert_eq!(ear.told(), ["get"]);
}

/// A store that runs `meanwhile` before it is cleared.
struct Crossed {
    inner: Client,
    meanwhile: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>,
}

impl Backend for Crossed {
    fn name(&self) -> &'static str {
        "crossed"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.inner.get(key)
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.inner.set(key, payload)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.inner.evict(key)
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.inner.evict_by_scope(scope)
    }

    fn clear(&self) -> BackendResult<()> {
        if let Some(meanwhile) = self.meanwhile.get() {
            meanwhile();
        }
        self.inner.clear()
    }
}

/// A value put while the store is cleared is evicted by itself, so the clear is reported once. A value that a lookup finds in the
/// store meanwhile is not kept.
#[test]
fn that_all_has_gone_is_told_once_whatever_comes_meanwhile() {
    type Meanwhile = fn(&Cache);
    let gets: Meanwhile = |cache| {
        let found = cache.get::<u32>(1_u32).run();
        assert_eq!(found.unwrap(), Some(1));
    };
    let sets: Meanwhile = |cache| assert!(cache.set(1_u32, &3_u32).run().unwrap());
    for (comes, told) in [(gets, &["clear"][..]), (sets, &["clear", "set", "evict"])] {
        let (client, ear) = (Client::new(), Ear::default());
        let meanwhile = Arc::default();
        let store = Crossed {
            inner: client.clone(),
            meanwhile: Arc::clone(&meanwhile),
        };
        let builder = client.builder().backend(store).rule(ear.clone());
        let cache = builder.build().unwrap();
        let other = cache.clone();
        assert!(meanwhile.set(Box::new(move || comes(&other))).is_ok());
        cache.set(1_u32, &1_u32).run().unwrap();
        cache.set(2_u32, &2_u32).run().unwrap();
        assert_eq!(ear.told(), ["set", "set"]);
        cache.clear().run().unwrap();
        assert_eq!(ear.told(), told);
        assert_eq!(cache.stats().total_keys, 0);
        assert_eq!(cache.get::<u32>(1_u32).run().unwrap(), None);
    }
}

/// Even if another rule panics when the clear is reported.
#[test]
fn that_all_has_gone_is_told_once_if_a_rule_panics_over_it() {
    struct Startled;

    impl Rule for Startled {
        fn name(&self) -> &'static str {
            "Startled"
        }

        fn on_clear(&self) {
            panic!("as asked");
        }
    }

    for in_process in [true, false] {
        let (client, ear) = (Client::new(), Ear::default());
        let builder = client.builder().in_process(in_process);
        let builder = builder.rule(Startled).rule(ear.clone());
        let cache = builder.build().unwrap();
        let clear = || cache.clear().run();
        assert!(catch_unwind(AssertUnwindSafe(clear)).is_err());
        assert_eq!(ear.told(), ["clear"], "in process: {in_process}");
    }
}

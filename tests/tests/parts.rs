//! A store of several parts. If all parts hang, a bulk operation takes as long as one part, not as long as all of them in turn. If one
//! part is out, the others are not affected.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::time::Duration;

use cacheado::backends::{Backend, BackendFuture, BackendResult, Lookup, Mark, Payload};
use cacheado::{Cache, Key, Scope};
use cacheado_tests::store::Client;
use cacheado_tests::within;
use futures::executor::block_on;

const KEYS: [&str; 3] = ["a", "be", "sea"];

/// A part fails once all others have been asked too, like a part that hangs until a timeout at the same time as they do.
struct Hangs {
    reads: bool,
    blocked: Barrier,
    waiting: Arc<AtomicUsize>,
}

impl Hangs {
    fn new(reads: bool) -> Self {
        Self {
            reads,
            blocked: Barrier::new(KEYS.len()),
            waiting: Arc::default(),
        }
    }

    fn is_one_part<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> bool {
        keys.map(|key| self.part(key))
            .collect::<BTreeSet<u32>>()
            .len()
            == 1
    }

    fn block<'k, T>(&self, keys: impl Iterator<Item = &'k Key>) -> BackendResult<T> {
        if self.is_one_part(keys) {
            self.blocked.wait();
        }
        Err("timed out".into())
    }

    fn wait<'k, T>(&self, keys: impl Iterator<Item = &'k Key>) -> BackendFuture<'static, T> {
        let waits = self.is_one_part(keys);
        let waiting = Arc::clone(&self.waiting);
        Box::pin(async move {
            if waits {
                waiting.fetch_add(1, Ordering::SeqCst);
                poll_fn(|cx| {
                    if waiting.load(Ordering::SeqCst) >= KEYS.len() {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            }
            Err("timed out".into())
        })
    }

    fn misses(keys: &[Key]) -> Vec<Lookup> {
        keys.iter().map(|_| Lookup::from(None)).collect()
    }
}

impl Backend for Hangs {
    fn name(&self) -> &'static str {
        "hangs"
    }

    fn part(&self, key: &Key) -> u32 {
        key.args().len() as u32
    }

    fn get(&self, _: &Key) -> BackendResult<Lookup> {
        Err("timed out".into())
    }

    fn set(&self, _: &Key, _: &Payload) -> BackendResult<()> {
        Err("timed out".into())
    }

    fn evict(&self, _: &Key) -> BackendResult<bool> {
        Err("timed out".into())
    }

    fn evict_by_scope(&self, _: &Scope) -> BackendResult<u64> {
        Err("timed out".into())
    }

    fn clear(&self) -> BackendResult<()> {
        Err("timed out".into())
    }

    fn get_many(&self, keys: &[Key]) -> BackendResult<Vec<Lookup>> {
        if self.reads {
            return Ok(Self::misses(keys));
        }
        self.block(keys.iter())
    }

    fn get_many_async<'a>(&'a self, keys: &'a [Key]) -> BackendFuture<'a, Vec<Lookup>> {
        if self.reads {
            return Box::pin(async { Ok(Self::misses(keys)) });
        }
        self.wait(keys.iter())
    }

    fn set_many(&self, entries: &[(Key, Payload)]) -> BackendResult<()> {
        self.block(entries.iter().map(|(key, _)| key))
    }

    fn set_many_async<'a>(&'a self, entries: &'a [(Key, Payload)]) -> BackendFuture<'a, ()> {
        self.wait(entries.iter().map(|(key, _)| key))
    }

    fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> BackendResult<Vec<bool>> {
        self.block(entries.iter().map(|(key, ..)| key))
    }

    fn fill_many_async<'a>(
        &'a self,
        entries: &'a [(Key, Payload, Mark)],
    ) -> BackendFuture<'a, Vec<bool>> {
        self.wait(entries.iter().map(|(key, ..)| key))
    }
}

fn load(missing: Vec<&'static str>) -> Vec<(&'static str, u32)> {
    missing.into_iter().map(|key| (key, 1)).collect()
}

/// Whether the store answers lookups, and an operation.
type Case = (bool, fn(&Cache));

const CASES: [Case; 6] = [
    (false, |cache| {
        let got = cache.get_many::<u32, _>(KEYS).run().unwrap();
        assert_eq!(got, [None; 3]);
    }),
    (false, |cache| {
        let got = block_on(cache.get_many::<u32, _>(KEYS).into_future());
        assert_eq!(got.unwrap(), [None; 3]);
    }),
    (false, |cache| {
        assert!(cache.set_many(KEYS.map(|key| (key, &1_u32))).run().is_err());
    }),
    (false, |cache| {
        let set = cache.set_many(KEYS.map(|key| (key, &1_u32)));
        assert!(block_on(set.into_future()).is_err());
    }),
    (true, |cache| {
        let got = cache.get_or_load_many(KEYS, load).run().unwrap();
        assert_eq!(got, [Some(1); 3]);
    }),
    (true, |cache| {
        let load = |missing| async { load(missing) };
        let got = block_on(cache.get_or_load_many(KEYS, load).into_future());
        assert_eq!(got.unwrap(), [Some(1); 3]);
    }),
];

#[test]
fn parts_are_asked_side_by_side() {
    for (reads, ask) in CASES {
        within(Duration::from_secs(60), move || {
            let cache = Cache::builder().backend(Hangs::new(reads)).build().unwrap();
            ask(&cache);
            // one for the whole, and one for each part
            assert_eq!(cache.stats().backend_errors, 4);
        });
    }
}

/// The first key is in the part that may be out, so asking for all keys in one request stops there.
const HALVED: [&str; 3] = ["sea", "a", "be"];

struct Halved {
    inner: Client,
    out: Arc<AtomicBool>,
}

impl Halved {
    fn reach(&self, key: &Key) -> BackendResult<()> {
        if self.out.load(Ordering::SeqCst) && self.part(key) == 1 {
            return Err("the node is out".into());
        }
        Ok(())
    }
}

impl Backend for Halved {
    fn name(&self) -> &'static str {
        "halved"
    }

    fn part(&self, key: &Key) -> u32 {
        let first = HALVED[0].as_bytes();
        u32::from(key.args().windows(first.len()).any(|part| part == first))
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        self.reach(key)?;
        self.inner.get(key)
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        self.reach(key)?;
        self.inner.set(key, payload)
    }

    fn mark(&self, key: &Key) -> BackendResult<Mark> {
        self.reach(key)?;
        self.inner.mark(key)
    }

    fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool> {
        self.reach(key)?;
        self.inner.fill(key, payload, mark)
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        self.reach(key)?;
        self.inner.evict(key)
    }

    fn evict_by_scope(&self, scope: &Scope) -> BackendResult<u64> {
        self.inner.evict_by_scope(scope)
    }

    fn clear(&self) -> BackendResult<()> {
        self.inner.clear()
    }
}

#[test]
fn one_that_is_out_takes_nothing_of_the_others_with_it() {
    for blocking in [true, false] {
        within(Duration::from_secs(60), move || {
            let client = Client::new();
            let out = Arc::new(AtomicBool::new(false));
            let halved = Halved {
                inner: client.clone(),
                out: Arc::clone(&out),
            };
            let cache = Cache::builder().backend(halved).build().unwrap();
            // sees only what is in the store
            let other = client.clone().builder().in_process(false).build().unwrap();
            let stored = || other.get_many::<u32, _>(HALVED).run().unwrap();
            let goes_out = |missing: Vec<&'static str>| {
                out.store(true, Ordering::SeqCst);
                load(missing)
            };
            let loaded = if blocking {
                cache.get_or_load_many(HALVED, goes_out).run()
            } else {
                let goes_out = |missing| std::future::ready(goes_out(missing));
                block_on(cache.get_or_load_many(HALVED, goes_out).into_future())
            };
            assert_eq!(loaded.unwrap(), [Some(1); 3]);
            assert_eq!(stored(), [None, Some(1), Some(1)]);

            other.set(HALVED[0], &0_u32).run().unwrap();
            let set = cache.set_many(HALVED.map(|key| (key, &2_u32)));
            let set = if blocking {
                set.run()
            } else {
                block_on(set.into_future())
            };
            assert!(set.is_err());
            assert_eq!(stored(), [Some(0), Some(2), Some(2)]);
            let found = cache.get_many::<u32, _>(HALVED).run().unwrap();
            assert_eq!(found, [Some(2); 3], "the process has them");
            let stats = cache.stats();
            assert!(stats.backend_errors >= 2, "{stats}");

            out.store(false, Ordering::SeqCst);
            while stored()[0].is_some() {
                // the older value is evicted once the part is back
                std::thread::yield_now();
            }
            assert_eq!(stored(), [None, Some(2), Some(2)]);
        });
    }
}

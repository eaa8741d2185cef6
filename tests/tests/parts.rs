//! A store all of whose parts hang: what is asked for many keys takes as long as one of them does, not as long as one after the other.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::time::Duration;

use cacheado::backends::{Backend, BackendFuture, BackendResult, Lookup, Mark, Payload};
use cacheado::{Cache, Key, Scope};
use cacheado_tests::within;
use futures::executor::block_on;

const KEYS: [&str; 3] = ["a", "be", "sea"];

/// A part answers that it is out once the others have been asked as well: as one that hangs does in the same time as they.
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

/// An operation, and whether the store answers look-ups.
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
            // the whole, and each of the parts
            assert_eq!(cache.stats().backend_errors, 4);
        });
    }
}

//! The source that is cached.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cacheado::{Cache, cache, evict, peek, put};
use futures::executor::block_on;

use crate::passing::Points;

/// The current truth, and the points of the load that reads it.
#[derive(Clone, Default)]
pub struct Source {
    pub truth: Arc<AtomicU32>,
    pub points: Arc<Points>,
}

impl Source {
    /// The same truth without points, for other callers.
    pub fn aside(&self) -> Self {
        Self {
            truth: Arc::clone(&self.truth),
            points: Arc::default(),
        }
    }

    fn read(&self) -> u32 {
        self.points.pass();
        let truth = self.truth.load(Ordering::SeqCst);
        self.points.pass();
        truth
    }
}

#[cache(ttl = 60, stale = 60, single_flight = "cluster", cache = cache, skip(cache, source))]
fn truth(cache: &Cache, source: &Source, nth: usize) -> u32 {
    let _ = cache;
    source.read()
}

#[cache(ttl = 60, stale = 60, single_flight = "cluster", cache = cache, skip(cache, source))]
async fn truth_async(cache: &Cache, source: &Source, nth: usize) -> u32 {
    let _ = cache;
    source.read()
}

/// How a key is requested and evicted.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Blocking,
    Async,
}

impl Way {
    pub fn ask(self, cache: &Cache, source: &Source, nth: usize) -> u32 {
        match self {
            Self::Blocking => truth(cache, source, nth),
            Self::Async => block_on(truth_async(cache, source, nth)),
        }
    }

    pub fn evict(self, cache: &Cache, source: &Source, nth: usize) {
        match self {
            Self::Blocking => evict!(truth(cache, source, nth)).unwrap(),
            Self::Async => {
                block_on(async { evict!(truth_async(cache, source, nth)).await.unwrap() })
            }
        };
    }

    pub fn put(self, cache: &Cache, source: &Source, nth: usize) {
        match self {
            Self::Blocking => put!(truth(cache, source, nth), 1).unwrap(),
            Self::Async => {
                block_on(async { put!(truth_async(cache, source, nth), 1).await.unwrap() })
            }
        };
    }

    pub fn peek(self, cache: &Cache, source: &Source, nth: usize) -> Option<u32> {
        match self {
            Self::Blocking => peek!(truth(cache, source, nth)).unwrap(),
            Self::Async => {
                block_on(async { peek!(truth_async(cache, source, nth)).await.unwrap() })
            }
        }
    }
}

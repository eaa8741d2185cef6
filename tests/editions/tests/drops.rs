//! What a body has is dropped in the order of its author's edition: until 2024, what its last expression borrows from goes after its
//! locals.

use std::cell::RefCell;

use cacheado::{cache, cache_evict};
use futures::executor::block_on;

thread_local!(static DROPPED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) });

struct Noisy(&'static str);

impl Noisy {
    fn value(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Noisy {
    fn drop(&mut self) {
        DROPPED.with_borrow_mut(|dropped| dropped.push(self.0));
    }
}

fn plain(_id: u32) -> usize {
    let _local = Noisy("local");
    Noisy("temporary").value()
}

#[cache]
fn cached(_id: u32) -> usize {
    let _local = Noisy("local");
    Noisy("temporary").value()
}

#[cache]
async fn cached_async(_id: u32) -> usize {
    let _local = Noisy("local");
    Noisy("temporary").value()
}

#[cache(ttl = 60, stale = 60)]
fn owned(_id: u32) -> usize {
    let _local = Noisy("local");
    Noisy("temporary").value()
}

#[cache(ttl = 60, stale = 60)]
async fn owned_async(_id: u32) -> usize {
    let _local = Noisy("local");
    Noisy("temporary").value()
}

#[cache_evict(cached(id))]
fn evicts(id: u32) -> usize {
    let _local = Noisy("local");
    Noisy("temporary").value()
}

#[cache_evict(cached(id))]
async fn evicts_async(id: u32) -> usize {
    let _local = Noisy("local");
    Noisy("temporary").value()
}

#[test]
fn temporaries_go_after_locals() {
    let dropped = |call: &dyn Fn() -> usize| {
        assert_eq!(call(), 9);
        DROPPED.take()
    };
    let expected = dropped(&|| plain(1));
    assert_eq!(expected, ["local", "temporary"]);
    assert_eq!(dropped(&|| cached(1)), expected);
    assert_eq!(dropped(&|| block_on(cached_async(1))), expected);
    assert_eq!(dropped(&|| owned(1)), expected);
    assert_eq!(dropped(&|| block_on(owned_async(1))), expected);
    assert_eq!(dropped(&|| evicts(1)), expected);
    assert_eq!(dropped(&|| block_on(evicts_async(1))), expected);
}

//! Installing a default cache after the first use has made one. Runs in a process of its own.

use cacheado::{Cache, Error, cache, default_cache};

#[cache]
fn square(x: u32) -> u32 {
    x * x
}

#[test]
fn a_function_that_has_run_has_settled_on_a_default() {
    assert_eq!(square(3), 9);
    let late = Cache::builder().name("late").build().unwrap();
    assert!(matches!(late.install(), Err(Error::AlreadyInstalled)));
    assert_eq!(square(3), 9);
    let stats = default_cache().stats();
    assert_eq!((stats.hits, &*stats.storage_type), (1, "in-process"));
}

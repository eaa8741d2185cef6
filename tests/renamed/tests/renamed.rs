//! A crate that has renamed the library, and one that uses that crate's scopes.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cache_lib::{Cache, cache, default_cache, evict, peek};
use cacheado_renamed::{Square, forget, greeting, put, tenancy};

/// In a hierarchy that another crate has declared.
#[cache(scope = "organization", scopes = cacheado_renamed::tenancy, cache = cache, skip(cache))]
fn members(cache: &Cache, org_id: &str) -> Vec<u64> {
    let _ = cache;
    vec![org_id.len() as u64]
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ready) => ready,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[test]
fn all_macros_find_the_library_by_its_other_name() -> cache_lib::Result<()> {
    assert_eq!(greeting("acme", 7), greeting("acme", 7));
    assert!(peek!(greeting("acme", 7))?.is_some());
    now(forget("acme", 7)).unwrap_or_else(|never| match never {});
    assert_eq!(peek!(greeting("acme", 7))?, None);
    assert_eq!(put("text"), Some("text".to_owned()));
    assert_eq!((Square::of(3), Square::of(3)), (9, 9));
    assert!(evict!(Square::of(3))?);
    let stats = default_cache().stats();
    assert_eq!((stats.hits, stats.misses, stats.loads), (2, 2, 3));
    Ok(())
}

#[test]
fn scopes_can_be_another_crates() -> cache_lib::Result<()> {
    let cache = Cache::builder().scopes(tenancy::hierarchy()).build()?;
    assert_eq!(members(&cache, "acme"), members(&cache, "acme"));
    assert_eq!(
        cache.evict_by_scope(tenancy::organization("acme")).run()?,
        1
    );
    assert_eq!(
        cache
            .evict_by_scope(cache.scope("organization", [("org_id", "acme")])?)
            .run()?,
        0
    );
    Ok(())
}

//! Having what is under a key count as past its lifetime.

use cacheado_backends::memory::Dropped;
use cacheado_backends::{Entry, Key, Result};

use super::Again;
use crate::cache::Cache;
use crate::shared::{Eviction, Found, Wanted};
use crate::value::ValueType;
use crate::way::Way;

/// What the process has under `key` is good no more, but may stand in for a value that can't be had; if it has no such part of its
/// lifetime, it goes. Answers whether it was good.
fn expire_local(cache: &Cache, key: &Key, values: &ValueType) -> bool {
    let now = cache.clock().now();
    let expire = |entry: Entry<'_>| {
        let age = values.age(entry)?;
        let outlives = entry.deadline() > age.end();
        outlives.then(|| age.expire(now))
    };
    // dropped where no lock is held
    let mut dropped = Dropped::new();
    cache.flights().invalidate(key, || {
        let expired = cache.store().peek_key(key, expire).flatten();
        expired.unwrap_or_else(|| {
            // an error that is kept is none
            let was_good = values.has_good(cache, key);
            cache.store().remove(key, &mut dropped) && was_good
        })
    })
}

/// Whether what was found in the shared tier is good: its eviction says no more than that there was something, which may only stand in.
fn was_good(found: Result<Option<Found>>) -> bool {
    found.is_ok_and(|found| found.is_some_and(|found| !found.is_stale()))
}

/// The shared tier keeps nothing of what is expired: other processes would go on to serve it.
pub(crate) async fn expire_key(
    way: Way,
    cache: &Cache,
    key: &Key,
    values: &ValueType,
) -> Result<bool> {
    let expire = || expire_local(cache, key, values);
    let Some((tier, codec)) = cache.shared_for(key, values.codec) else {
        return Ok(expire());
    };
    // asked first: of a caller who goes away from there, nothing is expired by half
    let mut expired =
        values.has_good(cache, key) || was_good(tier.get(way, key, codec, Wanted::Value).await);
    expired |= tier.after(|| Eviction::Key(key.clone()), expire);
    let again = Again::new(expire);
    let shared = tier.evict(way, key).await;
    expired |= again.now();
    shared.map(|_| expired)
}

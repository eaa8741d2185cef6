//! Expiring a key: its entry counts as past its lifetime.

use cacheado_backends::memory::Dropped;
use cacheado_backends::{Entry, Key, Result};

use super::Again;
use crate::cache::Cache;
use crate::shared::{Eviction, Found, Wanted};
use crate::value::ValueType;
use crate::way::Way;

/// Ends the fresh part of the value's lifetime in this process: it may then only stand in for a value that can't be loaded. An entry
/// without a stale part is removed. Returns whether the value was good.
fn expire_local(cache: &Cache, key: &Key, values: &ValueType) -> bool {
    let now = cache.clock().now();
    let expire = |entry: Entry<'_>| {
        let age = values.age(entry)?;
        let outlives = entry.deadline() > age.end();
        outlives.then(|| age.expire(now))
    };
    // dropped outside the locks
    let mut dropped = Dropped::new();
    cache.flights().invalidate(key, || {
        let expired = cache.store().peek_key(key, expire).flatten();
        expired.unwrap_or_else(|| {
            // a kept error is not a good value
            let was_good = values.has_good(cache, key);
            cache.store().remove(key, &mut dropped) && was_good
        })
    })
}

/// Whether a value found in the shared tier is good. The result of its eviction would not tell: the entry may have been stale.
fn was_good(found: Result<Option<Found>>) -> bool {
    found.is_ok_and(|found| found.is_some_and(|found| !found.is_stale()))
}

/// Expires `key` in this process and removes it from the shared tier, where other processes would go on serving it. Returns whether
/// the value was good.
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
    // asked first: if the caller goes away here, nothing has been expired by half
    let mut expired =
        values.has_good(cache, key) || was_good(tier.get(way, key, codec, Wanted::Value).await);
    expired |= tier.after(|| Eviction::Key(key.clone()), expire);
    let again = Again::new(expire);
    let shared = tier.evict(way, key).await;
    expired |= again.now();
    shared.map(|_| expired)
}

//! Evicting and expiring keys, for all callers: operations, verbs, loads and puts.
//!
//! The process is evicted first and last. So its entry is not served while the shared tier is being asked, and a copy that a lookup
//! makes from there meanwhile goes too.

mod expire;
mod gone;
mod several;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use cacheado_backends::memory::Dropped;
use cacheado_backends::{Key, Result};

use crate::cache::Cache;
use crate::shared::{Eviction, SharedTier};
use crate::way::Way;

pub(crate) use expire::expire_key;
pub(crate) use gone::{Again, in_drop};
pub(crate) use several::{Evictions, Filling};

/// Removes the entry under `key` from the process. Returns whether there was a live one.
pub(crate) fn evict_local(cache: &Cache, key: &Key) -> bool {
    // dropped outside the locks
    let mut dropped = Dropped::new();
    let remove = || cache.store().remove(key, &mut dropped);
    cache.flights().invalidate(key, remove)
}

/// Runs `store`, which stores a value under `key` that is newer than the one in `tier`, if there is a tier. If a rule or the
/// destructor of the replaced value panics, the tier's entry is evicted as soon as possible, and the panic is resumed.
pub(crate) fn or_evict<R>(
    cache: &Cache,
    key: &Key,
    tier: Option<&SharedTier>,
    store: impl FnOnce() -> R,
) -> R {
    let Some(tier) = tier else {
        return store();
    };
    catch_unwind(AssertUnwindSafe(store)).unwrap_or_else(|panic| {
        tier.evict_later(key);
        // for what a lookup copied from the tier meanwhile
        let _ = catch_unwind(AssertUnwindSafe(|| evict_local(cache, key)));
        resume_unwind(panic)
    })
}

/// The shared tier, if it can have an entry under `key`. `portable`: the function's values can go there.
fn tier_of<'a>(cache: &'a Cache, key: &Key, portable: bool) -> Option<&'a SharedTier> {
    cache.shared().filter(|_| portable && cache.can_share(key))
}

/// Removes the entry under `key` everywhere. `portable`: the function's values can go to the shared tier. Returns whether there was
/// one.
pub(crate) async fn evict_key(way: Way, cache: &Cache, key: &Key, portable: bool) -> Result<bool> {
    let Some(tier) = tier_of(cache, key, portable) else {
        return Ok(evict_local(cache, key));
    };
    let mut removed = tier.after(|| Eviction::Key(key.clone()), || evict_local(cache, key));
    let again = Again::new(|| evict_local(cache, key));
    let shared = tier.evict(way, key).await;
    removed |= again.now();
    removed |= shared?;
    Ok(removed)
}

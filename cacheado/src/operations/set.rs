//! Storing a value.

use std::time::Duration;

use cacheado_backends::memory::Inserted;
use cacheado_backends::{Key, Result, Scope};
use serde::Serialize;

use super::{Begun, Operation, awaitable, key};
use crate::cache::Cache;
use crate::outcome::{Codec, Portable};

/// [`Cache::set`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct Set<'a, T, K> {
    cache: &'a Cache,
    key: K,
    value: &'a T,
    scope: Scope,
    ttl: Option<Duration>,
}

impl<'a, T: Portable, K: Serialize> Set<'a, T, K> {
    pub(crate) fn new(cache: &'a Cache, key: K, value: &'a T) -> Self {
        Self {
            cache,
            key,
            value,
            scope: Scope::global(),
            ttl: None,
        }
    }

    /// For which tenant; the global scope if not given.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// How long it lives; until evicted if not given, or if it is [`Duration::MAX`]. Zero: it is not stored, and what was
    /// stored under the key goes.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Stores it. Answers whether it was stored.
    ///
    /// # Errors
    ///
    /// [`Error::Key`](crate::Error::Key) if the key fails to serialize, and what the shared tier said if that failed; the
    /// process has the value all the same.
    pub fn run(self) -> Result<bool> {
        if !self.cache.is_enabled() {
            return Ok(false);
        }
        let key = key(&self.scope, &self.key)?;
        put(self.cache, &key, Some(Codec::new()), self.value, self.ttl)
    }
}

/// Stores `value` in the process, over any load that is under way. `None`: it was not to be stored.
fn put_local<T: crate::outcome::Value>(
    cache: &Cache,
    key: &Key,
    portable: bool,
    value: &T,
    ttl: Option<Duration>,
) -> Option<Option<Duration>> {
    let copy = value.clone();
    match cache
        .flights()
        .invalidate(key, || cache.store_local(key, copy, ttl, portable))
    {
        Inserted::Stored(lifetime) => Some(lifetime),
        Inserted::Rejected(_) | Inserted::Ephemeral => None,
    }
}

pub(crate) fn put<T: crate::outcome::Value>(
    cache: &Cache,
    key: &Key,
    codec: Option<Codec<T>>,
    value: &T,
    ttl: Option<Duration>,
) -> Result<bool> {
    let stored = put_local(cache, key, codec.is_some(), value, ttl);
    if let (Some(tier), Some(codec)) = (cache.shared(), codec) {
        match stored.and_then(|lifetime| tier.seal_or_count(key, codec, value, lifetime)) {
            Some(payload) => tier.set(key, &payload)?,
            None => _ = tier.evict(key)?,
        }
    }
    Ok(stored.is_some())
}

pub(crate) async fn put_async<T: crate::outcome::Value>(
    cache: &Cache,
    key: &Key,
    codec: Option<Codec<T>>,
    value: &T,
    ttl: Option<Duration>,
) -> Result<bool> {
    let stored = put_local(cache, key, codec.is_some(), value, ttl);
    if let (Some(tier), Some(codec)) = (cache.shared(), codec) {
        match stored.and_then(|lifetime| tier.seal_or_count(key, codec, value, lifetime)) {
            Some(payload) => tier.set_async(key, &payload).await?,
            None => _ = tier.evict_async(key).await?,
        }
    }
    Ok(stored.is_some())
}

impl<'a, T: Portable, K: Serialize> Operation<'a> for Set<'a, T, K> {
    type Output = Result<bool>;

    fn begin(self) -> Begun<'a, Result<bool>> {
        let Self {
            cache, value, ttl, ..
        } = self;
        if !cache.is_enabled() {
            return Begun::Done(Ok(false));
        }
        match key(&self.scope, &self.key) {
            Err(error) => Begun::Done(Err(error)),
            Ok(key) if cache.shared().is_none() => {
                Begun::Done(put(cache, &key, Some(Codec::new()), value, ttl))
            }
            Ok(key) => Begun::Waits(Box::pin(async move {
                put_async(cache, &key, Some(Codec::new()), value, ttl).await
            })),
        }
    }
}

awaitable!(Set<'a, T: Portable, K: Serialize> -> bool);

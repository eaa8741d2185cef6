//! Storing a value.

use std::time::Duration;

use cacheado_backends::{Result, Scope};
use serde::Serialize;

use super::{Begun, Operation, awaitable, key};
use crate::cache::Cache;
use crate::outcome::Storable;
use crate::put::Put;
use crate::value::{AnyValue, Typed, ValueType};
use crate::way::{Way, blocking};

/// [`Cache::set`], to be refined and carried out.
#[must_use = "an operation does nothing until `.run()` or `.await`"]
pub struct Set<'a, K> {
    cache: &'a Cache,
    key: K,
    value: &'a AnyValue,
    values: &'static ValueType,
    scope: Scope,
    ttl: Option<Duration>,
}

impl<'a, K: Serialize> Set<'a, K> {
    pub(crate) fn new<T: Storable>(cache: &'a Cache, key: K, value: &'a T) -> Self {
        Self {
            cache,
            key,
            value,
            values: Typed::<T>::PORTABLE.values,
            scope: Scope::global(),
            ttl: None,
        }
    }

    /// The scope of the key; global by default.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// How long the value lives; without it, or with [`Duration::MAX`], until evicted. With zero it is not stored, and what was stored
    /// under the key is removed.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Stores the value. Returns whether it was stored.
    ///
    /// # Errors
    ///
    /// [`Error::Key`](crate::Error::Key) if the key fails to serialize. With a shared tier, [`Error::Codec`](crate::Error::Codec) if
    /// the value can't be encoded for it, and [`Error::Backend`](crate::Error::Backend), with what the tier said, if it failed; in
    /// these two cases the process has the value all the same.
    pub fn run(self) -> Result<bool> {
        if !self.cache.is_enabled() {
            return Ok(false);
        }
        let put = self.put()?;
        blocking(|way| put.run(way, self.value))
    }

    fn put(&self) -> Result<Put> {
        let key = key(&self.scope, &self.key)?;
        Ok(Put {
            cache: self.cache.clone(),
            key,
            values: self.values,
            span: self.cache.aging_of(None).span(self.ttl),
        })
    }
}

impl<'a, K: Serialize> Operation<'a> for Set<'a, K> {
    type Output = Result<bool>;

    fn begin(self) -> Begun<'a, Result<bool>> {
        if self.cache.shared().is_none() || !self.cache.is_enabled() {
            return Begun::Done(self.run());
        }
        let value = self.value;
        match self.put() {
            Err(error) => Begun::Done(Err(error)),
            Ok(put) => Begun::Waits(Box::pin(async move { put.run(Way::Async, value).await })),
        }
    }
}

awaitable!(Set<'a, K: Serialize> -> bool);

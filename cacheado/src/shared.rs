//! The shared tier: a backend, and what is wrapped around a value that goes there.
//!
//! What comes back is checked against what was asked for: another format, another key, another type is a miss.

use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::backend::{BackendResult, Lookup, Payload};
use cacheado_backends::envelope::{Compression, Envelope, Opened, next_generation};
use cacheado_backends::{Backend, Error, Key, Result, Scope};

use crate::counters::{Counters, Event};
use crate::value::{AnyValue, Codec, Encoded};

/// What the shared tier is told of a key.
pub(crate) enum Write {
    /// To hold this.
    Set(Payload),
    /// To hold nothing: there is a newer value, which is not to be stored or can't be.
    Evict,
}

/// A value of the tier, of the type that was asked for, and what is left of its lifetime.
pub(crate) type Found = (Box<AnyValue>, Option<Duration>);

pub(crate) struct SharedTier {
    backend: Box<dyn Backend>,
    /// The cache's name.
    name: String,
    compression: Compression,
    counters: Arc<Counters>,
}

impl SharedTier {
    pub(crate) fn new(
        mut backend: Box<dyn Backend>,
        name: String,
        compression: Compression,
        counters: Arc<Counters>,
    ) -> Self {
        backend.bind(&name);
        Self {
            backend,
            name,
            compression,
            counters,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.backend.name()
    }

    /// Counts and traces what the backend said, and turns it into the crate's error.
    fn failed(
        &self,
        key: Option<&Key>,
        operation: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> Error {
        let space = key.map_or_else(
            || cacheado_backends::Space::programmatic(cacheado_backends::Level::global()),
            Key::space,
        );
        self.counters.count(space, Event::BackendError);
        let error = Error::Backend {
            backend: self.backend.name().to_owned(),
            operation,
            source: source.into(),
        };
        tracing::warn!(%error, "the shared tier failed");
        error
    }

    /// `value` as it goes to the tier.
    ///
    /// # Errors
    ///
    /// [`Error::Codec`] for one that can't be encoded, which is counted and traced. The tier is to hold nothing, then.
    pub(crate) fn seal(
        &self,
        key: &Key,
        codec: Codec,
        value: &AnyValue,
        lifetime: Option<Duration>,
    ) -> Result<Write> {
        let type_name = (codec.type_name)();
        match (codec.encode)(value) {
            Ok(encoded) => {
                let generation = next_generation();
                tracing::trace!(%key, generation, "sealed for the shared tier");
                let envelope = Envelope {
                    cache: &self.name,
                    key,
                    type_name,
                    shape: encoded.shape,
                    lifetime,
                    generation,
                    value: &encoded.bytes,
                };
                Ok(Write::Set(Payload {
                    bytes: envelope.seal(self.compression).into(),
                    lifetime,
                }))
            }
            Err(message) => {
                self.counters.count(key.space(), Event::BackendError);
                let error = Error::Codec {
                    type_name,
                    direction: "encoded",
                    message,
                };
                tracing::warn!(%error, "a value can't go to the shared tier");
                Err(error)
            }
        }
    }

    /// The value in `payload`; `None` if it is not what was stored under `key`, which is counted and traced.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`] if it was stored as another type.
    fn open(&self, key: &Key, codec: Codec, payload: &Payload) -> Result<Option<Found>> {
        if payload.lifetime == Some(Duration::ZERO) {
            return Ok(None);
        }
        let opened = Opened::open(&payload.bytes, &self.name, key);
        let requested = (codec.type_name)();
        if let Some(Opened { type_name, .. }) =
            opened.filter(|opened| opened.type_name != requested)
        {
            return Err(Error::TypeMismatch {
                key: key.to_string(),
                stored: type_name.to_owned(),
                requested,
            });
        }
        let found = opened.and_then(|opened| {
            let bytes = opened.value()?;
            let encoded = Encoded {
                bytes: &*bytes,
                shape: opened.shape,
            };
            let value = (codec.decode)(encoded).ok()?;
            tracing::trace!(%key, generation = opened.generation, "found in the shared tier");
            // nothing has more left than it was given
            let lifetimes = [payload.lifetime, opened.lifetime];
            Some((value, lifetimes.into_iter().flatten().min()))
        });
        if found.is_none() {
            self.counters.count(key.space(), Event::BackendError);
            tracing::warn!(%key, "what the shared tier holds under this key is not what was stored: taken as a miss");
        }
        Ok(found)
    }

    /// What a read that failed comes to: a miss, which has been counted and traced.
    fn opened(
        &self,
        key: &Key,
        codec: Codec,
        found: BackendResult<Lookup>,
    ) -> Result<Option<Found>> {
        match found {
            Ok(Lookup::Miss(_)) => Ok(None),
            Ok(Lookup::Hit(payload)) => self.open(key, codec, &payload),
            Err(source) => {
                self.failed(Some(key), "get", source);
                Ok(None)
            }
        }
    }

    /// What the tier has under `key`, and for how long. One that fails has nothing.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`] if it has a value of another type.
    pub(crate) fn get(&self, key: &Key, codec: Codec) -> Result<Option<Found>> {
        self.opened(key, codec, self.backend.get(key))
    }

    /// As [`get`](Self::get), without blocking.
    pub(crate) async fn get_async(&self, key: &Key, codec: Codec) -> Result<Option<Found>> {
        let found = self.backend.get_async(key).await;
        self.opened(key, codec, found)
    }

    pub(crate) fn write(&self, key: &Key, write: &Write) -> Result<()> {
        match write {
            Write::Set(payload) => self
                .backend
                .set(key, payload)
                .map_err(|source| self.failed(Some(key), "set", source)),
            Write::Evict => self.evict(key).map(drop),
        }
    }

    pub(crate) async fn write_async(&self, key: &Key, write: &Write) -> Result<()> {
        match write {
            Write::Set(payload) => {
                let set = self.backend.set_async(key, payload).await;
                set.map_err(|source| self.failed(Some(key), "set", source))
            }
            Write::Evict => self.evict_async(key).await.map(drop),
        }
    }

    pub(crate) fn evict(&self, key: &Key) -> Result<bool> {
        self.backend
            .evict(key)
            .map_err(|source| self.failed(Some(key), "evict", source))
    }

    pub(crate) async fn evict_async(&self, key: &Key) -> Result<bool> {
        self.backend
            .evict_async(key)
            .await
            .map_err(|source| self.failed(Some(key), "evict", source))
    }

    pub(crate) fn evict_by_scope(&self, scope: &Scope) -> Result<u64> {
        self.backend
            .evict_by_scope(scope)
            .map_err(|source| self.failed(None, "evict by scope", source))
    }

    pub(crate) async fn evict_by_scope_async(&self, scope: &Scope) -> Result<u64> {
        let evicted = self.backend.evict_by_scope_async(scope).await;
        evicted.map_err(|source| self.failed(None, "evict by scope", source))
    }

    pub(crate) fn clear(&self) -> Result<()> {
        self.backend
            .clear()
            .map_err(|source| self.failed(None, "clear", source))
    }

    pub(crate) async fn clear_async(&self) -> Result<()> {
        self.backend
            .clear_async()
            .await
            .map_err(|source| self.failed(None, "clear", source))
    }
}

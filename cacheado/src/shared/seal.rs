//! Values as they lie in the tier, and back. What comes back is checked against what was asked for: another form, another key,
//! another type is a miss.

use std::time::Duration;

use cacheado_backends::backend::Payload;
use cacheado_backends::envelope::{Envelope, Opened, next_generation};
use cacheado_backends::{Error, Key, Result};

use super::SharedTier;
use crate::counters::Event;
use crate::value::{AnyValue, Codec, Encoded};

/// A value of the tier, of the type that was asked for, and what is left of its lifetime.
pub(crate) type Found = (Box<AnyValue>, Option<Duration>);

impl SharedTier {
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
    ) -> Result<Payload> {
        let type_name = (codec.type_name)();
        match (codec.encode)(value) {
            Ok(encoded) => {
                let generation = next_generation();
                tracing::trace!(%key, generation, "sealed for the shared tier");
                let envelope = Envelope {
                    cache: &self.name,
                    key: &self.outside(key),
                    type_name,
                    shape: encoded.shape,
                    lifetime,
                    generation,
                    value: &encoded.bytes,
                };
                Ok(Payload {
                    bytes: envelope.seal(self.compression).into(),
                    lifetime,
                })
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

    /// The value in `payload`; `None` if it is not what was stored under `outside`, which is counted and traced.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`] if it was stored as another type.
    pub(super) fn open(
        &self,
        outside: &Key,
        codec: Codec,
        payload: &Payload,
    ) -> Result<Option<Found>> {
        if payload.lifetime == Some(Duration::ZERO) {
            return Ok(None);
        }
        let opened = Opened::open(&payload.bytes, &self.name, outside);
        let requested = (codec.type_name)();
        if let Some(Opened { type_name, .. }) =
            opened.filter(|opened| opened.type_name != requested)
        {
            return Err(Error::TypeMismatch {
                key: outside.to_string(),
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
            tracing::trace!(key = %outside, generation = opened.generation, "found in the shared tier");
            // nothing has more left than it was given
            let lifetimes = [payload.lifetime, opened.lifetime];
            Some((value, lifetimes.into_iter().flatten().min()))
        });
        if found.is_none() {
            self.counters.count(outside.space(), Event::BackendError);
            tracing::warn!(key = %outside, "what the shared tier holds under this key is not what was stored: taken as a miss");
        }
        Ok(found)
    }
}

//! Values as they lie in the tier, and back. What comes back is checked against what was asked for: another form, another key,
//! another type is a miss.

use std::time::Duration;

use cacheado_backends::backend::Payload;
use cacheado_backends::{Error, Key, Result};

use super::SharedTier;
use crate::counters::Event;
use crate::envelope::Envelope;
use crate::value::{AnyValue, Codec};

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
        let outside = self.outside(key);
        let scope = outside.scope();
        let type_name = (codec.type_name)();
        let sealed = (codec.encode)(value).and_then(|encoded| {
            Envelope::around(&self.name, &outside, &scope, type_name, &encoded).to_bytes()
        });
        match sealed {
            Ok(bytes) => Ok(Payload {
                bytes: bytes.into(),
                lifetime,
            }),
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
        let envelope = Envelope::from_bytes(&payload.bytes);
        let envelope = envelope.filter(|envelope| envelope.is_for(&self.name, outside));
        let requested = (codec.type_name)();
        if let Some(Envelope { type_name, .. }) = envelope
            .as_ref()
            .filter(|envelope| envelope.type_name != requested)
        {
            return Err(Error::TypeMismatch {
                key: outside.to_string(),
                stored: type_name.to_string(),
                requested,
            });
        }
        let value = envelope.and_then(|envelope| (codec.decode)(envelope.value()).ok());
        if value.is_none() {
            self.counters.count(outside.space(), Event::BackendError);
            tracing::warn!(key = %outside, "what the shared tier holds under this key is not what was stored: taken as a miss");
        }
        Ok(value.map(|value| (value, payload.lifetime)))
    }
}

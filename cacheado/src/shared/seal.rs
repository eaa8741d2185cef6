//! Converts values to and from the format of the shared tier. What is read back is checked against the request: another format,
//! another key or another type is a miss.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cacheado_backends::backend::Payload;
use cacheado_backends::envelope::{Envelope, Opened, next_generation};
use cacheado_backends::{Error, Key, Result};

use super::SharedTier;
use crate::aging::{Aging, Span};
use crate::counters::Event;
use crate::repeats::warn_seldom;
use crate::value::{AnyValue, Codec, Encoded};

/// A value from the tier, of the requested type.
pub(crate) struct Found {
    pub(crate) value: Box<AnyValue>,
    /// The remaining lifetime, including the stale part; `None`: it lives until evicted.
    left: Option<Duration>,
    /// The length of the stale part, in which the value only stands in for another.
    stale: Duration,
    /// The whole lifetime with which it was stored.
    whole: Option<Duration>,
}

impl Found {
    /// The remaining time in which the value is fresh.
    fn fresh(&self) -> Option<Duration> {
        self.left.map(|left| left.saturating_sub(self.stale))
    }

    /// Whether its lifetime ends with a stale part.
    pub(super) fn may_be_stale(&self) -> bool {
        !self.stale.is_zero()
    }

    /// Whether it is stale: it only stands in for another value.
    pub(crate) fn is_stale(&self) -> bool {
        self.fresh() == Some(Duration::ZERO)
    }

    /// Whether it stays fresh for longer than a value that has `left`, by more than the stores' clocks may be off.
    pub(crate) fn outlives(&self, left: Duration) -> bool {
        let margin = self.whole.unwrap_or_default() / 16;
        self.fresh().is_none_or(|fresh| fresh > left + margin)
    }

    /// The lifetime of a copy in the process, where values age as `aging` says.
    pub(crate) fn span(&self, aging: &Aging) -> Span {
        let whole = self.whole.map(|whole| whole.saturating_sub(self.stale));
        let left = self.left.unwrap_or_default();
        aging.span_of_rest(self.fresh(), whole, self.stale.min(left))
    }
}

impl SharedTier {
    /// Encodes `value` for the tier. `lifetime` is all of `span`, or what the rules have left of it.
    ///
    /// # Errors
    ///
    /// [`Error::Codec`] for a value that can't be encoded, which is counted and traced. The tier must then hold nothing.
    pub(crate) fn seal(
        &self,
        key: &Key,
        codec: Codec,
        value: &AnyValue,
        lifetime: Option<Duration>,
        span: &Span,
    ) -> Result<Payload> {
        let type_name = (codec.type_name)();
        let lifetime = span.outside(lifetime);
        match guarded(|| (codec.encode)(value)) {
            Ok(encoded) => {
                let generation = next_generation();
                tracing::trace!(%key, generation, "sealed for the shared tier");
                let envelope = Envelope {
                    cache: &self.name,
                    key: &self.outside(key),
                    type_name,
                    shape: encoded.shape,
                    lifetime,
                    stale: span.stale_within(lifetime),
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
                let due = self.repeats.due(error.to_string());
                warn_seldom!(due, %error, "a value can't go to the shared tier");
                Err(error)
            }
        }
    }

    /// Decodes the value in `payload`; `None` if it is not what was stored under `outside`, which is counted and traced.
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
        let requested = (codec.type_name)();
        let found = match Opened::open(&payload.bytes, &self.name, outside) {
            None => "it is not what was stored under this key".to_owned(),
            Some(Opened { type_name, .. }) if type_name != requested => {
                return Err(Error::TypeMismatch {
                    key: outside.to_string(),
                    stored: type_name.to_owned(),
                    requested,
                });
            }
            Some(opened) => match decoded(outside, codec, payload, &opened) {
                Ok(found) => return Ok(Some(found)),
                Err(message) => message,
            },
        };
        self.counters.count(outside.space(), Event::BackendError);
        let due = self.repeats.due((outside.space().id(), requested, &found));
        warn_seldom!(due, key = %outside, type_name = requested, found, "what the shared tier holds is taken as a miss");
        Ok(None)
    }
}

/// Decodes the value of an opened envelope that was stored under `outside`.
///
/// # Errors
///
/// Why it can't be read.
fn decoded(
    outside: &Key,
    codec: Codec,
    payload: &Payload,
    opened: &Opened<'_>,
) -> std::result::Result<Found, String> {
    let bytes = opened.value().ok_or("its compression is unknown here")?;
    let encoded = Encoded {
        bytes: &*bytes,
        shape: opened.shape,
    };
    let value = guarded(|| (codec.decode)(encoded))?;
    tracing::trace!(key = %outside, generation = opened.generation, "found in the shared tier");
    // the remaining lifetime is never longer than the stored one
    let lifetimes = [payload.lifetime, opened.lifetime];
    Ok(Found {
        value,
        left: lifetimes.into_iter().flatten().min(),
        stale: opened.stale,
        whole: opened.lifetime,
    })
}

/// Runs code of the user's serde implementations. A panic, perhaps over data of another build, becomes an error. Otherwise each call
/// that meets the value would panic again.
fn guarded<R>(
    serde: impl FnOnce() -> std::result::Result<R, String>,
) -> std::result::Result<R, String> {
    let caught = catch_unwind(AssertUnwindSafe(serde));
    caught.unwrap_or_else(|_| Err("its `Serialize` or `Deserialize` panicked".to_owned()))
}

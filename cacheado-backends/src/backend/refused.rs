//! The error of a store that works and refused an operation.

use std::error::Error;
use std::fmt;

/// The store answered that it refuses the operation: its memory is full, the value is too large, something else is under the key. This
/// is not an outage: however often it occurs, the store is asked again. Any other error counts as an outage.
///
/// ```
/// use cacheado::backends::{BackendResult, Payload, Refused};
///
/// fn check(payload: &Payload) -> BackendResult<()> {
///     match payload.bytes.len() {
///         0..=1_000_000 => Ok(()),
///         len => Err(Refused::new(format!("{len} bytes are more than the store takes")).into()),
///     }
/// }
/// # let of = |len| Payload { bytes: vec![0; len].into(), lifetime: None };
/// # assert!(check(&of(1)).is_ok() && check(&of(2_000_000)).unwrap_err().is::<Refused>());
/// ```
#[derive(Debug)]
pub struct Refused(Box<dyn Error + Send + Sync>);

impl Refused {
    /// A refusal with the store's answer.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

//! The error of a store that is there and would not.

use std::error::Error;
use std::fmt;

/// The store answered that it would not: its memory is full, the value is too large, something else lies under the key. It is no
/// outage, so however often it is said, the store is asked again. Any other error is taken for an outage.
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
    /// What the store said.
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

//! A bound that refuses: what is in stays in.

use crate::error::{Error, Result};
use crate::rule::{Admission, Candidate, Reads, Rule};

/// Bounds the number of entries: when full, new keys are rejected, and values of keys that are there may be replaced.
///
/// Costs nothing on a hit.
///
/// ```
/// use cacheado::{Cache, rules::MaxItems};
///
/// let cache = Cache::builder().rule(MaxItems::new(2)).build()?;
/// assert!(cache.set("one", &1_u32).run()?);
/// assert!(cache.set("two", &2_u32).run()?);
/// assert!(!cache.set("three", &3_u32).run()?);
/// assert!(cache.set("two", &22_u32).run()?);
/// # Ok::<(), cacheado::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MaxItems(usize);

impl MaxItems {
    /// Keeps at most `max_items` entries. Zero makes `build()` fail.
    #[must_use]
    pub fn new(max_items: usize) -> Self {
        Self(max_items)
    }
}

impl Rule for MaxItems {
    fn name(&self) -> &'static str {
        "MaxItems"
    }

    fn check(&self) -> Result<()> {
        if self.0 == 0 {
            return Err(Error::config(
                "MaxItems::new(0)",
                "it would reject everything; for no cache at all use `Cache::disabled()`",
            ));
        }
        Ok(())
    }

    fn reads(&self) -> Reads {
        Reads::Ignore
    }

    fn asks_last_use(&self) -> bool {
        false
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        if candidate.replaces() || candidate.len() < self.0 {
            Admission::Admit
        } else {
            Admission::Reject
        }
    }
}

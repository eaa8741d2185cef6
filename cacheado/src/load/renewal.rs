//! The renewal of a value that is still there.

use cacheado_backends::{Key, Tick};

use super::Load;
use crate::aging::aged::{Age, Claim};
use crate::cache::Cache;
use crate::value::ValueType;

/// The right and the duty to refresh a value.
#[derive(Clone, Copy)]
pub(crate) struct Claimed {
    /// The value is past its lifetime.
    pub(crate) stale: bool,
    claim: Claim,
    /// Identifies the value.
    pub(super) stored_at: Tick,
    /// When the value stops being fresh.
    pub(super) fresh_until: Tick,
}

impl Claimed {
    /// A claim on the value with this `age`.
    pub(crate) fn new(stale: bool, claim: Claim, age: &Age) -> Self {
        Self {
            stale,
            claim,
            stored_at: age.stored_at(),
            fresh_until: age.fresh_until(),
        }
    }
}

/// A refresh under way. While it lives and the claim holds, no other refresh of the value begins.
pub(crate) struct Renewal {
    cache: Cache,
    key: Key,
    values: &'static ValueType,
    pub(super) claimed: Claimed,
}

impl Renewal {
    pub(crate) fn new(load: &Load, claimed: &Claimed) -> Self {
        Self {
            cache: load.cache.clone(),
            key: load.key.clone(),
            values: load.values,
            claimed: *claimed,
        }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        let Claimed {
            stored_at, claim, ..
        } = self.claimed;
        self.cache.store().peek_key(&self.key, |entry| {
            let age = self.values.age(entry);
            if let Some(age) = age.filter(|age| age.stored_at() == stored_at) {
                age.unclaim(claim);
            }
        });
    }
}

//! A crate of edition 2021, whose package has a binary of the same name.

// what generated code binds anew is nothing that the author of a function could change
#![warn(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]

use std::collections::HashMap;

use cacheado::cache;

/// What the library says. A function of this path is in the binary as well.
#[cache]
#[must_use]
pub fn price(id: u32) -> String {
    format!("{id} of the library")
}

/// Keeps its argument for a body that may outlive the call.
#[cache(ttl = 60, stale = 60)]
#[must_use]
pub fn length(text: &str) -> usize {
    text.len()
}

/// Loads many at once.
#[cache(batch(ids))]
#[must_use]
pub fn prices(ids: &[u32]) -> HashMap<u32, String> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

//! A crate of edition 2021, whose package has a binary of the same name.

use cacheado::cache;

/// What the library says. A function of this path is in the binary as well.
#[cache]
#[must_use]
pub fn price(id: u32) -> String {
    format!("{id} of the library")
}

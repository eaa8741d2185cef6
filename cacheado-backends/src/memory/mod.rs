//! The in-process tier: values in typed slabs, a table for each function, an index by scope, and an expiry schedule.

mod handle;
mod handles;
mod index;
mod shards;
mod slab;
mod store;
mod sweeper;
mod table;
mod wheel;

pub use store::{Dropped, Inserted, Observer, Removed, Store};

pub(crate) use handle::Handle;
pub(crate) use slab::{AnySlab, Slab};

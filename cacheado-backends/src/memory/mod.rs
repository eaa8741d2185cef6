//! The in-process tier: typed values in one sharded table, an index by scope, and what watches over lifetimes.

mod hashes;
mod index;
mod store;
mod sweeper;
mod table;
mod wheel;

pub use store::{Dropped, Inserted, Observer, Removed, Store};

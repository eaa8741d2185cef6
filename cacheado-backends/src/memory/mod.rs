//! The in-process tier: typed values in one sharded table, an index by scope, and what watches over lifetimes.

mod expiry;
mod index;
mod store;
mod sweeper;
mod table;

pub use store::{Dropped, Inserted, Observer, Removed, Store};

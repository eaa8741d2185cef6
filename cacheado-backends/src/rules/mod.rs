//! The rules that ship with the crate.

mod lru;
mod max_items;
mod ttl;

pub use lru::Lru;
pub use max_items::MaxItems;
pub use ttl::Ttl;

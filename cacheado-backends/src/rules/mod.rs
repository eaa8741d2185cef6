//! The rules that ship with the crate.

mod lru;
mod max_items;
mod ttl;
mod w_tiny_lfu;

pub use lru::Lru;
pub use max_items::MaxItems;
pub use ttl::Ttl;
pub use w_tiny_lfu::WTinyLfu;

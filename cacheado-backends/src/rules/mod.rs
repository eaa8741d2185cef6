//! The rules that ship with the crate.

mod lru;
mod max_items;
mod ttl;
#[cfg_attr(not(test), expect(dead_code, reason = "no rule is made of it as yet"))]
mod w_tiny_lfu;

pub use lru::Lru;
pub use max_items::MaxItems;
pub use ttl::Ttl;

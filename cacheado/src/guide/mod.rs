//! What a cache does while a value can't be loaded, or is about to expire. Each option has a page: what it is for, what happens when,
//! how to set it, its defaults, and what it costs.
//!
//! | page | option | summary |
//! |---|---|---|
//! | [`stale`] | `stale` | a value past its lifetime is served while a new one is loaded, or if the load fails |
//! | [`early_refresh`] | `refresh_after`, `xfetch` | a value is reloaded before it expires |
//! | [`timeouts`] | `timeout`, `hard_timeout` | a limit on how long a call waits for a slow body |
//! | [`cancellation`] | `detached` | whether a load ends with its caller or outlives it |
//! | [`errors`] | `err_ttl`, `none_ttl` | errors and `None` have lifetimes of their own |
//! | [`idle`] | `idle` | a value lives for as long as it is used |
//! | [`jitter`] | `jitter` | values stored together don't all expire together |
//! | [`rehearsals`] | [`testing::Chaos`](crate::testing::Chaos) | outages on demand |
//! | [`context`] | [`LoadContext`](crate::LoadContext) | a function controls its own caching |
//!
//! The options that run a body in the background (`stale`, `refresh_after`, `xfetch`, `timeout`, `hard_timeout`, `detached`) need
//! arguments that can be kept for the body: see [`background`].

#[doc = include_str!("background.md")]
pub mod background {}
#[doc = include_str!("cancellation.md")]
pub mod cancellation {}
#[doc = include_str!("context.md")]
pub mod context {}
#[doc = include_str!("early_refresh.md")]
pub mod early_refresh {}
#[doc = include_str!("errors.md")]
pub mod errors {}
#[doc = include_str!("idle.md")]
pub mod idle {}
#[doc = include_str!("jitter.md")]
pub mod jitter {}
#[doc = include_str!("rehearsals.md")]
pub mod rehearsals {}
#[doc = include_str!("stale.md")]
pub mod stale {}
#[doc = include_str!("timeouts.md")]
pub mod timeouts {}

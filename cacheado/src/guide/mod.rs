//! What a cache does while a value can't be had, or is about to end: a page for each capability, with what it is for, what happens when,
//! the option, its defaults, and what it costs.
//!
//! | page | option | in a word |
//! |---|---|---|
//! | [`stale`] | `stale` | a value past its lifetime stands in while another is loaded, or if that fails |
//! | [`early_refresh`] | `refresh_after`, `xfetch` | a value is loaded anew before its end |
//! | [`timeouts`] | `timeout`, `hard_timeout` | a slow body is waited for no longer than it may |
//! | [`cancellation`] | `detached` | a load that ends with its caller, or outlives it |
//! | [`errors`] | `err_ttl`, `none_ttl` | errors and `None` are kept for a time of their own |
//! | [`idle`] | `idle` | a value lives for as long as it is asked for |
//! | [`jitter`] | `jitter` | what is stored at once does not end at once |
//! | [`rehearsals`] | [`testing::Chaos`](crate::testing::Chaos) | an outage that comes when it is called |
//! | [`context`] | [`LoadContext`](crate::LoadContext) | a function takes part in its own caching |
//!
//! Those that run a body in the background (`stale`, `refresh_after`, `xfetch`, `timeout`, `hard_timeout`, `detached`) need arguments that
//! can be kept for it: see [`background`].

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

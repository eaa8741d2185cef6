//! What a cache does while a value can't be loaded: it serves the previous value, refreshes ahead of time, and waits no longer than
//! allowed.
//!
//! All time is that of a manual clock, or of tokio's paused one. Tests wait for background work by the counts that it changes.

mod arguments;
mod background;
mod context;
mod detached;
mod errors;
mod idle;
mod jitter;
mod none;
mod own_load;
mod refresh;
mod shared;
mod source;
mod stale;
mod stopped;
mod timeouts;
mod xfetch;

//! What a cache does while a value can't be had: it serves the one before, refreshes it ahead of time, and waits no longer than it may.
//!
//! All time is a manual clock's, or tokio's, paused. What runs in the background is waited for, by what it says of itself.

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

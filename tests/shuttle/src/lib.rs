//! Models of the single flight and the store, for a model checker that tries many orders of their threads' steps; see `tests/`.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p cacheado-shuttle --release --target-dir target/shuttle
//! ```

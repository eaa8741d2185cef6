//! Models of the single flight and the store, for a model checker that tries their threads in many orders; see `tests/`.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p cacheado-shuttle --release --target-dir target/shuttle
//! ```

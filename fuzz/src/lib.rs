//! What the fuzz targets do with their bytes: a function each, that panics if the reader is wrong.

pub mod change;
pub mod envelope;
pub mod key_replay;
mod known;

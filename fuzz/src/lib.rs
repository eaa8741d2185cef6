//! What the fuzz targets do with their input: one function each, which panics if the reader is wrong.

pub mod change;
pub mod envelope;
pub mod key_replay;
mod known;

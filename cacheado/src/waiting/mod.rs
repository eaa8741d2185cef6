//! Waiting for a value that another thread or task delivers, and for a point in time.

pub(crate) mod alarm;
pub(crate) mod slot;
pub(crate) mod timer;
pub(crate) mod watchdog;

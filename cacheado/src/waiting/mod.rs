//! Waiting: for a value that another brings, and for a moment.

pub(crate) mod alarm;
pub(crate) mod slot;
pub(crate) mod timer;
pub(crate) mod watchdog;

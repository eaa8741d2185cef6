//! The Memcached backend beyond the conformance suite, including faults, against real servers.

mod contents;
mod lifetimes;
mod loads;
mod many;
mod outages;
mod refusals;
mod runtimes;
mod several;
mod shared;

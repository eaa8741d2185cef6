//! The Memcached backend when things go wrong, and what it does beyond the conformance suite, over real servers.

mod contents;
mod lifetimes;
mod loads;
mod many;
mod outages;
mod refusals;
mod runtimes;
mod several;
mod shared;

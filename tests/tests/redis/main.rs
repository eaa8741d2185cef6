//! The Redis backend against real servers: the results of its operations, blocking and async, and its behaviour in outages.
//!
//! The conformance suite covers what any backend does; these tests cover what is specific to Redis.

mod by_hand;
mod cluster;
mod coherence;
mod contents;
mod cost;
mod halfway;
mod index;
mod large;
mod marks;
mod outages;
mod parts;
mod refusals;
mod runtimes;
mod sentinel;
mod shared;
mod slots;
mod tls;

cacheado::scopes! {
    organization(org_id) {
        user(user_id)
    }
}

//! The Redis backend against real servers: what its operations come to there, blocking and async, and what it makes of outages.
//!
//! What any backend does is for the conformance suite; this is about what only Redis has.

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

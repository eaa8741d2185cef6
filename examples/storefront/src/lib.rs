//! A storefront that many organizations share: the real-service example of cacheado.
//!
//! An axum service reads and writes an SQLite file. Its read functions carry `#[cache]`, its write functions
//! `#[cache_evict]`, and both are to be found in [`database::queries`] and [`database::commands`]: start there.
//! The rest fills the file ([`database::fill`]), serves it ([`server`]), drives a workload against it (`workload`), and
//! tells what came of it ([`demo`]).

pub mod args;
pub mod database;
pub mod demo;
mod eviction;
mod report;
pub mod server;
pub mod shared;
mod single;
mod verify;
mod workload;

// The tenants. A cached function that says `scope = "user"` must have an argument for each level from the root to `user`,
// or it does not compile. A session id is a password in all but name: as a secret one it never leaves the process in clear.
cacheado::scopes! {
    // for other crates too: the tests are one
    pub mod scope;

    organization(org_id) {
        user(user_id) {
            session(#[secret] session_id)
        }
    }
}

//! A storefront that many organizations share: cacheado's example of a real service.
//!
//! An axum service reads and writes an SQLite file. Its read functions have `#[cache]`, its write functions `#[cache_evict]`. They are
//! in [`database::queries`] and [`database::commands`]: start there. The rest fills the file ([`database::fill`]), serves it
//! ([`server`]), runs a workload against it (`workload`), and reports the results ([`demo`]).

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

// The tenants. A cached function with `scope = "user"` must have an argument for each level from the root to `user`, or it does not
// compile. A session id is as good as a password. As a `#[secret]` id, it never leaves the process in clear.
cacheado::scopes! {
    // usable from other crates too, such as the tests
    pub mod scope;

    organization(org_id) {
        user(user_id) {
            session(#[secret] session_id)
        }
    }
}

//! Races of real processes, each with a cache of its own, on one real server: no process is served an old value for longer than
//! documented, no old value is left, and no process is ever served another tenant's value.
//!
//! The test binary runs itself again for each process: see `process` (a process, seen from the test) and `worker` (seen from inside).
//! The true versions are in a file with a place for each slot, which all processes read and write: see `truth`. Results are printed:
//! `--nocapture` shows the longest staleness and the longest call. `CACHEADO_SEED` sets another seed than the default.

mod accounts;
mod acknowledged;
mod claims;
mod invalidations;
mod outages;
mod process;
mod storm;
mod truth;
mod worker;

use cacheado::scopes;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

//! Races of real processes, each with a cache of its own, on one real server: nobody is served an old value for longer than is said,
//! nothing old is left, and nobody is ever served another tenant's.
//!
//! The test binary runs itself again for each process: see `process` (a process, seen from the test) and `worker` (seen from inside).
//! What is true is in a file that all of them map by slots: see `truth`. What was seen of it is printed: `--nocapture` shows how long
//! the longest staleness and the longest call were. `CACHEADO_SEED` gives another seed than the usual one.

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

//! Several scopes may be evicted, also of one level, but each once.

use cacheado::cache_evict;

cacheado::scopes! {
    organization(org_id) { user(user_id) }
}

#[cache_evict(scope = "organization", scope = "organization")]
fn rename(org_id: &str) {
    let _ = org_id;
}

#[cache_evict(scope = "user", scope("organization/user", user_id = user_id))]
fn by_path(org_id: &str, user_id: u64) {
    let _ = (org_id, user_id);
}

#[cache_evict(scope = "global", scope = "organization", scope = "global")]
fn all(org_id: &str) {
    let _ = org_id;
}

#[cache_evict(scope("user", user_id = from), scope("user", user_id = to))]
fn hand_over(org_id: &str, from: u64, to: u64) {
    let _ = (org_id, from, to);
}

fn main() {}

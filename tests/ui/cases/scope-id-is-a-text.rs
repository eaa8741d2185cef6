//! Nothing fills it in: all calls would be one tenant's.

use cacheado::{cache, cache_evict};

cacheado::scopes! {
    organization(org_id) { user(user_id) }
}

#[cache(scope("organization", org_id = "org"))]
fn named(org: &str) -> usize {
    org.len()
}

#[cache(scope("organization", org_id = "{org}"))]
fn formatted(org: &str) -> usize {
    org.len()
}

#[cache(scope("organization", org_id = "#org"))]
fn marked(org: &str) -> usize {
    org.len()
}

#[cache_evict(scope("organization", org_id = "org".to_owned()))]
fn close(org: &str) {
    let _ = org;
}

fn main() {}

use cacheado::{Cache, cache, cache_evict, evict};

cacheado::scopes! {
    mod tenancy;
    organization(org_id) { user() }
}

#[cache(scope = "user", scopes = tenancy)]
fn orders(org_id: &str, user_id: u64) -> u64 {
    org_id.len() as u64 + user_id
}

#[cache_evict(scope = "organization", scopes = tenancy)]
fn change(org_id: &str) -> u64 {
    orders(org_id, 7)
}

fn main() {
    let _ = Cache::builder().scopes(tenancy::hierarchy());
    let _ = evict!(orders("acme", change("acme")));
}

use cacheado::{cache, cache_evict, cache_put, scopes};

scopes! {
    mod tenancy;
    organization(org_id)
}

#[cache(ttl = 60, scopes = crate::tenancy)]
fn orders(org_id: u32) -> usize {
    org_id as usize
}

#[cache_put(scopes = crate::tenancy)]
fn set_orders(org_id: u32) -> usize {
    org_id as usize
}

#[cache_evict(orders(org_id), scopes = crate::tenancy)]
fn rename(org_id: u32) {
    let _ = org_id;
}

fn main() {}

//! One call has one scope: of many ids make a `batch` below it.

use std::collections::HashMap;

use cacheado::{cache, scopes};

scopes! { organization(org_id) { user(user_id) } }

#[cache(scope = "user", batch(user_ids))]
fn users(org_id: &str, user_ids: &[u32]) -> HashMap<u32, String> {
    let name = |id: &u32| (*id, format!("{id}@{org_id}"));
    user_ids.iter().map(name).collect()
}

#[cache(scope = "organization", batch(org_ids))]
fn organizations(org_ids: &[u32]) -> HashMap<u32, String> {
    org_ids.iter().map(|id| (*id, id.to_string())).collect()
}

// what it lacks is something else
#[cache(scope = "user", batch(products))]
fn some(org_id: &str, products: &[u32]) -> HashMap<u32, String> {
    let name = |id: &u32| (*id, format!("{id}@{org_id}"));
    products.iter().map(name).collect()
}

fn main() {}

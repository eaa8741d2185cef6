use cacheado::{cache, cache_put, scopes};

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

#[cache(scope = "user", skip(user_id))]
fn by_name(org_id: &str, user_id: u64) -> u64 {
    user_id + org_id.len() as u64
}

#[cache_put(scope("organization", org_id = &tenant), skip(tenant))]
fn given(tenant: String) -> String {
    tenant
}

#[cache(scope = "user", skip(db, org_id, user_id))]
fn in_a_pattern(db: &str, (org_id, user_id): (&str, u64)) -> u64 {
    user_id + (org_id.len() + db.len()) as u64
}

#[cache(scope = "user", key = limit, skip(user_id))]
fn with_a_key(org_id: &str, user_id: u64, limit: u64) -> u64 {
    user_id + org_id.len() as u64 + limit
}

fn main() {
    by_name("acme", 7);
    given(String::from("acme"));
    in_a_pattern("", ("acme", 7));
    with_a_key("acme", 7, 1);
}

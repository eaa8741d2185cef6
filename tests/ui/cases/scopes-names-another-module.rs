use cacheado::cache;

mod tenancy {}

#[cache(scope = "user", scopes = crate::tenancy)]
fn name(org_id: &str, user_id: u64) -> String {
    format!("{user_id}@{org_id}")
}

fn main() {}

use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

#[cache(scope = "user", scopes = "crate::tenancy")]
fn orders(org_id: &str, user_id: u64) -> u64 {
    org_id.len() as u64 + user_id
}

fn main() {}

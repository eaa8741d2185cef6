use cacheado::cache_evict;

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

#[cache_evict(scope = "usr")]
fn rename(org_id: &str, user_id: u64) {
    let _ = (org_id, user_id);
}

#[cache_evict(scope = "user")]
fn remove(org_id: &str) {
    let _ = org_id;
}

fn main() {}

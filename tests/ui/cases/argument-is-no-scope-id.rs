use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

#[cache(scope = "organization")]
fn orders(org_id: Option<&str>, limit: usize) -> usize {
    org_id.map_or(0, str::len) + limit
}

fn main() {}

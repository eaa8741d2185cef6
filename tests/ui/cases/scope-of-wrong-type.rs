use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

#[cache(scope = 5)]
fn orders(org_id: &str) -> usize {
    org_id.len()
}

fn main() {}

use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

#[cache(scope("organization", org_id = a, org_id = b))]
fn orders(a: &str, b: &str) -> u64 {
    (a.len() + b.len()) as u64
}

fn main() {}

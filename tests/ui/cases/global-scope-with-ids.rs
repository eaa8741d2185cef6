use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

#[cache(scope("global", org_id = x))]
fn orders(x: u64) -> u64 {
    x
}

fn main() {}

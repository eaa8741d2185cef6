use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

#[cache(scope = "warehouse")]
fn stock(id: u64) -> u64 {
    id
}

fn main() {}

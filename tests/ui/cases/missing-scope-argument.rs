use cacheado::{cache, peek};

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

#[cache(scope = "user")]
fn orders(user_id: u64) -> u64 {
    user_id
}

fn main() {
    let _ = peek!(orders(7));
}

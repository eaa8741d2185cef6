use cacheado::cache;

#[cache(scope = "user")]
fn orders(org_id: &str, user_id: u64) -> u64 {
    org_id.len() as u64 + user_id
}

fn main() {}

use cacheado::cache;

#[cache(threads = "redis")]
fn orders(limit: usize) -> usize {
    limit
}

#[cache(scope = "user", org_id = org)]
fn basket(org: &str, user_id: u64) -> usize {
    org.len()
}

fn main() {}

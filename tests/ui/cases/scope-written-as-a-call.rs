use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) }
}

#[cache(scope = user(org_id, user_id))]
fn orders(org_id: &str, user_id: u64) -> u64 {
    org_id.len() as u64 + user_id
}

#[cache(scope = "user"(org_id = org))]
fn letters(org: &str, user_id: u64) -> u64 {
    org.len() as u64 + user_id
}

#[cache(scope(user, org_id = org))]
fn stock(org: &str, user_id: u64) -> u64 {
    org.len() as u64 + user_id
}

#[cache(scope(user = user_id))]
fn carts(org_id: &str, user_id: u64) -> u64 {
    org_id.len() as u64 + user_id
}

struct Shop {
    org: String,
}

impl Shop {
    #[cache(scope = organization(org_id = self.org))]
    fn name(&self, id: u32) -> usize {
        self.org.len() + id as usize
    }
}

fn main() {}

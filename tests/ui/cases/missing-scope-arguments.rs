use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) { session(#[secret] session_id) } }
    car(car_id)
}

struct Repo;

impl Repo {
    #[cache(scope = "session", skip(self))]
    async fn basket(&self, orgid: &str) -> u64 {
        orgid.len() as u64
    }
}

fn main() {}

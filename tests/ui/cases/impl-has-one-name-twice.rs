//! Functions of one name that could not share what they store.
use cacheado::{Cache, cache, cache_impl, cache_put, scopes};

scopes! { organization(org_id) { user(user_id) } }

struct Users {
    cache: Cache,
}

#[cache_impl]
impl Users {
    #[cache(name = "user", ttl = 60, scope = "user", cache = self.cache)]
    fn user(&self, org_id: u64, user_id: u64) -> u64 {
        org_id + user_id
    }

    #[cache_put(name = "user", ttl = 60, scope = "organization/user", cache = self.cache)]
    fn puts(&self, org_id: u64, user_id: u64) -> u64 {
        org_id + user_id
    }

    #[cache_put(name = "user", ttl = 60, cache = self.cache)]
    fn without_the_scope(&self, org_id: u64, user_id: u64) -> u64 {
        org_id + user_id
    }

    #[cache_put(name = "user", ttl = 60, scope = "organization", cache = self.cache)]
    fn with_another(&self, org_id: u64, user_id: u64) -> u64 {
        org_id + user_id
    }

    #[cache_put(name = "user", ttl = 60, scope = "user", skip(self))]
    fn without_the_cache(&self, org_id: u64, user_id: u64) -> u64 {
        org_id + user_id
    }

    #[cache_put(name = "user", ttl = 60, scope = "user", cache = self.cache, local)]
    fn local(&self, org_id: u64, user_id: u64) -> u64 {
        org_id + user_id
    }

    #[cache_put(name = "user", version = 2, skip(self))]
    fn of_another_version(&self, org_id: u64) -> u64 {
        org_id
    }

    #[cache(name = "plan", skip(self))]
    fn plan(&self, id: u64) -> u64 {
        id
    }

    #[cache_put(name = "plan", cache = self.cache)]
    fn with_a_cache(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}

//! A scope is evicted from the process-wide cache, where the functions of the impl have nothing.
use cacheado::{Cache, cache, cache_evict, cache_impl, cache_put, scopes};

scopes! { organization(org_id) { user(user_id) } }

struct Users {
    cache: Cache,
    org: u64,
}

#[cache_impl]
impl Users {
    #[cache(scope("organization", org_id = self.org), cache = self.cache)]
    fn plan(&self) -> String {
        String::new()
    }

    #[cache_put(name = "plan", scope("organization", org_id = self.org), cache = self.cache)]
    fn set_plan(&self) -> String {
        String::new()
    }

    #[cache_evict(scope("organization", org_id = self.org))]
    fn forgets_the_cache(&self) {}

    #[cacheado::cache_evict(scope = "user", scope = "organization", before)]
    fn forgets_it_twice(&self, org_id: u64, user_id: u64) {}

    #[cache_evict(scope = "organization", cache = self.cache)]
    fn says_which(&self, org_id: u64) {}

    #[cache_evict(scope = "global", cache = cacheado::default_cache())]
    fn says_that_it_is_meant(&self) {}

    #[cache_evict(self.plan())]
    fn evicts_a_call(&self) {}
}

fn main() {}

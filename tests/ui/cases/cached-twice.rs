use cacheado::{cache, cache as memo, cache_impl, cache_put};

cacheado::scopes! {
    organization(org_id)
}

#[cache(ttl = 60)]
#[cache]
fn free(id: u32) -> u32 {
    id
}

#[memo(scope = "organization")]
#[memo(ttl = 60)]
async fn in_scope(org_id: u32) -> u32 {
    org_id
}

struct Repo;

impl Repo {
    #[cache(skip(self))]
    #[cache_put(skip(self))]
    fn method(&self, id: u32) -> u32 {
        id
    }
}

#[cache_impl]
impl Repo {
    #[cache]
    #[cache]
    fn associated(id: u32) -> u32 {
        id
    }
}

fn main() {
    free(1);
    drop(in_scope(1));
    Repo.method(1);
    Repo::associated(1);
}

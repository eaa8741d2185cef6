use cacheado::{cache_impl, cache_put};

struct Repo;

impl Repo {
    #[cache_put(ttl = 60, skip(self))]
    fn set(&self, id: u32) -> u32 {
        id
    }
}

trait Store {
    fn set(id: u32) -> u32;
}

#[cache_impl]
impl Store for Repo {
    #[cache_put]
    fn set(id: u32) -> u32 {
        id
    }
}

// its verbs do
#[cache_impl]
impl Repo {
    #[cache_put(skip(self))]
    fn put(&self, id: u32) -> u32 {
        id
    }
}

fn main() {}

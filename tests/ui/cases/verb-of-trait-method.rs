use cacheado::{cache, cache_impl, evict};

struct Repo;

trait Store {
    fn get(&self, id: u64) -> u64;
}

#[cache_impl]
impl Store for Repo {
    #[cache(skip(self))]
    fn get(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    let _ = evict!(Repo.get(3));
}

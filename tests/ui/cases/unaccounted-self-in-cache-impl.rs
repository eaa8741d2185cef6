use cacheado::{cache, cache_impl, evict};

struct Repo {
    org: String,
}

#[cache_impl]
impl Repo {
    #[cache(ttl = 60)]
    async fn orders(&self, limit: usize) -> usize {
        self.org.len() + limit
    }
}

fn main() {
    let repo = Repo { org: String::new() };
    let _ = evict!(repo.orders(3));
}

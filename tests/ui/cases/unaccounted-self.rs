use cacheado::cache;

struct Repo {
    org: String,
}

impl Repo {
    #[cache(ttl = 60)]
    fn orders(&self, limit: usize) -> usize {
        self.org.len() + limit
    }
}

fn main() {}

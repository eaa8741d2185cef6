use cacheado::cache;

struct Repo(u64);

impl Repo {
    #[cache]
    fn open(id: u64) -> u64 {
        Self(id).0
    }
}

fn main() {}

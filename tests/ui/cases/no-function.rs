use cacheado::cache;

#[cache]
struct Orders {
    limit: usize,
}

#[cache(ttl = 60)]
impl Orders {
    fn limit(&self) -> usize {
        self.limit
    }
}

#[cache]
const LIMIT: usize = 3;

trait Store {
    #[cache(skip(self))]
    fn get(&self, id: u64) -> u64;
}

fn main() {}

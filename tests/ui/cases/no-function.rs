use cacheado::cache;

#[cache]
struct Orders {
    limit: usize,
}

trait Store {
    #[cache(skip(self))]
    fn get(&self, id: u64) -> u64;
}

fn main() {}

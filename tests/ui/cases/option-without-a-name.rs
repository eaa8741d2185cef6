use cacheado::cache;

#[cache(60)]
fn seconds(id: u32) -> u32 {
    id
}

struct Repo;

impl Repo {
    #[cache("1m", skip(self))]
    fn text(&self, id: u32) -> u32 {
        id
    }
}

fn main() {
    seconds(1);
    drop(cacheado::evict!(seconds(1)));
    Repo.text(1);
}

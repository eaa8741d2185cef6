use cacheado::cache_evict;

#[cache_evict(scpe = "user")]
fn rename(id: u64) {
    let _ = id;
}

fn main() {}

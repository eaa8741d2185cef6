use cacheado::cache_evict;

#[cache_evict]
fn rename(id: u64) {
    let _ = id;
}

#[cache_evict(before)]
fn remove(id: u64) {
    let _ = id;
}

fn main() {}

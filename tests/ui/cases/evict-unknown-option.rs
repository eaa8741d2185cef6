use cacheado::cache_evict;

#[cache_evict(scpe = "user")]
fn rename(id: u64) {
    let _ = id;
}

#[cache_evict(cache = cacheado::Cache::disabled(), scope = "global", before = true)]
fn close(id: u64) {
    let _ = id;
}

#[cache_evict(all_entries = true)]
fn refill() {}

#[cache_evict(name = "profile")]
fn by_name(id: u64) {
    let _ = id;
}

fn main() {}

use cacheado::{cache, cache_evict};

struct Db;

#[cache(skip(db))]
fn orders(db: &Db, limit: usize) -> usize {
    let _ = db;
    limit
}

#[cache_evict(orders(name))]
fn rename(name: &str) {
    let _ = name;
}

fn main() {}

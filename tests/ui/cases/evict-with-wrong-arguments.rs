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

#[cache]
fn name(org: &str) -> String {
    org.to_owned()
}

// its argument is a `&str`, as the compiler would say of any call
#[cache_evict(name(org))]
fn close(org: String) {
    drop(org);
}

#[cache_evict(name(&org))]
fn close_rightly(org: String) {
    drop(org);
}

fn main() {}

use cacheado::cache;
use serde::Serialize;

struct Db;

#[derive(Serialize)]
struct Page<T>(T);

#[cache]
fn orders(db: &Db, limit: usize, page: Page<Db>) -> usize {
    let _ = (db, page);
    limit
}

#[cache(key = (limit, db))]
async fn keyed(db: &Db, limit: usize) -> usize {
    let _ = db;
    limit
}

#[cache]
fn generic<T>(of: T) -> usize {
    size_of_val(&of)
}

#[cache]
fn long(hash: [u8; 40]) -> u8 {
    hash[0]
}

#[cache(key = hash[..])]
fn long_as_its_slice(hash: [u8; 40]) -> u8 {
    hash[0]
}

fn main() {}

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

fn main() {}

use cacheado::cache;

struct Db;

#[cache(skip(_))]
fn unnamed(_: &Db, limit: usize) -> usize {
    limit
}

#[cache(skip(..))]
fn everything(db: &Db, limit: usize) -> usize {
    let _ = db;
    limit
}

#[cache(skip(db.pool))]
fn field(db: &Db, limit: usize) -> usize {
    let _ = db;
    limit
}

fn main() {}

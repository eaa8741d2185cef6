use cacheado::{cache, refresh};

struct Db;

#[cache(skip(bd))]
fn orders(db: &Db, limit: usize) -> usize {
    let _ = db;
    limit
}

fn main() {
    let _ = refresh!(orders(&Db, 3));
}

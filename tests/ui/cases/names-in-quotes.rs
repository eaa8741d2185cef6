//! Arguments are named as they are.

use std::collections::HashMap;

use cacheado::cache;

#[cache(skip("db"))]
fn orders(db: &u32, limit: usize) -> usize {
    let _ = db;
    limit
}

#[cache(batch("ids"))]
fn prices(ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, 1)).collect()
}

fn main() {}

use std::collections::HashMap;

use cacheado::cache;

#[derive(Clone)]
struct Product;

#[cache(batch(ids))]
fn products(ids: &[u32]) -> Result<HashMap<u32, Product>, std::io::Error> {
    Ok(ids.iter().map(|id| (*id, Product)).collect())
}

#[cache(local, batch(ids))]
async fn others(ids: &[u32]) -> HashMap<u32, Product> {
    ids.iter().map(|id| (*id, Product)).collect()
}

fn main() {}

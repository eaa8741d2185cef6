use std::collections::{BTreeMap, HashMap};

use cacheado::cache;

#[derive(PartialEq, Eq, Hash, serde::Serialize)]
struct Id(u32);

#[cache(batch(ids))]
fn names(ids: &[Id]) -> HashMap<Id, String> {
    ids.iter().map(|id| (Id(id.0), id.0.to_string())).collect()
}

#[cache(local, batch(ids))]
async fn others(ids: Vec<Id>) -> Result<BTreeMap<u32, u32>, std::io::Error> {
    Ok(ids.iter().map(|id| (id.0, id.0)).collect())
}

impl From<Id> for u32 {
    fn from(id: Id) -> u32 {
        id.0
    }
}

fn main() {}

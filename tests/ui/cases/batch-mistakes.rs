use std::collections::HashMap;

use cacheado::{cache, cache_put};

type Map = HashMap<u32, u64>;

#[cache(batch)]
fn without_a_name(ids: &[u32]) -> Map {
    ids.iter().map(|id| (*id, 1)).collect()
}

#[cache(batch(ids, more))]
fn two_names(ids: &[u32], more: &[u32]) -> Map {
    ids.iter().chain(more).map(|id| (*id, 1)).collect()
}

#[cache(batch(idz))]
fn unknown_argument(ids: &[u32]) -> Map {
    ids.iter().map(|id| (*id, 1)).collect()
}

#[cache(skip(ids), batch(ids))]
fn skipped(ids: &[u32]) -> Map {
    ids.iter().map(|id| (*id, 1)).collect()
}

#[cache(batch(id))]
fn one_id(id: u32) -> Map {
    Map::from([(id, 1)])
}

#[cache(batch(ids))]
fn list_to_be_changed(ids: &mut Vec<u32>) -> Map {
    ids.drain(..).map(|id| (id, 1)).collect()
}

#[cache(batch(ids))]
fn slice_to_be_changed(ids: &mut [u32]) -> Map {
    ids.iter().map(|id| (*id, 1)).collect()
}

#[cache(key = ids.len(), batch(ids))]
fn with_key(ids: &[u32]) -> Map {
    ids.iter().map(|id| (*id, 1)).collect()
}

#[cache(single_flight = "cluster", batch(ids))]
fn waits(ids: &[u32]) -> Map {
    ids.iter().map(|id| (*id, 1)).collect()
}

#[cache(on_backend_error = "error", batch(ids))]
fn fails(ids: &[u32]) -> Result<Map, cacheado::Error> {
    Ok(ids.iter().map(|id| (*id, 1)).collect())
}

#[cache_put(batch(ids))]
fn puts(ids: &[u32]) -> Map {
    ids.iter().map(|id| (*id, 1)).collect()
}

#[cache(detached, batch(ids))]
fn detached(ids: &[u32]) -> Map {
    ids.iter().map(|id| (*id, 1)).collect()
}

fn main() {}

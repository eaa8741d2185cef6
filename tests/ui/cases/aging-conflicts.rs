//! Options of age where they have no sense.

use std::collections::HashMap;

use cacheado::{cache, cache_put};

#[cache(ttl = 5, stale = 5, batch(ids))]
fn many(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_put(ttl = 5, timeout = 1)]
fn put(x: u64) -> u64 {
    x
}

#[cache(none_ttl = 5, cache_none = false)]
fn none(x: u64) -> Option<u64> {
    Some(x)
}

#[cache(ttl = 5, refresh_after = 0.5, xfetch = 1.0)]
fn twice_early(x: u64) -> u64 {
    x
}

#[cache(ttl = 5, idle = 1, stale = 5)]
fn kept_and_let_go(x: u64) -> u64 {
    x
}

#[cache(ttl = 5, detached)]
fn sync(x: u64) -> u64 {
    x
}

#[cache(err_ttl = 5, batch(ids))]
fn of_many(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    Ok(ids.iter().map(|id| (*id, *id)).collect())
}

#[cache_put(ttl = 5, detached)]
async fn put_beside(id: u64) -> u64 {
    id
}

#[cache_put(err_ttl = 5)]
fn put_error(x: u64) -> Result<u64, String> {
    Ok(x)
}

#[cache(none_ttl = 5)]
fn never_none(x: u64) -> u64 {
    x
}

#[cache(ttl = 5, idle = "5s")]
fn never_idle(x: u64) -> u64 {
    x
}

#[cache(ttl = 5, stale = 5, timeout = 2, hard_timeout = 1)]
fn never_soft(x: u64) -> Result<u64, cacheado::Error> {
    Ok(x)
}

#[cache_put(ttl = 5, detached)]
fn put_now(id: u64) -> u64 {
    id
}

fn main() {}

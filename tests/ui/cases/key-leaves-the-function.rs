//! What verbs ask for as well can't return from the function, nor wait in it.
use std::num::ParseIntError;

use cacheado::{Cache, cache, cache_impl, scopes};

scopes! { organization(org_id) }

#[cache(key = id.parse::<u32>()?)]
fn parsed(id: &str) -> Result<u32, ParseIntError> {
    id.parse()
}

async fn tenant() -> u32 {
    7
}

#[cache(scope("organization", org_id = tenant().await))]
async fn of_tenant(id: u32) -> u32 {
    id
}

#[cache(key = match id { Some(id) => id, None => return 0 })]
fn found(id: Option<u32>) -> u32 {
    id.unwrap_or_default()
}

#[cache(ttl = std::time::Duration::from_secs(seconds?))]
fn short(seconds: Option<u64>) -> Option<u64> {
    seconds
}

struct Repo {
    cache: Option<Cache>,
}

#[cache_impl]
impl Repo {
    #[cache(cache = self.cache.as_ref()?)]
    fn get(&self, id: u32) -> Option<u32> {
        Some(id)
    }
}

// where there are no verbs it can
impl Repo {
    #[cache(cache = self.cache.as_ref()?)]
    fn look(&self, id: u32) -> Option<u32> {
        Some(id)
    }
}

// what a closure does is its own matter
#[cache(key = id.map(|it| Some(it? + 1)))]
fn mapped(id: Option<Option<u32>>) -> bool {
    id.is_some()
}

fn main() {}

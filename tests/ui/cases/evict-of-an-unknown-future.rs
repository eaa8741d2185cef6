use cacheado::{cache, cache_evict};

use std::pin::Pin;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[cache]
fn name(id: u32) -> u32 {
    id
}

#[cache_evict(name(id))]
fn rename(id: u32) -> BoxFuture<Result<(), String>> {
    let _ = id;
    Box::pin(std::future::ready(Ok(())))
}

fn main() {}

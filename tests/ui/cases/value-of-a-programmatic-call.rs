//! What the programmatic calls can't store, and loaders that are of another kind.
use cacheado::{Cache, Scope};

#[derive(Clone)]
struct Plain;

fn main() {
    let cache = Cache::disabled();
    let _ = cache.set("plain", &Plain).run();
    let _ = cache.get_many::<Plain, _>(["plain"]).run();
    let _ = cache.get_many::<Plain, _>(["plain"]).scope(Scope::global()).run();
    let _ = async { cache.get_many::<Plain, _>(["plain"]).await.is_ok() };
    let _ = cache.get_or_load("plain", || Plain).run();
    let _ = cache.get_or_load("fallible", || "7".parse::<u64>()).run();
    let _ = cache.get_or_load("future", || async { 7 }).run();
}

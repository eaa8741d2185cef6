//! A shared tier that fails on request: calls return correct values under every fault, each fault is counted, and afterwards all
//! caches agree.

mod draws;
mod operations;
mod overtaken;
mod payloads;
mod recovery;
mod reports;
mod stalls;

use cacheado::testing::{Chaos, ChaosHandle};
use cacheado::{Cache, cache};
use cacheado_tests::store::Client;

/// A cached function whose values never change.
#[cache(cache = cache, skip(cache))]
fn tripled(cache: &Cache, x: u64) -> u64 {
    let _ = cache;
    3 * x
}

/// The same, async.
#[cache(name = "tests tripled", cache = cache, skip(cache))]
async fn tripled_async(cache: &Cache, x: u64) -> u64 {
    let _ = cache;
    3 * x
}

/// A cache on the store of `client`, like that of another process, with `chaos` in between. Its circuit breaker never opens.
fn cache_with(
    client: &Client,
    chaos: impl FnOnce(Chaos<Client>) -> Chaos<Client>,
) -> (Cache, ChaosHandle) {
    let chaos = chaos(Chaos::new(client.clone()));
    let handle = chaos.handle();
    let builder = Cache::builder().clock(client.store().clock.clone());
    let builder = builder.circuit_breaker(u32::MAX, std::time::Duration::from_secs(1));
    (builder.backend(chaos).build().unwrap(), handle)
}

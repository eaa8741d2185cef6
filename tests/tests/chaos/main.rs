//! A shared tier that fails as it is told to: calls stay right whatever goes wrong, it is counted, and once there is calm all agree.

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

/// What is cached here, as far as nothing changes.
#[cache(cache = cache, skip(cache))]
fn tripled(cache: &Cache, x: u64) -> u64 {
    let _ = cache;
    3 * x
}

/// The same without blocking.
#[cache(name = "tests tripled", cache = cache, skip(cache))]
async fn tripled_async(cache: &Cache, x: u64) -> u64 {
    let _ = cache;
    3 * x
}

/// A cache on the store of `client`, as another process would have it, with `chaos` in between. It asks however often it fails.
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

//! Whether the cost of evicting a tenant follows what the tenant has, and not what the cache holds. An organization of 1,000 entries
//! is evicted from a cache of 10,000 entries and from one of 1,000,000, by turns.

use std::time::{Duration, Instant};

use cacheado::{Cache, cache};

use crate::measure::{grouped, median, ratio};
use crate::scope;

/// The entries of one organization. It has a hundredth of that as users.
const TENANT: u64 = 1000;
const USERS: u64 = 10;
const SIZES: [u64; 2] = [10_000, 1_000_000];
const ROUNDS: u64 = 101;
/// How much more an eviction may cost in the large cache. What remains of a difference is memory that is farther away.
const BOUND: f64 = 3.0;

#[cache(cache = cache, skip(cache), scope = "user", ttl = "1h")]
fn item(cache: &Cache, org_id: u64, user_id: u64, nth: u64) -> u64 {
    let _ = (cache, org_id, user_id);
    nth
}

fn fill(cache: &Cache, organization: u64) {
    for nth in 0..TENANT {
        item(cache, organization, nth % USERS, nth);
    }
}

/// Evicts one organization, then fills it again.
fn evict(cache: &Cache, organization: u64) -> Result<Duration, String> {
    let scope = scope::organization(organization);
    let began = Instant::now();
    let evicted = cache.evict_by_scope(scope).run();
    let took = began.elapsed();
    if evicted.as_ref().ok() != Some(&TENANT) {
        return Err(format!("{evicted:?} entries were evicted, not {TENANT}"));
    }
    fill(cache, organization);
    Ok(took)
}

pub(crate) fn run() -> crate::Outcome {
    let mut caches = Vec::new();
    for size in SIZES {
        let cache = Cache::builder()
            .build()
            .map_err(|error| error.to_string())?;
        for organization in 0..size / TENANT {
            fill(&cache, organization);
        }
        caches.push((size / TENANT, cache, Vec::new()));
    }
    for round in 0..ROUNDS {
        for (organizations, cache, samples) in &mut caches {
            // a different one each time, spread over all of them
            samples.push(evict(cache, round * 7919 % *organizations)?);
        }
    }
    println!("{ROUNDS} rounds, medians");
    let mut medians = Vec::new();
    for (size, (_, _, samples)) in SIZES.into_iter().zip(&mut caches) {
        let middle = median(samples);
        println!(
            "1,000 entries among {:>9}: {middle:>10.1?}",
            grouped(usize::try_from(size).unwrap_or(usize::MAX))
        );
        medians.push(middle);
    }
    let ratio = ratio(medians[1], medians[0]);
    println!("ratio {ratio:.2}, at most {BOUND}");
    if ratio > BOUND {
        return Err(format!("the ratio {ratio:.2} is above {BOUND}"));
    }
    Ok(())
}

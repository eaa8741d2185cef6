//! Names that a user may give, and generated code has to leave alone.

use std::time::Duration;

use cacheado::{cache, cache_evict, cache_put};

const NONE_TTL: Duration = Duration::from_secs(5);
const MOST: usize = 5;
const SITE: Duration = Duration::from_secs(9);

#[cache(ttl = 60, none_ttl = NONE_TTL, max_items = MOST, stale = SITE)]
fn found(x: u32) -> Option<u32> {
    (x > 1).then_some(x)
}

#[derive(Clone, Copy)]
enum Mode {
    Fast,
    Slow,
}

#[cache_evict(found(x))]
#[cache_put(name = "saved")]
fn save(x: u32) -> u32 {
    let mode = if x > 1 { Mode::Fast } else { Mode::Slow };
    match mode {
        Mode::Fast => x,
        Mode::Slow => 0,
    }
}

fn main() {
    assert_eq!(save(2), 2);
    assert_eq!(found(2), Some(2));
}

//! Names that a user may give, and generated code has to leave alone.

use std::time::Duration;

use cacheado::cache;

const NONE_TTL: Duration = Duration::from_secs(5);
const MOST: usize = 5;
const SITE: Duration = Duration::from_secs(9);

#[cache(ttl = 60, none_ttl = NONE_TTL, max_items = MOST, stale = SITE)]
fn found(x: u32) -> Option<u32> {
    (x > 1).then_some(x)
}

fn main() {
    assert_eq!(found(2), Some(2));
}

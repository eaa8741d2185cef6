//! Options that are constants know nothing of a call, nor of an instance.
use std::time::Duration;

use cacheado::cache;

#[cache(ttl = 60, stale = Duration::from_secs(grace))]
fn price(item: u32, grace: u64) -> u64 {
    u64::from(item) + grace
}

#[cache(max_items = N)]
fn row<const N: usize>(item: u32) -> Vec<u32> {
    vec![item; N]
}

struct Repo {
    grace: Duration,
}

impl Repo {
    const PATIENCE: Duration = Duration::from_secs(1);

    #[cache(ttl = 60, stale = self.grace, skip(self))]
    fn get(&self, id: u32) -> u32 {
        id
    }

    #[cache(hard_timeout = Self::PATIENCE, skip(self))]
    fn find(&self, id: u32) -> cacheado::Result<u32> {
        Ok(id)
    }

    // which is asked for each call
    #[cache(ttl = self.grace + Self::PATIENCE, skip(self))]
    fn look(&self, id: u32) -> u32 {
        id
    }
}

fn main() {}

//! A body that may outlive its call needs arguments that are its own.

use cacheado::cache;

struct Connection;

#[cache(ttl = 5, stale = 5, skip(connection))]
fn not_clone(connection: &Connection, x: u64) -> u64 {
    let _ = connection;
    x
}

#[cache(ttl = 5, refresh_after = 0.5, skip(log))]
fn exclusive(log: &mut Vec<u64>, x: u64) -> u64 {
    log.push(x);
    x
}

#[cache(hard_timeout = 5)]
fn nested(names: &[&str]) -> Result<usize, cacheado::Error> {
    Ok(names.len())
}

#[cache(ttl = 5, stale = 5)]
fn optional(name: Option<&str>) -> usize {
    name.map_or(0, str::len)
}

struct Shop {
    sold: u64,
}

impl Shop {
    #[cache(ttl = 5, stale = 5, skip(self))]
    fn sell(&mut self, count: u64) -> u64 {
        self.sold += count;
        self.sold
    }
}

fn main() {}

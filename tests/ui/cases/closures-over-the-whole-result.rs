//! The closures of `when` and `ttl` see what is stored: of a `Result` its `Ok`.

use std::time::Duration;

use cacheado::cache;

#[cache(ttl = 5, when = |result: &Result<u32, String>| result.is_ok())]
fn rate(id: u32) -> Result<u32, String> {
    Ok(id)
}

#[cache(ttl = |result: &Result<u32, String>| Duration::from_secs(result.is_ok().into()))]
async fn rate_async(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

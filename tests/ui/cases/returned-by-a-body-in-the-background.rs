//! A body that may run in the background returns what can be sent, its error as well: one error for each function.
use std::error::Error;

use cacheado::cache;

#[cache(ttl = 60, stale = "1h")]
fn parsed(text: String) -> Result<u64, Box<dyn Error>> {
    Ok(text.parse()?)
}

#[cache(ttl = 60, timeout = "1s")]
async fn fetched(text: String) -> Result<u64, Box<dyn Error>> {
    Ok(text.parse()?)
}

#[cache(ttl = 60, detached, when = |count| *count > 0)]
async fn counted(text: String) -> Result<u64, Box<dyn Error>> {
    Ok(text.parse()?)
}

fn main() {}

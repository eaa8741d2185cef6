//! By its letters alone `time` would be `timeout`.

use cacheado::cache;

#[cache(time = 60)]
fn lifetime(id: u32) -> u32 {
    id
}

#[cache(ttl = 60, time_to_idle = "1m")]
fn idle(id: u32) -> u32 {
    id
}

#[cache(size = 100)]
fn bound(id: u32) -> u32 {
    id
}

#[cache(unless = |value| value.is_none())]
fn not_stored(id: u32) -> Option<u32> {
    Some(id)
}

#[cache(scope = "user", condition = id > 3)]
fn cached_at_all(user_id: u32, id: u32) -> u32 {
    user_id + id
}

#[cache(sync_writes = true)]
fn one_load(id: u32) -> u32 {
    id
}

#[cache(skip_all)]
fn nothing(id: u32) -> u32 {
    id
}

#[cache(expire_after = 60)]
fn expires(id: u32) -> u32 {
    id
}

#[cache(cache_err = true)]
fn failures(id: u32) -> Result<u32, u32> {
    Ok(id)
}

#[cache(result = true, option = true)]
fn successes(id: u32) -> Result<Option<u32>, u32> {
    Ok(Some(id))
}

#[cache(backend = "redis", tags = ["orders"])]
fn shared(id: u32) -> u32 {
    id
}

#[cache(ignore(db))]
fn part(db: &str, id: u32) -> usize {
    db.len() + id as usize
}

fn main() {}

use cacheado::cache;

#[cache(ttl = 60, stale = 30)]
fn with_stale(x: u64) -> u64 {
    x
}

#[cache(ttl = 60, refresh_after = 0.8)]
fn with_refresh_after(x: u64) -> u64 {
    x
}

#[cache(ttl = 60, timeout = "2s")]
fn with_timeout(x: u64) -> u64 {
    x
}

#[cache(ttl = 60, hard_timeout = "5s")]
fn with_hard_timeout(x: u64) -> u64 {
    x
}

#[cache(ttl = 60, jitter = 0.1)]
fn with_jitter(x: u64) -> u64 {
    x
}

#[cache(ttl = 60, idle = 60)]
fn with_idle(x: u64) -> u64 {
    x
}

#[cache(ttl = 60, err_ttl = 5)]
fn with_err_ttl(x: u64) -> u64 {
    x
}

#[cache(ttl = 60, none_ttl = 5)]
fn with_none_ttl(x: u64) -> u64 {
    x
}

#[cache(ttl = 60, detached)]
fn with_detached(x: u64) -> u64 {
    x
}

fn main() {}

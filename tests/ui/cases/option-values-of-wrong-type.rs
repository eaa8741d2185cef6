use cacheado::cache;

#[cache(version = "2")]
fn orders0(x: u64) -> u64 {
    x
}

#[cache(max_items = "many")]
fn orders1(x: u64) -> u64 {
    x
}

#[cache(cache_none = 1)]
fn orders2(x: u64) -> u64 {
    x
}

#[cache(single_flight = 2)]
fn orders3(x: u64) -> u64 {
    x
}

#[cache(name = orders)]
fn orders4(x: u64) -> u64 {
    x
}

#[cache(name = "")]
fn orders5(x: u64) -> u64 {
    x
}

#[cache(version = -1)]
fn orders6(x: u64) -> u64 {
    x
}

#[cache(ttl = 5m)]
fn orders7(x: u64) -> u64 {
    x
}

#[cache(ttl = 0.5min)]
fn orders8(x: u64) -> u64 {
    x
}

#[cache(ttl = "5m", jitter = 0.1pc)]
fn orders9(x: u64) -> u64 {
    x
}

#[cache(single_flight = cluster)]
fn orders10(x: u64) -> u64 {
    x
}

#[cache(key = "{x}")]
fn orders11(x: u64) -> u64 {
    x
}

#[cache(ttl = 60 * 5)]
fn orders12(x: u64) -> u64 {
    x
}

#[cache(ttl = 5_000ms)]
fn orders13(x: u64) -> u64 {
    x
}

#[cache(ttl = 0x10m)]
fn orders14(x: u64) -> u64 {
    x
}

#[cache(ttl = 2fortnights)]
fn orders15(x: u64) -> u64 {
    x
}

fn main() {}

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

fn main() {}

use cacheado::cache;

#[cache(ttl = 0)]
fn orders0(x: u64) -> u64 {
    x
}

#[cache(ttl = 0.0)]
fn orders1(x: u64) -> u64 {
    x
}

#[cache(ttl = -5)]
fn orders2(x: u64) -> u64 {
    x
}

#[cache(ttl = -0.5)]
fn orders3(x: u64) -> u64 {
    x
}

#[cache(ttl = 1e20)]
fn orders4(x: u64) -> u64 {
    x
}

#[cache(ttl = 1e999)]
fn orders5(x: u64) -> u64 {
    x
}

#[cache(ttl = 18446744073709551616)]
fn orders6(x: u64) -> u64 {
    x
}

#[cache(ttl = "0s")]
fn orders7(x: u64) -> u64 {
    x
}

#[cache(ttl = "nan")]
fn orders8(x: u64) -> u64 {
    x
}

#[cache(ttl = "soon")]
fn orders9(x: u64) -> u64 {
    x
}

#[cache(ttl = "99999999999999999999s")]
fn orders10(x: u64) -> u64 {
    x
}

#[cache(ttl = true)]
fn orders11(x: u64) -> u64 {
    x
}

fn main() {}

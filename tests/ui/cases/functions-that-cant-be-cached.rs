use cacheado::cache;

#[cache]
const fn constant(x: u64) -> u64 {
    x
}

#[cache]
extern "C" fn foreign(x: u64) -> u64 {
    x
}

#[cache]
fn never(x: u64) -> ! {
    panic!("{x}")
}

#[cache]
fn some_builds(x: u64, #[cfg(unix)] y: u64) -> u64 {
    x + y
}

fn main() {}

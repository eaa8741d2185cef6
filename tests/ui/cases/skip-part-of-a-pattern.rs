use cacheado::cache;

#[cache(skip(a))]
fn orders((a, b): (usize, usize)) -> usize {
    a + b
}

#[cache(skip(seed))]
#[allow(non_snake_case)]
fn upper_case((N, seed): (usize, Vec<u8>)) -> usize {
    N + seed.len()
}

macro_rules! pair {
    ($a:pat) => {
        ($a, _)
    };
}

#[cache(skip(seed))]
fn by_macro((pair!(n), seed): ((usize, usize), Vec<u8>)) -> usize {
    n + seed.len()
}

fn main() {}

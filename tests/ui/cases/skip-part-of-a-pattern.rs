use cacheado::cache;

#[cache(skip(a))]
fn orders((a, b): (usize, usize)) -> usize {
    a + b
}

fn main() {}

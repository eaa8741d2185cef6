use cacheado::{cache, put};

#[cache(tll = 60)]
fn orders(limit: usize) -> usize {
    limit
}

// that `'a` is no longer than what it borrows from, the skipped argument says alone
#[cache(skip(parts), tll = 60)]
fn sum<'a, T>(parts: &'a T, more: u64) -> u64
where
    &'a T: IntoIterator<Item = &'a u64>,
{
    parts.into_iter().sum::<u64>() + more
}

fn main() {
    let _ = put!(orders(3), 4);
}

use cacheado::cache;

const NONE: usize = 0;

#[cache(max_items = NONE)]
fn orders(limit: usize) -> usize {
    limit
}

const OWED: i32 = 1 - 2;

#[cache(max_items = OWED)]
fn debts(limit: usize) -> usize {
    limit
}

const PART: f64 = 1.5;

#[cache(max_items = PART)]
fn parts(limit: usize) -> usize {
    limit
}

fn main() {
    parts(3);
    debts(3);
    orders(3);
}

use cacheado::cache_impl;

#[cache_impl]
fn orders(limit: usize) -> usize {
    limit
}

struct Repo;

#[cache_impl(skip(self))]
impl Repo {}

fn main() {}

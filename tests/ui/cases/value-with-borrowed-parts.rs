//! Values that hold references: what doesn't outlive the call, and what can't be read back from a shared tier.
use cacheado::cache;

#[cache]
fn words<'a>(text: &'a str) -> Vec<&'a str> {
    text.split(' ').collect()
}

#[cache]
fn units(count: usize) -> Vec<&'static str> {
    vec!["one"; count]
}

#[cache]
fn named(id: u64) -> Option<(u64, &'static str)> {
    Some((id, "one"))
}

#[cache(local)]
fn kept(count: usize) -> Vec<&'static str> {
    vec!["one"; count]
}

#[cache(local)]
fn generic<T: Clone + Send + Sync>(id: u64) -> Option<T> {
    let _ = id;
    None
}

fn main() {
    kept(1);
}

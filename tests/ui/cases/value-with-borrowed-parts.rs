//! Values that hold references: what doesn't outlive the call, and what can't be read back from a shared tier.
use std::borrow::Cow;

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

#[cache]
fn perhaps(text: &str) -> Cow<'_, str> {
    text.into()
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Word<'a>(&'a str);

#[cache]
fn struct_that_borrows<'a>(text: &'a str) -> Result<Vec<Word<'a>>, String> {
    Ok(text.split(' ').map(Word).collect())
}

#[cache]
fn never_borrowed(id: u64) -> Option<Cow<'static, str>> {
    Some(id.to_string().into())
}

struct Unread<'a>(&'a str);

type Read<'a, T> = Result<T, Unread<'a>>;

#[cache]
fn error_that_borrows<'a>(text: &'a str) -> Read<'a, u64> {
    text.parse().map_err(|_| Unread(text))
}

fn main() {
    kept(1);
}

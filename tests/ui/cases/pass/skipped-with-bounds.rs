//! A skipped argument may be what says that others are well-formed: that a reference to `T` outlives no `T`, say, which a `where` clause
//! relies on.
#![deny(warnings)]

use std::fmt::Debug;

use cacheado::{cache, cache_evict, cache_impl, evict, peek};
use serde::Serialize;

trait Source {
    fn read(self, id: u64) -> u64;
}

impl Source for &u64 {
    fn read(self, id: u64) -> u64 {
        *self + id
    }
}

impl Source for &&u64 {
    fn read(self, id: u64) -> u64 {
        **self + id
    }
}

struct Holder<'a, T: Debug>(&'a T);

impl Source for Holder<'_, u64> {
    fn read(self, id: u64) -> u64 {
        *self.0 + id
    }
}

#[cache(skip(source))]
fn by_reference<'a, S>(source: &'a S, id: u64) -> u64
where
    &'a S: Source,
{
    source.read(id)
}

#[cache(skip(source))]
fn twice<'a, 'b, S>(source: &'a &'b S, id: u64) -> Result<u64, &'b S>
where
    &'a &'b S: Source,
{
    Ok(source.read(id))
}

#[cache(skip(source))]
fn inside<'a, T: Debug>(source: Holder<'a, T>, id: u64) -> u64
where
    Holder<'a, T>: Source,
{
    source.read(id)
}

#[cache(skip(source))]
async fn awaited<'a, S, T: Serialize>(source: &'a S, id: T) -> u64
where
    &'a S: Source + Send,
    T: Into<u64>,
{
    source.read(id.into())
}

#[cache(skip(list, _lent, source))]
fn of_many<'a, T, S>(list: &[&'a T], _lent: &str, source: &'a impl Into<T>, id: u64, by: S) -> u64
where
    &'a T: Source,
    S: Into<u64> + Serialize,
{
    let _ = source;
    list.iter().map(|it| it.read(id)).sum::<u64>() * by.into()
}

#[cache(skip(source))]
fn of_static<S>(source: &'static S, id: u64) -> u64
where
    &'static S: Source,
{
    source.read(id)
}

struct Repo<'r, T>(&'r T);

#[cache_impl]
impl<'r, T> Repo<'r, T> {
    #[cache(skip(self, source))]
    fn beside<'a, S>(&self, source: &'a S, id: u64) -> u64
    where
        &'a S: Source,
    {
        source.read(id)
    }

    #[cache(skip(self, source))]
    fn of_block<S>(&self, source: &'r S, id: u64) -> u64
    where
        &'r S: Source,
    {
        source.read(id)
    }
}

#[cache_evict(by_reference::<u64>(id), twice::<u64>(id), by_reference::<u64>(_, id + 1))]
fn change(id: u64) {}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (one, holder) = (1, Holder(&2_u64));
    assert_eq!(by_reference(&one, 1), 2);
    assert_eq!(by_reference(&one, 2), 3);
    assert_eq!(twice(&&one, 1), Ok(2));
    change(1);
    assert_eq!(peek!(by_reference(&one, 1)).unwrap(), None);
    assert_eq!(peek!(by_reference(&one, 2)).unwrap(), None);
    assert_eq!(peek!(twice(&&one, 1)).unwrap(), None);
    assert_eq!(inside(holder, 1), 3);
    assert_eq!(awaited(&one, 1_u64).await, 2);
    assert!(evict!(awaited(&one, 1_u64)).await.unwrap());
    assert_eq!(of_many(&[&one], "", &7_u64, 1, 2_u64), 4);
    assert!(evict!(of_many(&[&one], "", &7_u64, 1, 2_u64)).unwrap());
    assert_eq!(of_static(&3, 1), 4);
    let repo = Repo(&one);
    assert_eq!(repo.beside(&one, 1), 2);
    assert_eq!(repo.of_block(&one, 1), 2);
    assert!(evict!(repo.beside(&one, 1)).unwrap());
    let _ = repo.0;
}

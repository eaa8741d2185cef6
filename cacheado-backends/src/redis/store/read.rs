//! Looking entries up.

use std::time::{Duration, Instant};

use ::redis::{Pipeline, Value, cmd};

use super::super::exchange::Exchange;
use super::super::names::Bucket;
use super::super::script::{MARKS, ask, ask_all, ask_one};
use super::super::{reply, stored};
use super::lease::unowned;
use super::{BATCH, Store};
use crate::backend::{BackendResult, Lookup, Mark, Payload, Refused};
use crate::key::Key;

/// What one look-up came to.
enum Found {
    Hit(Payload),
    /// Nothing, and the marks in one text.
    Miss(Vec<u8>),
    /// Nothing, and no mark of the root's: no load can be known by the others.
    Unmarked,
    /// Something lies there that is no value, or did a moment ago.
    Foreign,
}

impl Store {
    pub(in super::super) async fn get(
        &self,
        io: &impl Exchange,
        key: &Key,
    ) -> BackendResult<Lookup> {
        let (bucket, name) = self.names.entry(key);
        let pipe = look_up(bucket, &name);
        let sent = Instant::now();
        let found = found(ask(io, pipe).await?, sent.elapsed())?;
        self.settle(io, found, bucket, &name, sent).await
    }

    pub(in super::super) async fn get_many(
        &self,
        io: &impl Exchange,
        keys: &[Key],
    ) -> BackendResult<Vec<Lookup>> {
        let mut lookups = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let entries: Vec<_> = keys.iter().map(|key| self.names.entry(key)).collect();
            let look_up = |(bucket, name): &(Bucket<'_>, String)| look_up(*bucket, name);
            let pipes: Vec<_> = entries.iter().map(look_up).collect();
            let sent = Instant::now();
            let answers = ask_all(io, &pipes).await?;
            let ago = sent.elapsed();
            for ((bucket, name), answers) in entries.into_iter().zip(answers) {
                let found = found(answers, ago)?;
                lookups.push(self.settle(io, found, bucket, &name, sent).await?);
            }
        }
        Ok(lookups)
    }

    pub(in super::super) async fn mark(
        &self,
        io: &impl Exchange,
        key: &Key,
    ) -> BackendResult<Mark> {
        let (bucket, name) = self.names.entry(key);
        let mut mget = cmd("MGET");
        for mark in bucket.marks(&name) {
            mget.arg(mark);
        }
        let sent = Instant::now();
        match marks(reply::array(ask_one(io, mget).await?)?)? {
            Some(seen) => Ok(unowned(&seen, sent)),
            None => self.first_mark(io, bucket, &name).await,
        }
    }

    /// What a look-up that was sent at `sent` comes to in the end.
    async fn settle(
        &self,
        io: &impl Exchange,
        found: Found,
        bucket: Bucket<'_>,
        name: &str,
        sent: Instant,
    ) -> BackendResult<Lookup> {
        let mark = match found {
            Found::Hit(payload) => return Ok(Lookup::Hit(payload)),
            Found::Miss(seen) => unowned(&seen, sent),
            Found::Unmarked => self.first_mark(io, bucket, name).await?,
            Found::Foreign => {
                let mut get = cmd("GET");
                get.arg(bucket.entry(name));
                // the server says so itself, if it lies there still
                reply::bytes(ask_one(io, get).await?)?;
                self.first_mark(io, bucket, name).await?
            }
        };
        Ok(Lookup::Miss(mark))
    }

    /// The mark of an entry, with one of the root's made if there is none. A server that is too full for that stores no value either.
    async fn first_mark(
        &self,
        io: &impl Exchange,
        bucket: Bucket<'_>,
        name: &str,
    ) -> BackendResult<Mark> {
        let sent = Instant::now();
        let mut call = MARKS.call(bucket.marks(name));
        call.arg(self.nonces.next()).arg(self.span());
        match ask_one(io, call).await {
            Ok(seen) => Ok(unowned(&reply::bytes(seen)?.unwrap_or_default(), sent)),
            Err(error) if error.is::<Refused>() => Ok(Mark::none()),
            Err(error) => Err(error),
        }
    }
}

/// What asks for an entry and its marks. How long it lives comes first: if it expires in between, it is not there.
fn look_up(bucket: Bucket<'_>, name: &str) -> Pipeline {
    let entry = bucket.entry(name);
    let mut pipe = Pipeline::with_capacity(2);
    pipe.cmd("PTTL").arg(&entry);
    pipe.cmd("MGET").arg(&entry);
    for mark in bucket.marks(name) {
        pipe.arg(mark);
    }
    pipe
}

/// What the answers to a look-up say, which was sent `ago`.
fn found(answers: Vec<Value>, ago: Duration) -> BackendResult<Found> {
    /// What PTTL says of a key that there is not.
    const ABSENT: i64 = -2;

    let [left, values] = reply::all(answers)?;
    let left = reply::integer(left)?;
    let mut values = reply::array(values)?.into_iter();
    match values.next().map(reply::bytes).transpose()?.flatten() {
        Some(value) if left != ABSENT => {
            if let Some(payload) = stored::read(&value, left, ago) {
                return Ok(Found::Hit(payload));
            }
        }
        None if left != ABSENT => return Ok(Found::Foreign),
        _ => {}
    }
    Ok(marks(values)?.map_or(Found::Unmarked, Found::Miss))
}

/// The marks in one text, as the scripts write it, the root's first; `None` if there is none of the root's.
fn marks(values: impl IntoIterator<Item = Value>) -> BackendResult<Option<Vec<u8>>> {
    let mut text = Vec::new();
    for (nth, value) in values.into_iter().enumerate() {
        if nth > 0 {
            text.push(b',');
        }
        match reply::bytes(value)? {
            Some(mark) => text.extend(mark),
            None if nth == 0 => return Ok(None),
            None => {}
        }
    }
    Ok(Some(text))
}

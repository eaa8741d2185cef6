//! Looking up entries.

use std::iter::once;
use std::time::{Duration, Instant};

use ::redis::{Cmd, Pipeline, Value, cmd};

use super::super::exchange::Exchange;
use super::super::names::{Bucket, Name};
use super::super::script::{MARKS, ask, ask_all, ask_one, command, pipe};
use super::super::{reply, stored};
use super::lease::unowned;
use super::{BATCH, Store};
use crate::backend::{BackendResult, Lookup, Mark, Payload, Refused};
use crate::key::Key;

/// The outcome of one lookup.
enum Found {
    Hit(Payload),
    /// A miss, with the marks as one text.
    Miss(Vec<u8>),
    /// A miss without a root mark: the other marks can't identify a load then.
    Unmarked,
    /// The key holds, or just held, something that is not a string.
    Foreign,
}

/// What a lookup asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Wanted {
    /// The value alone. Its whole lifetime is then taken for what is left.
    Value,
    /// The value and its remaining lifetime.
    Lifetime,
}

impl Store {
    pub(in super::super) async fn get(
        &self,
        io: &impl Exchange,
        key: &Key,
        wanted: Wanted,
    ) -> BackendResult<Lookup> {
        let (bucket, name) = self.names.entry(key);
        let lookup = if self.streak.is_long() {
            self.get_alone(io, bucket, &name, wanted).await
        } else {
            let pipe = look_up(bucket, &name);
            let sent = Instant::now();
            let found = found(ask(io, pipe).await?, sent.elapsed())?;
            self.settle(io, found, bucket, &name, sent).await
        }?;
        self.streak.count(matches!(lookup, Lookup::Hit(_)));
        Ok(lookup)
    }

    /// Looks up the value first, and asks for the marks only on a miss.
    async fn get_alone(
        &self,
        io: &impl Exchange,
        bucket: Bucket<'_>,
        name: &str,
        wanted: Wanted,
    ) -> BackendResult<Lookup> {
        let mut get = command("GET", 256);
        get.arg(bucket.entry(name));
        let sent = Instant::now();
        let (left, value) = match wanted {
            Wanted::Value => (None, ask_one(io, get).await?),
            Wanted::Lifetime => {
                let pipe = pipe([time_left(bucket, name), get]);
                let [left, value] = reply::all(ask(io, pipe).await?)?;
                (Some(reply::integer(left)?), value)
            }
        };
        match value_of(left, value, sent.elapsed())? {
            Some(found) => self.settle(io, found, bucket, name, sent).await,
            None => self.mark_of(io, bucket, name).await.map(Lookup::Miss),
        }
    }

    /// Takes one round trip for all keys, one more for the marks of the misses (a hit needs none, and there are several per key), and
    /// a third for keys without a root mark.
    pub(in super::super) async fn get_many(
        &self,
        io: &impl Exchange,
        keys: &[Key],
        wanted: Wanted,
    ) -> BackendResult<Vec<Lookup>> {
        let mut lookups = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let entries: Vec<_> = keys.iter().map(|key| self.names.entry(key)).collect();
            let mut found = values(io, &entries, wanted).await?;
            let missing: Vec<_> = (0..found.len())
                .filter(|&nth| found[nth].is_none())
                .collect();
            // MGET answers nil for a foreign type as well; PTTL does not, and is asked here unless `values` has
            let ask_for = |&nth: &usize| {
                let (bucket, name) = &entries[nth];
                let left = (wanted == Wanted::Value).then(|| time_left(*bucket, name));
                pipe(left.into_iter().chain([look_for_marks(*bucket, name)]))
            };
            let pipes: Vec<_> = missing.iter().map(ask_for).collect();
            let sent = Instant::now();
            for (nth, mut answers) in missing.into_iter().zip(ask_all(io, &pipes).await?) {
                let seen = reply::array(answers.pop().unwrap_or_default())?;
                let left = answers.pop().map(reply::integer).transpose()?;
                found[nth] = Some(match marks(seen)? {
                    _ if left.is_some_and(|left| left != ABSENT) => Found::Foreign,
                    Some(seen) => Found::Miss(seen),
                    None => Found::Unmarked,
                });
            }
            let mut first_marks = self.first_marks(io, &entries, &found).await?.into_iter();
            for ((bucket, name), found) in entries.into_iter().zip(found) {
                let found = match found {
                    Some(Found::Unmarked) | None => {
                        let mark = first_marks.next().unwrap_or_else(Mark::none);
                        lookups.push(Lookup::Miss(mark));
                        continue;
                    }
                    Some(found) => found,
                };
                lookups.push(match self.settle(io, found, bucket, &name, sent).await {
                    // one foreign entry does not fail the others; a value loaded in its place is not stored
                    Err(error) if error.is::<Refused>() => {
                        tracing::warn!(%error, "one of many entries can't be read");
                        Lookup::Miss(Mark::none())
                    }
                    settled => settled?,
                });
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
        self.mark_of(io, bucket, &name).await
    }

    async fn mark_of(
        &self,
        io: &impl Exchange,
        bucket: Bucket<'_>,
        name: &str,
    ) -> BackendResult<Mark> {
        let sent = Instant::now();
        let seen = ask_one(io, look_for_marks(bucket, name)).await?;
        match marks(reply::array(seen)?)? {
            Some(seen) => Ok(unowned(&seen, sent)),
            None => self.first_mark(io, bucket, name).await,
        }
    }

    /// The final result of a lookup that was sent at `sent`.
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
                // the server answers with an error if the foreign value is still there
                reply::bytes(ask_one(io, get).await?)?;
                self.first_mark(io, bucket, name).await?
            }
        };
        Ok(Lookup::Miss(mark))
    }

    /// The mark of an entry. Creates the root's mark if there is none.
    async fn first_mark(
        &self,
        io: &impl Exchange,
        bucket: Bucket<'_>,
        name: &str,
    ) -> BackendResult<Mark> {
        let sent = Instant::now();
        let call = self.first_mark_call(bucket, name);
        first_mark_of(ask(io, pipe([call])).await?, sent)
    }

    /// The [first marks](Self::first_mark) of those `entries` that were `found` without a mark.
    async fn first_marks(
        &self,
        io: &impl Exchange,
        entries: &[(Bucket<'_>, String)],
        found: &[Option<Found>],
    ) -> BackendResult<Vec<Mark>> {
        let unmarked = entries.iter().zip(found);
        let unmarked = unmarked.filter(|(_, found)| matches!(found, Some(Found::Unmarked) | None));
        let pipes = unmarked.map(|((bucket, name), _)| pipe([self.first_mark_call(*bucket, name)]));
        let pipes: Vec<_> = pipes.collect();
        if pipes.is_empty() {
            return Ok(Vec::new());
        }
        let sent = Instant::now();
        let answers = ask_all(io, &pipes).await?.into_iter();
        answers.map(|answer| first_mark_of(answer, sent)).collect()
    }

    fn first_mark_call(&self, bucket: Bucket<'_>, name: &str) -> Cmd {
        let mut call = MARKS.call(bucket.marks(name));
        call.arg(self.nonces.next()).arg(self.span());
        call
    }
}

/// Reads the answer to a request that was sent at `sent`. A server too full for a mark stores no value either, so no mark is needed.
fn first_mark_of(answer: Vec<Value>, sent: Instant) -> BackendResult<Mark> {
    match reply::first(answer) {
        Ok(seen) => Ok(unowned(&reply::bytes(seen)?.unwrap_or_default(), sent)),
        Err(error) if error.is::<Refused>() => Ok(Mark::none()),
        Err(error) => Err(error),
    }
}

/// The commands that read an entry and its marks.
fn look_up(bucket: Bucket<'_>, name: &str) -> Pipeline {
    let names = once(bucket.entry(name)).chain(bucket.marks(name));
    pipe([time_left(bucket, name), mget(names)])
}

/// The command that asks for an entry's TTL. It goes ahead of the value: an entry that expires in between is then missing.
fn time_left(bucket: Bucket<'_>, name: &str) -> Cmd {
    let mut left = command("PTTL", 256);
    left.arg(bucket.entry(name));
    left
}

/// The command that reads only the marks of an entry.
fn look_for_marks(bucket: Bucket<'_>, name: &str) -> Cmd {
    mget(bucket.marks(name))
}

fn mget<'n>(names: impl Iterator<Item = Name<'n>>) -> Cmd {
    let mut mget = command("MGET", 512);
    for name in names {
        mget.arg(name);
    }
    mget
}

/// Reads the value of each entry, without marks; `None` for a miss. The values of one bucket take one command.
async fn values(
    io: &impl Exchange,
    entries: &[(Bucket<'_>, String)],
    wanted: Wanted,
) -> BackendResult<Vec<Option<Found>>> {
    let mut buckets: Vec<(Bucket<'_>, Vec<usize>)> = Vec::new();
    for (nth, (bucket, _)) in entries.iter().enumerate() {
        match buckets.iter_mut().find(|(known, _)| known == bucket) {
            Some((_, own)) => own.push(nth),
            None => buckets.push((*bucket, vec![nth])),
        }
    }
    let ask_for = |(bucket, own): &(Bucket<'_>, Vec<usize>)| {
        let names: Vec<_> = own
            .iter()
            .map(|&nth| bucket.entry(&entries[nth].1))
            .collect();
        let mut pipe = Pipeline::with_capacity(names.len() + 1);
        if wanted == Wanted::Lifetime {
            for name in &names {
                pipe.cmd("PTTL").arg(name);
            }
        }
        pipe.cmd("MGET").arg(names);
        pipe
    };
    let pipes: Vec<_> = buckets.iter().map(ask_for).collect();
    let sent = Instant::now();
    let answers = ask_all(io, &pipes).await?;
    let ago = sent.elapsed();
    let mut found: Vec<Option<Found>> = entries.iter().map(|_| None).collect();
    for ((_, own), mut answers) in buckets.into_iter().zip(answers) {
        let values = reply::array(answers.pop().unwrap_or_default())?;
        let lefts = match wanted {
            Wanted::Value => Ok(vec![None; own.len()]),
            Wanted::Lifetime => {
                let lefts = answers.into_iter();
                lefts.map(|left| reply::integer(left).map(Some)).collect()
            }
        };
        let lefts: Vec<Option<i64>> = lefts?;
        if lefts.len() != own.len() || values.len() != own.len() {
            return reply::unexpected("fewer or more than it was asked");
        }
        for ((nth, left), value) in own.into_iter().zip(lefts).zip(values) {
            found[nth] = value_of(left, value, ago)?;
        }
    }
    Ok(found)
}

/// Reads the answers to a lookup that was sent `ago`.
fn found(answers: Vec<Value>, ago: Duration) -> BackendResult<Found> {
    let [left, values] = reply::all(answers)?;
    let left = Some(reply::integer(left)?);
    let mut values = reply::array(values)?.into_iter();
    if let Some(found) = value_of(left, values.next().unwrap_or_default(), ago)? {
        return Ok(found);
    }
    Ok(marks(values)?.map_or(Found::Unmarked, Found::Miss))
}

/// PTTL's answer for a missing key.
const ABSENT: i64 = -2;
/// PTTL's answer for a key without an expiry.
const NO_END: i64 = -1;

/// Reads the answers of PTTL (`left`, if it was asked) and of GET or MGET, sent `ago`, for one entry; `None` for a miss.
fn value_of(left: Option<i64>, value: Value, ago: Duration) -> BackendResult<Option<Found>> {
    Ok(match (reply::bytes(value)?, left) {
        (_, Some(ABSENT)) | (None, None) => None,
        (None, Some(_)) => Some(Found::Foreign),
        (Some(value), left) => stored::read(&value, left.unwrap_or(NO_END), ago).map(Found::Hit),
    })
}

/// Joins the marks in the format of the scripts, the root's first; `None` without a root mark.
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

//! Storing values.
//!
//! A script decides whether a value is stored. A value that passes through a script is copied several times and left to Lua's garbage
//! collector, which takes the server several times as long as storing it. So a large value is staged: a plain command just before the
//! script stores it under a key of its own, and the script renames that key. Until then no one reads the key, and it expires by
//! itself.

use ::redis::{Cmd, Pipeline, Value};

use super::super::exchange::Exchange;
use super::super::names::{Bucket, Name};
use super::super::reply;
use super::super::script::{FILL, PUT, ask, ask_all, command, pipe};
use super::super::stored::{self, Stored};
use super::lease::parts;
use super::{BATCH, Store};
use crate::backend::{BackendResult, Change, Mark, Payload};
use crate::key::Key;

/// The size in bytes from which a value is staged.
const LARGE: usize = 2048;

/// How long a staged value stays, in milliseconds: the script comes with it, or one round trip later if the server does not know the
/// script.
const STAGED: u64 = 10_000;

impl Store {
    pub(in super::super) async fn set(
        &self,
        io: &impl Exchange,
        key: &Key,
        payload: &Payload,
    ) -> BackendResult<()> {
        told(ask(io, self.set_pipe(key, payload)).await?).map(drop)
    }

    pub(in super::super) async fn set_many(
        &self,
        io: &impl Exchange,
        entries: &[(Key, Payload)],
    ) -> BackendResult<()> {
        for entries in entries.chunks(BATCH) {
            let set = |(key, payload): &(Key, Payload)| self.set_pipe(key, payload);
            let pipes: Vec<_> = entries.iter().map(set).collect();
            for answer in ask_all(io, &pipes).await? {
                told(answer)?;
            }
        }
        Ok(())
    }

    pub(in super::super) async fn fill(
        &self,
        io: &impl Exchange,
        key: &Key,
        payload: &Payload,
        mark: &Mark,
    ) -> BackendResult<bool> {
        match self.fill_pipe(key, payload, mark) {
            Some(pipe) => Ok(told(ask(io, pipe).await?)? == 1),
            None => self.release(io, key, mark, None).await.map(|()| false),
        }
    }

    pub(in super::super) async fn fill_many(
        &self,
        io: &impl Exchange,
        entries: &[(Key, Payload, Mark)],
    ) -> BackendResult<Vec<bool>> {
        let mut filled = Vec::with_capacity(entries.len());
        for entries in entries.chunks(BATCH) {
            let pipes: Vec<_> = entries
                .iter()
                .map(|(key, payload, mark)| self.fill_pipe(key, payload, mark))
                .collect();
            let sent: Vec<_> = pipes.iter().map(Option::is_some).collect();
            let pipes: Vec<_> = pipes.into_iter().flatten().collect();
            let mut answers = ask_all(io, &pipes).await?.into_iter();
            for (sent, (key, _, mark)) in sent.into_iter().zip(entries) {
                filled.push(if sent {
                    let answer = answers.next().unwrap_or_default();
                    told(answer)? == 1
                } else {
                    self.release(io, key, mark, None).await?;
                    false
                });
            }
        }
        Ok(filled)
    }

    pub(in super::super) async fn put(
        &self,
        io: &impl Exchange,
        key: &Key,
        payload: &Payload,
        mark: &Mark,
    ) -> BackendResult<bool> {
        // a mark that is too old, or none, can't tell whether the key was evicted or set since
        let seen = parts(mark).filter(|_| mark.age() <= self.load_limit);
        let (Some((_, seen)), Some(life)) = (seen, stored::life(payload.lifetime)) else {
            return self.evict(io, key).await.map(|_| false);
        };
        let (bucket, name) = self.names.entry(key);
        let marks = bucket.marks(&name);
        let pipe = self.put_pipe((bucket, &name), marks, key, payload, life, Some(seen));
        Ok(told(ask(io, pipe).await?)? == 1)
    }

    /// Stores the payload unconditionally. A lifetime under a millisecond evicts the entry instead.
    fn set_pipe(&self, key: &Key, payload: &Payload) -> Pipeline {
        let Some(life) = stored::life(payload.lifetime) else {
            return pipe([self.evict_call(key)]);
        };
        let (bucket, name) = self.names.entry(key);
        let marks = [bucket.root_mark(), bucket.mark(&name)];
        self.put_pipe((bucket, &name), marks, key, payload, life, None)
    }

    fn put_pipe<'n>(
        &self,
        (bucket, name): (Bucket<'n>, &'n str),
        marks: impl IntoIterator<Item = Name<'n>>,
        key: &Key,
        payload: &Payload,
        life: u64,
        seen: Option<&[u8]>,
    ) -> Pipeline {
        let keys = [bucket.index(), bucket.deadlines(), bucket.entry(name)];
        let mut call = PUT.call(keys.into_iter().chain(marks));
        let lay_down = self.add_value(&mut call, bucket, payload, life);
        call.arg(life)
            .arg(self.nonces.next())
            .arg(self.span())
            .arg(self.names.channel())
            .arg(self.message(&Change::Key(key.clone())));
        if let Some(seen) = seen {
            call.arg(seen);
        }
        pipe(lay_down.into_iter().chain([call]))
    }

    /// Stores the payload of a load that began at `mark`; `None` if the payload must not be stored and no server need be asked.
    fn fill_pipe(&self, key: &Key, payload: &Payload, mark: &Mark) -> Option<Pipeline> {
        let life = stored::life(payload.lifetime)?;
        let (owner, seen) = parts(mark).filter(|_| mark.age() <= self.load_limit)?;
        let (bucket, name) = self.names.entry(key);
        let keys = [bucket.index(), bucket.deadlines(), bucket.entry(&name)];
        let owner = Some(owner).filter(|owner| !owner.is_empty());
        let lease = owner.map(|_| bucket.lease(&name));
        let mut call = FILL.call(keys.into_iter().chain(bucket.marks(&name)).chain(lease));
        let lay_down = self.add_value(&mut call, bucket, payload, life);
        call.arg(life).arg(seen).arg(owner);
        Some(pipe(lay_down.into_iter().chain([call])))
    }

    /// Adds the value to the script's arguments. For a large value, adds the staging key instead and returns the command that stages
    /// the value.
    fn add_value(
        &self,
        call: &mut Cmd,
        bucket: Bucket<'_>,
        payload: &Payload,
        life: u64,
    ) -> Option<Cmd> {
        let value = Stored::new(payload, life);
        if value.len() < LARGE {
            call.arg(value);
            return None;
        }
        let nonce = self.nonces.next();
        let staged = bucket.staged(&nonce);
        call.arg(staged);
        let mut lay_down = command("SET", value.len() + 256);
        lay_down.arg(staged).arg(value).arg("PX").arg(STAGED);
        Some(lay_down)
    }
}

/// The script's answer, which comes last. If staging failed, returns that error.
fn told(mut answers: Vec<Value>) -> BackendResult<i64> {
    let script = answers.pop().unwrap_or_default();
    for laid_down in answers {
        reply::bytes(laid_down)?;
    }
    reply::integer(script)
}

//! Storing values.

use ::redis::{Cmd, Pipeline};

use super::super::exchange::Exchange;
use super::super::names::Bucket;
use super::super::script::{FILL, PUT, ask_all, ask_one};
use super::super::{reply, stored};
use super::lease::parts;
use super::{BATCH, Store};
use crate::backend::{BackendResult, Change, Mark, Payload};
use crate::key::Key;

impl Store {
    pub(in super::super) async fn set(
        &self,
        io: &impl Exchange,
        key: &Key,
        payload: &Payload,
    ) -> BackendResult<()> {
        reply::integer(ask_one(io, self.set_call(key, payload)).await?).map(drop)
    }

    pub(in super::super) async fn set_many(
        &self,
        io: &impl Exchange,
        entries: &[(Key, Payload)],
    ) -> BackendResult<()> {
        for entries in entries.chunks(BATCH) {
            let set = |(key, payload): &(Key, Payload)| single(self.set_call(key, payload));
            let pipes: Vec<_> = entries.iter().map(set).collect();
            for answer in ask_all(io, &pipes).await? {
                reply::integer(reply::first(answer)?)?;
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
        match self.fill_call(key, payload, mark) {
            Some(call) => Ok(reply::integer(ask_one(io, call).await?)? == 1),
            None => self.release(io, key, mark).await.map(|()| false),
        }
    }

    pub(in super::super) async fn fill_many(
        &self,
        io: &impl Exchange,
        entries: &[(Key, Payload, Mark)],
    ) -> BackendResult<Vec<bool>> {
        let mut filled = Vec::with_capacity(entries.len());
        for entries in entries.chunks(BATCH) {
            let calls: Vec<_> = entries
                .iter()
                .map(|(key, payload, mark)| self.fill_call(key, payload, mark))
                .collect();
            let sent: Vec<_> = calls.iter().map(Option::is_some).collect();
            let pipes: Vec<_> = calls.into_iter().flatten().map(single).collect();
            let mut answers = ask_all(io, &pipes).await?.into_iter();
            for (sent, (key, _, mark)) in sent.into_iter().zip(entries) {
                filled.push(if sent {
                    let answer = answers.next().unwrap_or_default();
                    reply::integer(reply::first(answer)?)? == 1
                } else {
                    self.release(io, key, mark).await?;
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
        // of a mark that is too old, or of none, it can't be said whether it holds
        let seen = parts(mark).filter(|_| mark.age() <= self.load_limit);
        let (Some((_, seen)), Some(life)) = (seen, stored::life(payload.lifetime)) else {
            return self.evict(io, key).await.map(|_| false);
        };
        let (bucket, name) = self.names.entry(key);
        let marks = bucket.marks(&name);
        let mut call = self.put_call((bucket, &name), marks, key, payload, life);
        call.arg(seen);
        Ok(reply::integer(ask_one(io, call).await?)? == 1)
    }

    /// What stores the payload whatever came between. One that is over before it begins is stored by removing what it takes the place of.
    fn set_call(&self, key: &Key, payload: &Payload) -> Cmd {
        let Some(life) = stored::life(payload.lifetime) else {
            return self.evict_call(key);
        };
        let (bucket, name) = self.names.entry(key);
        let mark = [bucket.mark(&name)];
        self.put_call((bucket, &name), mark, key, payload, life)
    }

    fn put_call(
        &self,
        (bucket, name): (Bucket<'_>, &str),
        marks: impl IntoIterator<Item = String>,
        key: &Key,
        payload: &Payload,
        life: u64,
    ) -> Cmd {
        let keys = [bucket.index(), bucket.deadlines(), bucket.entry(name)];
        let mut call = PUT.call(keys.into_iter().chain(marks));
        call.arg(name)
            .arg(stored::write(payload, life))
            .arg(life)
            .arg(self.nonces.next())
            .arg(self.span())
            .arg(self.names.channel())
            .arg(self.message(&Change::Key(key.clone())));
        call
    }

    /// What stores the payload of a load that began at `mark`; `None` if no server need be asked to know that it must not be.
    fn fill_call(&self, key: &Key, payload: &Payload, mark: &Mark) -> Option<Cmd> {
        let life = stored::life(payload.lifetime)?;
        let (owner, seen) = parts(mark).filter(|_| mark.age() <= self.load_limit)?;
        let (bucket, name) = self.names.entry(key);
        let keys = [
            bucket.index(),
            bucket.deadlines(),
            bucket.entry(&name),
            bucket.lease(&name),
        ];
        let mut call = FILL.call(keys.into_iter().chain(bucket.marks(&name)));
        call.arg(&name)
            .arg(stored::write(payload, life))
            .arg(life)
            .arg(owner)
            .arg(seen);
        Some(call)
    }
}

/// A pipe of one command.
fn single(call: Cmd) -> Pipeline {
    let mut pipe = Pipeline::with_capacity(1);
    pipe.add_command(call);
    pipe
}

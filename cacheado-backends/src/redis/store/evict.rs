//! Removing entries.

use ::redis::Cmd;

use super::super::exchange::Exchange;
use super::super::names::Bucket;
use super::super::reply;
use super::super::script::{EVICT, EVICT_SCOPE, TELL, ask_all, ask_one, pipe};
use super::Store;
use crate::address;
use crate::backend::{BackendResult, Change};
use crate::key::Key;
use crate::scope::Scope;

/// How many entries a script removes at most, during which the server does nothing else.
const PART: usize = 1000;

/// How often a scope is gone through at most.
const PASSES: usize = 3;

/// What is left to be removed of one bucket.
struct Rest<'a> {
    bucket: Bucket<'a>,
    /// Where it begins: a bound as ZRANGEBYLEX takes it.
    from: Vec<u8>,
    /// Whether it is all: then the scope's mark is yet to be written.
    whole: bool,
}

impl Store {
    pub(in super::super) async fn evict(
        &self,
        io: &impl Exchange,
        key: &Key,
    ) -> BackendResult<bool> {
        Ok(reply::integer(ask_one(io, self.evict_call(key)).await?)? > 0)
    }

    pub(super) fn evict_call(&self, key: &Key) -> Cmd {
        let (bucket, name) = self.names.entry(key);
        let mut call = EVICT.call([
            bucket.index(),
            bucket.deadlines(),
            bucket.entry(&name),
            bucket.root_mark(),
            bucket.mark(&name),
        ]);
        call.arg(self.nonces.next())
            .arg(self.span())
            .arg(self.names.channel())
            .arg(self.message(&Change::Key(key.clone())));
        call
    }

    pub(in super::super) async fn evict_by_scope(
        &self,
        io: &impl Exchange,
        scope: &Scope,
    ) -> BackendResult<u64> {
        let change = Change::Scope(scope.clone());
        self.evict_all_of(io, scope, &change).await
    }

    pub(in super::super) async fn clear(&self, io: &impl Exchange) -> BackendResult<()> {
        let all = Scope::global();
        self.evict_all_of(io, &all, &Change::All).await.map(drop)
    }

    /// Removes what is in `scope`, and tells others.
    ///
    /// That takes several steps if there is much, or if it lies in several buckets. A load that began between two of them may have found
    /// what was about to go, and have stored what it made of that where all was gone by then. So it is done again, until all is removed
    /// in one step, or there is nothing; or a few times, where others store more than one step removes: what is there then is at least as
    /// many loads away from what was to go.
    async fn evict_all_of(
        &self,
        io: &impl Exchange,
        scope: &Scope,
        change: &Change,
    ) -> BackendResult<u64> {
        let name = address::scope(scope);
        let buckets = self.names.scope(scope);
        let message = self.message(change);
        // of several buckets none knows which is the last
        let in_script = (buckets.len() == 1).then_some(&*message);
        let mut removed = 0;
        for _ in 0..PASSES {
            let (count, steps) = self.pass(io, &name, &buckets, in_script).await?;
            removed += count;
            if in_script.is_some() && steps == 1 {
                return Ok(removed);
            }
            if count == 0 {
                break;
            }
        }
        let mut tell = TELL.call([buckets[0].staged(&self.nonces.next())]);
        tell.arg(self.names.channel()).arg(&*message);
        reply::integer(ask_one(io, tell).await?)?;
        Ok(removed)
    }

    /// Removes what is called `name` and what follows, part by part. Each part is a round trip of its own. If all is removed with the first,
    /// that takes the `message` as well. Returns how many live entries there were, and in how many round trips.
    async fn pass(
        &self,
        io: &impl Exchange,
        name: &str,
        buckets: &[Bucket<'_>],
        message: Option<&[u8]>,
    ) -> BackendResult<(u64, usize)> {
        let begin = |&bucket: &_| Rest {
            bucket,
            from: lower(name),
            whole: true,
        };
        let mut rest: Vec<_> = buckets.iter().map(begin).collect();
        let (mut removed, mut steps) = (0, 0);
        while !rest.is_empty() {
            let message = message.filter(|_| steps == 0);
            let call = |rest: &Rest<'_>| pipe([self.part_call(rest, name, message)]);
            let pipes: Vec<_> = rest.iter().map(call).collect();
            let answers = ask_all(io, &pipes).await?;
            steps += 1;
            let mut left = Vec::new();
            for (Rest { bucket, .. }, answer) in rest.into_iter().zip(answers) {
                let mut answer = reply::array(reply::first(answer)?)?.into_iter();
                let count = answer.next().map(reply::integer).transpose()?;
                removed += count.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
                if let Some(last) = answer.next().map(reply::bytes).transpose()?.flatten() {
                    left.push(Rest {
                        bucket,
                        from: [b"(", &*last].concat(),
                        whole: false,
                    });
                }
            }
            rest = left;
        }
        Ok((removed, steps))
    }

    fn part_call(&self, rest: &Rest<'_>, name: &str, message: Option<&[u8]>) -> Cmd {
        let bucket = rest.bucket;
        let mut call = EVICT_SCOPE.call([
            bucket.index(),
            bucket.deadlines(),
            bucket.root_mark(),
            bucket.mark(name),
        ]);
        call.arg(bucket.prefix())
            .arg(&*rest.from)
            .arg(upper(name))
            .arg(PART)
            .arg(if rest.whole {
                self.nonces.next()
            } else {
                String::new()
            })
            .arg(self.span())
            .arg(self.names.channel())
            .arg(message.unwrap_or_default());
        call
    }
}

/// The bounds of the names that begin with `name`, as ZRANGEBYLEX takes them.
fn lower(name: &str) -> Vec<u8> {
    if name.is_empty() {
        b"-".to_vec()
    } else {
        [b"[", name.as_bytes()].concat()
    }
}

fn upper(name: &str) -> Vec<u8> {
    if name.is_empty() {
        b"+".to_vec()
    } else {
        // a byte that no text has
        [b"(", name.as_bytes(), b"\xff"].concat()
    }
}

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

/// The maximum number of entries that one script removes. The server does nothing else meanwhile.
const PART: usize = 1000;

/// The maximum number of passes over a scope.
const PASSES: usize = 3;

/// What is left to remove from one bucket.
struct Rest<'a> {
    bucket: Bucket<'a>,
    /// The lower bound of the names, as ZRANGEBYLEX takes it.
    from: Vec<u8>,
    /// Whether nothing was removed yet: then the scope's mark is still to be written.
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

    /// Removes everything in `scope` and tells other processes.
    ///
    /// A large scope, or one in several buckets, takes several steps. A load that began between two steps may have read an entry that
    /// was about to be removed, and have stored its result where the removal was already done. So the pass is repeated until it
    /// removes everything in one step or finds nothing. If other processes keep storing more than one step removes, it ends after a
    /// few passes: any entry left is then at least as many loads away from the removed ones.
    async fn evict_all_of(
        &self,
        io: &impl Exchange,
        scope: &Scope,
        change: &Change,
    ) -> BackendResult<u64> {
        let name = address::scope(scope);
        let buckets = self.names.scope(scope);
        let message = self.message(change);
        // with several buckets, none knows that it is the last
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

    /// Removes the names that begin with `name`, part by part, with one round trip per part. The script of the first part publishes
    /// `message` if that part removes everything. Returns how many live entries were removed, and in how many round trips.
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
        // this byte occurs in no UTF-8 text
        [b"(", name.as_bytes(), b"\xff"].concat()
    }
}

//! Deleting all that is under some beginning of names, in parts that each take a fraction of the time that a round trip may take: so a
//! large scope makes progress on a server however slow, and what one attempt has deleted the next finds gone.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ::mongodb::bson::{Document, doc};

use super::document;
use super::failure::failure;
use super::runtime;
use super::store::Store;
use crate::backend::BackendResult;

/// How often all is gone through at most.
const PASSES: usize = 3;

/// How many times as long as one part all may take.
pub(super) const MOST: u32 = 25;

/// How many entries a part has.
const FEWEST: u32 = 8;
const FIRST: u32 = 256;
const LARGEST: u32 = 1024;

/// How many bytes of names a part has before it takes no more: they go to the server in one command.
const NAMES: usize = 1 << 20;

/// How many entries the next part is to have.
pub(super) struct Size(AtomicU32);

impl Size {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(FIRST))
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// One of `size` `took` so long, of the `limit`.
    fn learn(&self, size: u32, took: Duration, limit: Duration) {
        let next = if took > limit / 4 {
            size / 2
        } else if took < limit / 16 {
            size * 2
        } else {
            size
        };
        self.0.store(next.clamp(FEWEST, LARGEST), Ordering::Relaxed);
    }
}

/// What was deleted in one part.
#[derive(Default)]
struct Deleted {
    /// How many were live.
    live: u64,
    /// Whether there was anything.
    any: bool,
    /// The range of the names behind them.
    rest: Option<Document>,
}

impl Store {
    /// Deletes the documents whose names begin with `prefix`, as they are when it comes to them. Returns how many of them were
    /// live.
    ///
    /// A load that begins meanwhile may find what is about to go, and what it makes of that be stored where all was gone by then. So it is
    /// done again, until there is nothing; or a few times, where others store all the time: what is there then is at least as many loads
    /// away from what was to go.
    pub(super) async fn delete_beginning_with(&self, prefix: &str) -> BackendResult<u64> {
        let mut count = 0;
        for _ in 0..PASSES {
            let (deleted, any) = self.delete_once(prefix).await?;
            count += deleted;
            if !any {
                break;
            }
        }
        Ok(count)
    }

    /// Goes through them once. Returns how many were live, and whether there were any at all.
    async fn delete_once(&self, prefix: &str) -> BackendResult<(u64, bool)> {
        let (mut count, mut any) = (0, false);
        let mut rest = Some(document::beginning_with(prefix));
        while let Some(range) = rest {
            let size = self.part.get();
            let started = Instant::now();
            let done = runtime::within(self.timeout, self.delete_part(range, size)).await;
            // also if it failed: the next attempt is to get through
            self.part.learn(size, started.elapsed(), self.timeout);
            let part = done?;
            count += part.live;
            any |= part.any;
            rest = part.rest;
        }
        Ok((count, any))
    }

    /// Deletes the first `size` documents with names in `range`.
    ///
    /// First what is live goes, and is counted; then all that is left: places, and with them the tokens of loads under way, and what
    /// has expired. The second deletion spares nothing: a value whose time was over at the first may be filled again before the
    /// second comes to it, by a load that began before either. It is left out only if the first has taken each name away that was
    /// found: what is there again has another token. So has what was not found at all. What is set between the two goes
    /// uncounted; it is as if it had been set just before.
    async fn delete_part(&self, range: Document, size: u32) -> BackendResult<Deleted> {
        let (names, more) = self.first_of(&range, size).await?;
        let Some(last) = names.last() else {
            return Ok(Deleted::default());
        };
        let rest = more.then(|| document::behind(range, last));
        let found = names.len();
        let all = doc! { "_id": { "$in": names } };
        let mut these = all.clone();
        these.insert("$expr", document::is_live());
        let gone = self.documents.delete_many(these).await;
        let live = gone.map_err(failure)?.deleted_count;
        if usize::try_from(live) != Ok(found) {
            let gone = self.documents.delete_many(all).await;
            gone.map_err(failure)?;
        }
        Ok(Deleted {
            live,
            any: true,
            rest,
        })
    }

    /// The first names in `range`, `size` at most, and whether there may be more.
    async fn first_of(&self, range: &Document, size: u32) -> BackendResult<(Vec<String>, bool)> {
        let find = self.documents.find(doc! { "_id": range });
        let find = find.projection(doc! { "_id": 1 }).sort(doc! { "_id": 1 });
        let find = find.limit(size.into()).batch_size(size).await;
        let mut cursor = find.map_err(failure)?;
        let (mut names, mut bytes) = (Vec::new(), 0);
        while cursor.advance().await.map_err(failure)? {
            let name = cursor.current().get_str("_id")?.to_owned();
            bytes += name.len();
            names.push(name);
            if bytes > NAMES {
                return Ok((names, true));
            }
        }
        let full = u32::try_from(names.len()) == Ok(size);
        Ok((names, full))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_parts_are_followed_by_small_ones_and_fast_ones_by_large_ones() {
        let limit = Duration::from_millis(200);
        let size = Size::new();
        for _ in 0..20 {
            size.learn(size.get(), limit, limit);
        }
        assert_eq!(size.get(), FEWEST);
        size.learn(FEWEST, limit / 8, limit);
        assert_eq!(size.get(), FEWEST);
        for _ in 0..20 {
            size.learn(size.get(), limit / 100, limit);
        }
        assert_eq!(size.get(), LARGEST);
    }
}

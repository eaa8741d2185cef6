//! Deletes all documents whose names begin with a prefix, in parts that each take a fraction of a round trip's limit. So a large scope
//! makes progress on a server however slow, and the next attempt finds gone what the last one deleted.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ::mongodb::bson::{Document, doc};

use super::document;
use super::failure::failure;
use super::runtime;
use super::store::Store;
use crate::backend::BackendResult;

/// The maximum number of passes over the documents.
const PASSES: usize = 3;

/// The limit of the whole deletion, as a multiple of that of one part.
pub(super) const MOST: u32 = 25;

/// The smallest, first and largest part, in entries.
const FEWEST: u32 = 8;
const FIRST: u32 = 256;
const LARGEST: u32 = 1024;

/// The bytes of names after which a part takes no more: the names go to the server in one command.
const NAMES: usize = 1 << 20;

/// The size of the next part, in entries.
pub(super) struct Size(AtomicU32);

impl Size {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(FIRST))
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adapts to a part of `size` that `took` this long of `limit`.
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

/// The outcome of one part.
#[derive(Default)]
struct Deleted {
    /// The number of live entries deleted.
    live: u64,
    /// Whether there was any document.
    any: bool,
    /// The range of the remaining names.
    rest: Option<Document>,
}

impl Store {
    /// Deletes the documents whose names begin with `prefix`, as it reaches them. Returns how many were live.
    ///
    /// A load that begins meanwhile may read an entry that is about to go, and its result may be stored where the deletion was already
    /// done. So the pass is repeated until it finds nothing. If other processes store all the time, it ends after a few passes: any
    /// entry left is then at least as many loads away from the deleted ones.
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

    /// Makes one pass. Returns how many documents were live, and whether there were any at all.
    async fn delete_once(&self, prefix: &str) -> BackendResult<(u64, bool)> {
        let (mut count, mut any) = (0, false);
        let mut rest = Some(document::beginning_with(prefix));
        while let Some(range) = rest {
            let size = self.part.get();
            let started = Instant::now();
            let done = runtime::within(self.timeout, self.delete_part(range, size)).await;
            // also after a failure, so that the next attempt gets through
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
    /// The first deletion removes and counts the live ones. The second removes all that is left: expired values, and places with the
    /// tokens of loads under way. It spares nothing: a value that had expired at the first deletion may be filled again before the
    /// second reaches it, by a load that began before either. The second is skipped only if the first removed every name found: a
    /// document that is back under such a name has a new token. So does one that was not found at all. A value that is set between the
    /// two goes uncounted, as if it had been set just before.
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

    /// The first names in `range`, at most `size`, and whether there may be more.
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

//! Many keys at once: the store is asked once for all.

use cacheado_backends::backend::{Change, Mark, Payload};
use cacheado_backends::{Key, Result};

use super::{Seen, SharedTier, Unsent};
use crate::value::Codec;

impl SharedTier {
    /// What the tier has under each of `keys`, as [`look`](Self::look) says. One that fails has nothing, and is to be told nothing.
    pub(crate) fn look_many(&self, keys: &[Key], codec: Codec) -> Vec<Seen> {
        let asked = self.to_ask(keys);
        let found = self.ask("get", None, |it| it.get_many(&asked));
        self.seen_many(keys, codec, &asked, found)
    }

    /// As [`look_many`](Self::look_many), without blocking.
    pub(crate) async fn look_many_async(&self, keys: &[Key], codec: Codec) -> Vec<Seen> {
        let asked = self.to_ask(keys);
        let found = self.ask_async("get", None, |it| it.get_many_async(&asked));
        let found = found.await;
        self.seen_many(keys, codec, &asked, found)
    }

    /// Those of `keys` whose evictions have all been sent, as the store may know them.
    fn to_ask(&self, keys: &[Key]) -> Vec<Key> {
        let current = keys.iter().filter(|key| !self.outbox.covers(key));
        current.map(|key| self.outside(key).into_owned()).collect()
    }

    fn seen_many(
        &self,
        keys: &[Key],
        codec: Codec,
        asked: &[Key],
        found: Result<Vec<cacheado_backends::backend::Lookup>>,
    ) -> Vec<Seen> {
        let mut found = asked.iter().zip(found.unwrap_or_default()).peekable();
        let seen = |key| {
            let outside = self.outside(key);
            match found.next_if(|(asked, _)| **asked == *outside) {
                // what is there and can't be used is not replaced: a mark of its own would be another question
                Some((asked, found)) => {
                    let seen = self.seen(asked, codec, found);
                    seen.unwrap_or(Seen::Miss(None))
                }
                None => Seen::Miss(None),
            }
        };
        keys.iter().map(seen).collect()
    }

    /// Stores values that are newer than any other.
    pub(crate) fn put_many(&self, entries: &[(Key, Payload)]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let outside = self.outside_of(entries);
        let put = self.ask("set", None, |it| it.set_many(&outside));
        if put.is_ok() {
            self.forget_older(entries);
        } else {
            for (key, _) in entries {
                self.keep(Change::Key(key.clone()));
            }
        }
        put
    }

    /// As [`put_many`](Self::put_many), without blocking.
    pub(crate) async fn put_many_async(&self, entries: &[(Key, Payload)]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let outside = self.outside_of(entries);
        let put = self.ask_async("set", None, |it| it.set_many_async(&outside));
        let unsent = entries.iter().map(|(key, _)| Change::Key(key.clone()));
        let unsent: Vec<_> = unsent.map(|change| Unsent::new(self, change)).collect();
        // what is dropped, by an error or with the caller, is kept
        put.await?;
        for unsent in unsent {
            unsent.sent();
        }
        self.forget_older(entries);
        Ok(())
    }

    fn outside_of(&self, entries: &[(Key, Payload)]) -> Vec<(Key, Payload)> {
        let outside = entries.iter();
        let outside =
            outside.map(|(key, payload)| (self.outside(key).into_owned(), payload.clone()));
        outside.collect()
    }

    /// Evictions that could not be sent need not be any more: the store has newer values.
    fn forget_older(&self, entries: &[(Key, Payload)]) {
        for (key, _) in entries {
            self.outbox.forget(key);
        }
    }

    /// Stores what loads have found. Returns of each whether it is stored.
    pub(crate) fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> Result<Vec<bool>> {
        let outside = self.outside_of_loads(entries);
        self.ask("fill", None, |it| it.fill_many(&outside))
    }

    /// As [`fill_many`](Self::fill_many), without blocking.
    pub(crate) async fn fill_many_async(
        &self,
        entries: &[(Key, Payload, Mark)],
    ) -> Result<Vec<bool>> {
        let outside = self.outside_of_loads(entries);
        let fill = self.ask_async("fill", None, |it| it.fill_many_async(&outside));
        fill.await
    }

    fn outside_of_loads(&self, entries: &[(Key, Payload, Mark)]) -> Vec<(Key, Payload, Mark)> {
        let outside = entries.iter().map(|(key, payload, mark)| {
            let key = self.outside(key).into_owned();
            (key, payload.clone(), mark.clone())
        });
        outside.collect()
    }
}

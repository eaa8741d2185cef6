//! Many keys at once: the store is asked once for all of them. If that fails, each of its parts is asked separately, and so are later
//! requests: a part that is down does not affect the others.

use cacheado_backends::Key;
use cacheado_backends::backend::{Lookup, Mark, Payload};

use super::portions::Answers;
use super::{Eviction, Seen, SharedTier, Unsent, Wanted};
use crate::value::Codec;
use crate::way::Way;

impl SharedTier {
    /// What the tier has under each of `keys`, as [`look`](Self::look) returns it, and whether there is an entry that is not a usable
    /// value: a stale or unreadable one. A key that fails has no value, and no mark to store one. `loads`: missing values will be
    /// loaded.
    pub(crate) async fn look_many(
        &self,
        way: Way,
        keys: &[Key],
        codec: Codec,
        wanted: Wanted,
        loads: bool,
    ) -> Vec<(Seen, bool)> {
        let mut seen = self.ask_many(way, keys, codec, wanted).await;
        let hit = |seen: &Option<Seen>| match seen {
            Some(Seen::Hit(found)) => wanted.is_missed_by(found),
            _ => false,
        };
        if seen.iter().any(hit) {
            seen = self.ask_many(way, keys, codec, Wanted::Lifetime).await;
        }
        let mut all = Vec::with_capacity(keys.len());
        for (key, seen) in keys.iter().zip(seen) {
            all.push(match seen {
                Some(seen) => (seen, false),
                None if loads => (Seen::Miss(self.mark(way, key).await.ok()), true),
                None => (Seen::Miss(None), true),
            });
        }
        all
    }

    /// `None` for an entry that can't be used and must be replaced.
    async fn ask_many(
        &self,
        way: Way,
        keys: &[Key],
        codec: Codec,
        wanted: Wanted,
    ) -> Vec<Option<Seen>> {
        let asked = self.to_ask(keys);
        let answers = self.ask_portions(way, "get", &asked, |via, keys| {
            Box::pin(async move {
                match wanted {
                    Wanted::Value => via.get_values(keys).await,
                    Wanted::Lifetime => via.get_many(keys).await,
                }
            })
        });
        let found = in_their_places(answers.await, asked.len());
        self.seen_many(keys, codec, &asked, found)
    }

    /// Those of `keys` without unsent evictions, as the store sees them.
    fn to_ask(&self, keys: &[Key]) -> Vec<Key> {
        let current = keys.iter().filter(|key| !self.outbox.covers(key));
        current.map(|key| self.outside(key).into_owned()).collect()
    }

    /// `None` for an entry that can't be used and must be replaced.
    fn seen_many(
        &self,
        keys: &[Key],
        codec: Codec,
        asked: &[Key],
        found: Vec<Option<Lookup>>,
    ) -> Vec<Option<Seen>> {
        let mut found = asked.iter().zip(found).peekable();
        let seen = |key| {
            let outside = self.outside(key);
            match found.next_if(|(asked, _)| **asked == *outside) {
                Some((asked, Some(found))) => match self.seen(asked, codec, found)? {
                    Seen::Hit(found) if found.is_stale() => None,
                    seen => Some(seen),
                },
                _ => Some(Seen::Miss(None)),
            }
        };
        keys.iter().map(seen).collect()
    }

    /// Stores values that are newer than any other. The outcome may differ between parts of the store.
    pub(crate) async fn put_many(&self, way: Way, entries: &[(Key, Payload)]) -> Answers<()> {
        if entries.is_empty() {
            return Answers::new();
        }
        let outside = self.outside_of(entries);
        let unsent = entries.iter().map(|(key, _)| Eviction::Key(key.clone()));
        let unsent = unsent.map(|eviction| Some(Unsent::new(self, eviction)));
        // those still in here when this is dropped, after an error or with the caller, are kept
        let mut unsent: Vec<_> = unsent.collect();
        let answers = self.ask_portions(way, "set", &outside, |via, these| {
            Box::pin(via.set_many(these))
        });
        let answers = answers.await;
        for (places, put) in &answers {
            if put.is_ok() {
                for &place in places {
                    if let Some(unsent) = unsent[place].take() {
                        unsent.sent();
                    }
                    self.outbox.forget(&entries[place].0);
                }
            }
        }
        answers
    }

    fn outside_of(&self, entries: &[(Key, Payload)]) -> Vec<(Key, Payload)> {
        let outside = entries.iter();
        let outside =
            outside.map(|(key, payload)| (self.outside(key).into_owned(), payload.clone()));
        outside.collect()
    }

    /// Stores the values of loads. Returns for each whether it was stored; `None` if that is unknown.
    pub(crate) async fn fill_many(
        &self,
        way: Way,
        entries: &[(Key, Payload, Mark)],
    ) -> Vec<Option<bool>> {
        let outside = self.outside_of_loads(entries);
        let answers = self.ask_portions(way, "fill", &outside, |via, these| {
            Box::pin(via.fill_many(these))
        });
        in_their_places(answers.await, entries.len())
    }

    fn outside_of_loads(&self, entries: &[(Key, Payload, Mark)]) -> Vec<(Key, Payload, Mark)> {
        let outside = entries.iter().map(|(key, payload, mark)| {
            let key = self.outside(key).into_owned();
            (key, payload.clone(), mark.clone())
        });
        outside.collect()
    }
}

/// Puts the answers in the order of the request. Failures have been counted already.
fn in_their_places<T>(answers: Answers<Vec<T>>, len: usize) -> Vec<Option<T>> {
    let mut all: Vec<Option<T>> = std::iter::repeat_with(|| None).take(len).collect();
    for (places, answer) in answers {
        for (place, it) in places.into_iter().zip(answer.unwrap_or_default()) {
            all[place] = Some(it);
        }
    }
    all
}

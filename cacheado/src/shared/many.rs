//! Many keys at once: the store is asked once for all. If that fails it is asked once for each of its parts, and so are those who come
//! after that: one that is down takes nothing of the others with it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use cacheado_backends::backend::{BackendResult, Change, Lookup, Mark, Payload, Refused};
use cacheado_backends::{Key, Result};

use super::guarded::{guarded, guarded_async};
use super::{Seen, SharedTier, Unsent};
use crate::value::Codec;

/// What is asked for together, by its places among all.
struct Portion {
    places: Vec<usize>,
    /// `None`: of any part, and it is all.
    part: Option<u32>,
}

impl Portion {
    fn of<'i, T: Clone>(&self, items: &'i [T]) -> Cow<'i, [T]> {
        match self.part {
            None => Cow::Borrowed(items),
            Some(_) => self.places.iter().map(|&at| items[at].clone()).collect(),
        }
    }
}

impl SharedTier {
    /// What the tier has under each of `keys`, as [`look`](Self::look) says. One that fails has nothing, and is to be told nothing. What
    /// only stands in for another value is none. `loads`: what is missing is to be loaded.
    pub(crate) fn look_many(&self, keys: &[Key], codec: Codec, loads: bool) -> Vec<Seen> {
        let asked = self.to_ask(keys);
        let mut found = vec![None; asked.len()];
        let mut portions = self.portions(asked.iter());
        while let Some(portion) = portions.pop() {
            let these = portion.of(&asked);
            let let_through = self.lets_portion_through("get", &portion);
            let answer = let_through.and_then(|()| {
                self.answered_portion(
                    "get",
                    &portion,
                    &these,
                    guarded(|| self.backend.get_many(&these)),
                )
            });
            if answer.is_err() {
                portions.extend(self.apart(&portion, asked.iter()));
            }
            note(&portion, answer, &mut found);
        }
        let mut all = Vec::with_capacity(keys.len());
        for (key, seen) in keys.iter().zip(self.seen_many(keys, codec, &asked, found)) {
            all.push(match seen {
                Some(seen) => seen,
                None if loads => Seen::Miss(self.mark(key).ok()),
                None => Seen::Miss(None),
            });
        }
        all
    }

    /// As [`look_many`](Self::look_many), without blocking.
    pub(crate) async fn look_many_async(
        &self,
        keys: &[Key],
        codec: Codec,
        loads: bool,
    ) -> Vec<Seen> {
        let asked = self.to_ask(keys);
        let mut found = vec![None; asked.len()];
        let mut portions = self.portions(asked.iter());
        while let Some(portion) = portions.pop() {
            let these = portion.of(&asked);
            if self.lets_portion_through("get", &portion).is_ok() {
                let answer = guarded_async(|| self.backend.get_many_async(&these)).await;
                let answer = self.answered_portion("get", &portion, &these, answer);
                if answer.is_err() {
                    portions.extend(self.apart(&portion, asked.iter()));
                }
                note(&portion, answer, &mut found);
            }
        }
        let mut all = Vec::with_capacity(keys.len());
        for (key, seen) in keys.iter().zip(self.seen_many(keys, codec, &asked, found)) {
            all.push(match seen {
                Some(seen) => seen,
                None if loads => Seen::Miss(self.mark_async(key).await.ok()),
                None => Seen::Miss(None),
            });
        }
        all
    }

    /// Those of `keys` whose evictions have all been sent, as the store may know them.
    fn to_ask(&self, keys: &[Key]) -> Vec<Key> {
        let current = keys.iter().filter(|key| !self.outbox.covers(key));
        current.map(|key| self.outside(key).into_owned()).collect()
    }

    /// All of them in one, unless some part of the store has failed lately.
    fn portions<'k>(&self, keys: impl ExactSizeIterator<Item = &'k Key>) -> Vec<Portion> {
        if !self.breakers.any() {
            let places = (0..keys.len()).collect();
            return vec![Portion { places, part: None }];
        }
        let mut by_part: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (place, key) in keys.enumerate() {
            let part = self.backend.part(key);
            by_part.entry(part).or_default().push(place);
        }
        let portion = |(part, places)| Portion {
            places,
            part: Some(part),
        };
        by_part.into_iter().map(portion).collect()
    }

    /// What is asked of each part by itself, since all of them together have failed and one of them may have alone.
    fn apart<'k>(
        &self,
        failed: &Portion,
        keys: impl ExactSizeIterator<Item = &'k Key>,
    ) -> Vec<Portion> {
        if failed.part.is_some() {
            return Vec::new();
        }
        let portions = self.portions(keys);
        if portions.len() > 1 {
            portions
        } else {
            Vec::new()
        }
    }

    fn lets_portion_through(&self, operation: &'static str, portion: &Portion) -> Result<()> {
        match portion.part {
            None => Ok(()),
            Some(part) => self.lets_through(operation, None, || part),
        }
    }

    /// What the store said to `portion`, which has these `keys`. A failure is counted and traced.
    fn answered_portion<T>(
        &self,
        operation: &'static str,
        portion: &Portion,
        keys: &[impl AsKey],
        answer: BackendResult<T>,
    ) -> Result<T> {
        if let Some(part) = portion.part {
            return self.answered(operation, None, || part, answer);
        }
        let parts = || {
            let parts = keys.iter().map(|it| self.backend.part(it.as_key()));
            parts.collect::<BTreeSet<u32>>()
        };
        match answer {
            Err(source) if !source.is::<Refused>() => {
                let parts = parts();
                match parts.first() {
                    Some(part) if parts.len() == 1 => self.breakers.failed(*part),
                    _ => self.breakers.suspect(parts),
                }
                Err(self.failed(operation, None, source))
            }
            answer => {
                // others may have failed meanwhile
                if self.breakers.any() {
                    for part in parts() {
                        self.breakers.answered(|| part);
                    }
                }
                answer.map_err(|source| self.failed(operation, None, source))
            }
        }
    }

    /// `None`: something is there that can't be used, and is to be replaced.
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

    /// Stores values that are newer than any other.
    pub(crate) fn put_many(&self, entries: &[(Key, Payload)]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let outside = self.outside_of(entries);
        let keys = || outside.iter().map(AsKey::as_key);
        let mut all = Ok(());
        let mut portions = self.portions(keys());
        while let Some(portion) = portions.pop() {
            let these = portion.of(&outside);
            let let_through = self.lets_portion_through("set", &portion);
            let put = let_through.and_then(|()| {
                self.answered_portion(
                    "set",
                    &portion,
                    &these,
                    guarded(|| self.backend.set_many(&these)),
                )
            });
            if put.is_err() {
                let apart = self.apart(&portion, keys());
                if !apart.is_empty() {
                    portions = apart;
                    continue;
                }
            }
            for place in portion.places {
                let key = &entries[place].0;
                match &put {
                    // evictions that could not be sent need not be any more: the store has newer values
                    Ok(()) => self.outbox.forget(key),
                    Err(_) => self.keep(Change::Key(key.clone())),
                }
            }
            all = all.and(put);
        }
        all
    }

    /// As [`put_many`](Self::put_many), without blocking.
    pub(crate) async fn put_many_async(&self, entries: &[(Key, Payload)]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let outside = self.outside_of(entries);
        let unsent = entries.iter().map(|(key, _)| Change::Key(key.clone()));
        let unsent = unsent.map(|change| Some(Unsent::new(self, change)));
        // what is dropped, by an error or with the caller, is kept
        let mut unsent: Vec<_> = unsent.collect();
        let keys = || outside.iter().map(AsKey::as_key);
        let mut all = Ok(());
        let mut portions = self.portions(keys());
        while let Some(portion) = portions.pop() {
            let these = portion.of(&outside);
            let mut put = self.lets_portion_through("set", &portion);
            if put.is_ok() {
                let answer = guarded_async(|| self.backend.set_many_async(&these)).await;
                put = self.answered_portion("set", &portion, &these, answer);
            }
            if put.is_err() {
                let apart = self.apart(&portion, keys());
                if !apart.is_empty() {
                    portions = apart;
                    continue;
                }
            }
            if put.is_ok() {
                for place in portion.places {
                    if let Some(unsent) = unsent[place].take() {
                        unsent.sent();
                    }
                    self.outbox.forget(&entries[place].0);
                }
            }
            all = all.and(put);
        }
        all
    }

    fn outside_of(&self, entries: &[(Key, Payload)]) -> Vec<(Key, Payload)> {
        let outside = entries.iter();
        let outside =
            outside.map(|(key, payload)| (self.outside(key).into_owned(), payload.clone()));
        outside.collect()
    }

    /// Stores what loads have found. Returns of each whether it is stored; `None` of those that are not known.
    pub(crate) fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> Vec<Option<bool>> {
        let outside = self.outside_of_loads(entries);
        let mut filled = vec![None; entries.len()];
        let keys = || outside.iter().map(AsKey::as_key);
        let mut portions = self.portions(keys());
        while let Some(portion) = portions.pop() {
            let these = portion.of(&outside);
            let let_through = self.lets_portion_through("fill", &portion);
            let answer = let_through.and_then(|()| {
                self.answered_portion(
                    "fill",
                    &portion,
                    &these,
                    guarded(|| self.backend.fill_many(&these)),
                )
            });
            if answer.is_err() {
                portions.extend(self.apart(&portion, keys()));
            }
            note(&portion, answer, &mut filled);
        }
        filled
    }

    /// As [`fill_many`](Self::fill_many), without blocking.
    pub(crate) async fn fill_many_async(
        &self,
        entries: &[(Key, Payload, Mark)],
    ) -> Vec<Option<bool>> {
        let outside = self.outside_of_loads(entries);
        let mut filled = vec![None; entries.len()];
        let keys = || outside.iter().map(AsKey::as_key);
        let mut portions = self.portions(keys());
        while let Some(portion) = portions.pop() {
            let these = portion.of(&outside);
            if self.lets_portion_through("fill", &portion).is_ok() {
                let answer = guarded_async(|| self.backend.fill_many_async(&these)).await;
                let answer = self.answered_portion("fill", &portion, &these, answer);
                if answer.is_err() {
                    portions.extend(self.apart(&portion, keys()));
                }
                note(&portion, answer, &mut filled);
            }
        }
        filled
    }

    fn outside_of_loads(&self, entries: &[(Key, Payload, Mark)]) -> Vec<(Key, Payload, Mark)> {
        let outside = entries.iter().map(|(key, payload, mark)| {
            let key = self.outside(key).into_owned();
            (key, payload.clone(), mark.clone())
        });
        outside.collect()
    }
}

/// What is stored or looked for, by its key.
trait AsKey {
    fn as_key(&self) -> &Key;
}

impl AsKey for Key {
    fn as_key(&self) -> &Key {
        self
    }
}

impl AsKey for (Key, Payload) {
    fn as_key(&self) -> &Key {
        &self.0
    }
}

impl AsKey for (Key, Payload, Mark) {
    fn as_key(&self) -> &Key {
        &self.0
    }
}

/// Notes what was answered of each in the portion. A failure is counted by now.
fn note<T>(portion: &Portion, answer: Result<Vec<T>>, noted: &mut [Option<T>]) {
    for (place, it) in portion.places.iter().zip(answer.unwrap_or_default()) {
        noted[*place] = Some(it);
    }
}

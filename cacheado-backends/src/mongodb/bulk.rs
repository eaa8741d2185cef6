//! The operations on many keys, in as few round trips as possible: one command carries several updates.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use ::mongodb::bson::oid::ObjectId;
use ::mongodb::bson::{Bson, Document, doc};

use super::document::{self, Found};
use super::failure::{DUPLICATE, failure, refusal};
use super::mark;
use super::store::{Store, fits, is_named};
use crate::backend::{BackendResult, Change, Lookup, Mark, Payload};
use crate::key::Key;

/// The maximum bytes and updates per command. The server takes 16 MiB and 100,000.
const BYTES: usize = 8 * 1024 * 1024;
const UPDATES: usize = 1000;

/// The overhead of a name in a list, in bytes.
const LISTED: usize = 16;

/// The outcome of several updates.
#[derive(Default)]
struct Done {
    /// How many found a document or made one.
    matched: i64,
    /// The indexes of those that made one.
    made: Vec<usize>,
    /// The indexes of those whose document another operation made at the same moment.
    beaten: Vec<usize>,
}

impl Store {
    /// One read if all are live or being loaded; else one more write, and one more read if some of the written documents existed.
    pub(super) async fn get_many(self: Arc<Self>, ids: Vec<String>) -> BackendResult<Vec<Lookup>> {
        let taken = Instant::now();
        // a name that is too long does not fail the others; its load's value is not stored
        let names = ids.iter().map(String::as_str);
        let names: Vec<&str> = names.filter(|id| is_named(id).is_ok()).collect();
        let mut known = self.find(&names).await?;
        let mut missing: Vec<&str> = names
            .into_iter()
            .filter(|id| {
                known.get(*id).is_none_or(|found| {
                    found.payload(taken.elapsed()).is_none()
                        && found.token_for(self.load_limit).is_none()
                })
            })
            .collect();
        missing.sort_unstable();
        missing.dedup();
        let mut again = Vec::new();
        for range in portions(missing.iter().map(|id| id.len()), UPDATES) {
            let missing = &missing[range];
            let tokens: Vec<ObjectId> = missing.iter().map(|_| ObjectId::new()).collect();
            let places = missing.iter().zip(&tokens).map(|(id, token)| {
                let place = document::place(*token, self.load_limit);
                let update = vec![doc! { "$replaceWith": place }];
                doc! { "q": { "_id": *id }, "u": update, "upsert": true }
            });
            let done = self.update(places.collect()).await?;
            let mut others = vec![true; missing.len()];
            for nth in done.made {
                if let (Some(id), Some(token)) = (missing.get(nth), tokens.get(nth)) {
                    known.insert((*id).to_owned(), Found::place(*token));
                    others[nth] = false;
                }
            }
            let others = missing.iter().zip(others).filter(|(_, other)| *other);
            again.extend(others.map(|(id, _)| *id));
        }
        if !again.is_empty() {
            known.extend(self.find(&again).await?);
        }
        let look = |id: &String| {
            let found = known.get(id);
            if let Some(payload) = found.and_then(|found| found.payload(taken.elapsed())) {
                return Lookup::Hit(payload);
            }
            // an entry evicted at this moment has no token: its load's value is not stored
            let token = found.and_then(|found| found.token);
            Lookup::Miss(token.map_or_else(Mark::none, |token| mark::write(token, None, taken)))
        };
        Ok(ids.iter().map(look).collect())
    }

    pub(super) async fn set_many(
        self: Arc<Self>,
        entries: Vec<(String, Key, Payload)>,
    ) -> BackendResult<()> {
        // a value that is too large does not keep the others from being stored, and removes the older value under its key
        let mut refused = Ok(());
        let mut fitting = Vec::with_capacity(entries.len());
        for (id, key, payload) in entries {
            match fits(&id, &payload) {
                Ok(()) => fitting.push((id, key, payload)),
                Err(error) => {
                    let refuse = self.refuse(&id, key, error).await;
                    refused = refused.and(refuse);
                }
            }
        }
        let entries = fitting;
        let sizes = entries.iter().map(|(.., payload)| payload.bytes.len());
        for range in portions(sizes, UPDATES) {
            let portion = &entries[range];
            let updates = portion.iter().map(|(id, _, payload)| {
                let update = self.value(payload, doc! { "gen": ObjectId::new() });
                doc! { "q": { "_id": id }, "u": update, "upsert": true }
            });
            let done = self.update(updates.collect()).await?;
            for (id, key, payload) in done.beaten.iter().filter_map(|nth| portion.get(*nth)) {
                let (id, key, payload) = (id.clone(), key.clone(), payload.clone());
                Arc::clone(&self).set(id, key, payload).await?;
            }
            let changes: Vec<Change> = portion
                .iter()
                .map(|(_, key, _)| Change::Key(key.clone()))
                .collect();
            let replaced = usize::try_from(done.matched) != Ok(done.made.len());
            self.notices.tell_all(&changes, replaced).await?;
        }
        refused
    }

    /// Fills the entries. The server tells only how many were stored. If not all were, the stored ones are those whose tokens are
    /// there afterwards: a token that is there now was there all the time.
    pub(super) async fn fill_many(
        self: Arc<Self>,
        entries: Vec<(String, Payload, Mark)>,
    ) -> BackendResult<Vec<bool>> {
        let mut filled = vec![false; entries.len()];
        let mut together = Vec::new();
        // a refusal does not keep the others from being stored
        let mut refused = Ok(());
        for (nth, (id, payload, mark)) in entries.into_iter().enumerate() {
            if let Err(error) = fits(&id, &payload) {
                refused = refused.and(Err(error));
                continue;
            }
            match mark::read(&mark) {
                Some((token, None)) => {
                    let filling = self.filling(&id, &payload, &mark);
                    together.extend(
                        filling.map(|filling| (nth, id, token, filling, payload.bytes.len())),
                    );
                }
                // a token does not show whether a claim stands
                Some((_, Some(_))) => {
                    filled[nth] = Arc::clone(&self).fill(id, payload, mark).await?;
                }
                None => {}
            }
        }
        let sizes = together.iter().map(|(_, id, .., size)| id.len() + size);
        for range in portions(sizes, UPDATES) {
            let portion = &together[range];
            let updates = portion.iter().map(|(_, _, _, (filter, update), _)| {
                doc! { "q": filter.clone(), "u": update.clone() }
            });
            let done = self.update(updates.collect()).await?;
            let all = usize::try_from(done.matched).is_ok_and(|matched| matched == portion.len());
            let known = if all {
                HashMap::new()
            } else {
                let ids: Vec<&str> = portion.iter().map(|(_, id, ..)| id.as_str()).collect();
                self.find(&ids).await?
            };
            for (nth, id, token, ..) in portion {
                filled[*nth] = all
                    || known
                        .get(id)
                        .is_some_and(|found| found.token == Some(*token));
            }
        }
        refused.map(|()| filled)
    }

    /// The documents of `ids`, by id. One read, unless the names are long.
    async fn find(&self, ids: &[&str]) -> BackendResult<HashMap<String, Found>> {
        let mut found = HashMap::with_capacity(ids.len());
        for range in portions(ids.iter().map(|id| id.len() + LISTED), usize::MAX) {
            let ids = &ids[range];
            let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
            let find = self.documents.find(doc! { "_id": { "$in": ids } });
            let find = find.projection(document::all()).batch_size(count).await;
            let mut cursor = find.map_err(failure)?;
            while cursor.advance().await.map_err(failure)? {
                let document = cursor.current();
                if let Ok(id) = document.get_str("_id") {
                    found.insert(id.to_owned(), Found::read(document));
                }
            }
        }
        Ok(found)
    }

    /// Sends the updates as one command. The driver has a method for that only for servers of version 8 and later.
    async fn update(&self, updates: Vec<Document>) -> BackendResult<Done> {
        if updates.is_empty() {
            return Ok(Done::default());
        }
        let mut command = doc! {
            "update": self.documents.name(),
            "updates": updates,
            "ordered": false,
        };
        if let Some(concern) = &self.write_concern {
            command.insert("writeConcern", concern.clone());
        }
        let answer = self.database.run_command(command).await;
        read(&answer.map_err(failure)?)
    }
}

/// Reads the server's answer to several updates.
fn read(answer: &Document) -> BackendResult<Done> {
    let documents = |name| {
        let list = answer.get_array(name).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(Bson::as_document)
    };
    let mut done = Done {
        matched: answer.get("n").and_then(number).unwrap_or(0),
        ..Done::default()
    };
    let index = |document: &Document| {
        let index = document.get("index").and_then(number);
        index.and_then(|index| usize::try_from(index).ok())
    };
    done.made.extend(documents("upserted").filter_map(index));
    for error in documents("writeErrors") {
        let code = error.get("code").and_then(number);
        let code = code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
        if code != DUPLICATE {
            return Err(refusal(
                code,
                error.get_str("errmsg").unwrap_or("a write failed"),
            ));
        }
        done.beaten.extend(index(error));
    }
    match answer.get_document("writeConcernError") {
        Ok(error) => Err(error
            .get_str("errmsg")
            .unwrap_or("too few members have the write")
            .into()),
        Err(_) => Ok(done),
    }
}

fn number(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(number) => Some((*number).into()),
        Bson::Int64(number) => Some(*number),
        _ => None,
    }
}

/// Splits items of these sizes into ranges of at most `most` items that fit in one command each.
fn portions(sizes: impl Iterator<Item = usize>, most: usize) -> Vec<std::ops::Range<usize>> {
    let mut portions: Vec<std::ops::Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (nth, size) in sizes.enumerate() {
        match portions.last_mut() {
            Some(last) if bytes + size <= BYTES && last.len() < most => {
                last.end += 1;
                bytes += size;
            }
            _ => {
                portions.push(nth..nth + 1);
                bytes = size;
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_all_in_order_and_none_too_large() {
        let sizes = [1, BYTES - 1, 1, BYTES + 5, 3, 4];
        assert_eq!(
            portions(sizes.into_iter(), UPDATES),
            [0..2, 2..3, 3..4, 4..6]
        );
        let many = portions(std::iter::repeat_n(1, UPDATES + 1), UPDATES);
        assert_eq!(many, [0..UPDATES, UPDATES..UPDATES + 1]);
        assert_eq!(portions(std::iter::empty(), UPDATES), []);
    }

    #[test]
    fn the_answer_to_several_updates_is_read() {
        let done = read(&doc! {
            "n": 3,
            "upserted": [{ "index": 1, "_id": "x" }],
            "writeErrors": [{ "index": 4, "code": DUPLICATE, "errmsg": "E11000" }],
        });
        let done = done.unwrap();
        assert_eq!(
            (done.matched, done.made, done.beaten),
            (3, vec![1], vec![4])
        );
        let refused =
            read(&doc! { "n": 0, "writeErrors": [{ "index": 0, "code": 121, "errmsg": "no" }] });
        assert!(refused.err().unwrap().is::<crate::backend::Refused>());
        let unheard = read(&doc! { "n": 1, "writeConcernError": { "code": 64, "errmsg": "slow" } });
        assert_eq!(unheard.err().unwrap().to_string(), "slow");
        assert_eq!(read(&doc! {}).unwrap().matched, 0);
    }
}

//! The operations on one key, on a scope, and on everything. They run on the backend's own runtime, whoever awaits them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ::mongodb::bson::oid::ObjectId;
use ::mongodb::bson::{Document, RawDocumentBuf, doc};
use ::mongodb::error::Error;
use ::mongodb::options::ReturnDocument;
use ::mongodb::{Collection, Database};

use super::document::{self, Found};
use super::failure::{DUPLICATE, code, failure};
use super::mark;
use super::notices::Notices;
use super::parts;
use super::runtime;
use crate::address;
use crate::backend::{BackendResult, Change, Lookup, Mark, Payload, Refused};
use crate::key::Key;
use crate::scope::Scope;

/// How many times an upsert is tried when another operation makes the document at the same moment.
const TRIES: usize = 3;

/// The longest name allowed, in bytes. An eviction by scope sends both ends of a range, and a document is limited to 16 MiB.
const LONGEST_NAME: usize = 4 * 1024 * 1024;

/// After this many misses in a row the next lookup is expected to miss too.
const COLD: u32 = 2;

/// The entries of one cache.
pub(super) struct Store {
    pub(super) documents: Collection<RawDocumentBuf>,
    pub(super) notices: Notices,
    pub(super) load_limit: Duration,
    /// The limit of one round trip, for operations that take several.
    pub(super) timeout: Duration,
    pub(super) part: parts::Size,
    pub(super) database: Database,
    /// The write concern for commands that the driver has no method for.
    pub(super) write_concern: Option<Document>,
    /// The approximate number of misses in a row.
    misses: AtomicU32,
    /// The prefix of all entry names.
    prefix: String,
}

impl Drop for Store {
    /// Shuts the client down. The driver keeps a connection to each member for measuring round trips. Without a shutdown it closes
    /// that only at the next measurement, ten seconds later.
    fn drop(&mut self) {
        let end = self.database.client().clone().shutdown();
        if let Ok(runtime) = runtime::handle() {
            runtime.spawn(end.into_future());
        }
    }
}

impl Store {
    pub(super) fn new(
        database: &Database,
        collection: &str,
        cache: &str,
        load_limit: Duration,
        timeout: Duration,
    ) -> Self {
        // a cache name contains no colon, so no prefix begins with another cache's
        let cache = cache.replace('%', "%25").replace(':', "%3A");
        Self {
            documents: database.collection(collection),
            notices: Notices::new(database, collection, &cache),
            load_limit,
            timeout,
            part: parts::Size::new(),
            database: database.clone(),
            write_concern: database.write_concern().and_then(document::concern),
            misses: AtomicU32::new(0),
            prefix: format!("{cache}:"),
        }
    }

    /// The `_id` of the entry of `key`.
    pub(super) fn id(&self, key: &Key) -> String {
        format!("{}{}", self.prefix, address::entry(key))
    }

    /// Looks up the entry: one read if it is live or a load is under way, else one more write, which makes a place. After several
    /// misses, as in a cache that is being filled, the write alone does both. A write that changes nothing costs about as much as the
    /// read, so a wrong guess costs little.
    pub(super) async fn get(self: Arc<Self>, id: String) -> BackendResult<Lookup> {
        is_named(&id)?;
        let taken = Instant::now();
        let misses = self.misses.load(Ordering::Relaxed);
        if misses < COLD {
            let find = self.documents.find_one(doc! { "_id": &id });
            let found = find.projection(document::all()).await;
            let found = found.map_err(failure)?;
            if let Some(found) = found.as_deref().map(Found::read) {
                if let Some(payload) = found.payload(taken.elapsed()) {
                    if misses > 0 {
                        self.misses.store(0, Ordering::Relaxed);
                    }
                    return Ok(Lookup::Hit(payload));
                }
                if let Some(token) = found.token_for(self.load_limit) {
                    return Ok(Lookup::Miss(mark::write(token, None, taken)));
                }
            }
        }
        let made = self.make_place(&id, document::all()).await?;
        let payload = made.payload(taken.elapsed());
        let misses = if payload.is_some() {
            0
        } else {
            misses.saturating_add(1)
        };
        self.misses.store(misses, Ordering::Relaxed);
        match (payload, made.token) {
            (Some(payload), _) => Ok(Lookup::Hit(payload)),
            (None, Some(token)) => Ok(Lookup::Miss(mark::write(token, None, taken))),
            (None, None) => Err(no_token()),
        }
    }

    pub(super) async fn mark(self: Arc<Self>, id: String) -> BackendResult<Mark> {
        is_named(&id)?;
        let taken = Instant::now();
        let find = self.documents.find_one(doc! { "_id": &id });
        let found = find.projection(document::all_but_the_value()).await;
        let found = found.map_err(failure)?;
        let found = found.as_deref().map(Found::read);
        let token = match found.and_then(|found| found.token_for(self.load_limit)) {
            Some(token) => token,
            None => {
                let made = self.make_place(&id, document::all_but_the_value()).await?;
                made.token.ok_or_else(no_token)?
            }
        };
        Ok(mark::write(token, None, taken))
    }

    /// Makes sure that a document exists, live or a place, and returns its `selected` fields.
    async fn make_place(&self, id: &str, selected: Document) -> BackendResult<Found> {
        let place = document::place(ObjectId::new(), self.load_limit);
        self.upsert(id, place, selected).await
    }

    /// Replaces the document, or its absence, by the expression `new`, and returns its `selected` fields.
    pub(super) async fn upsert(
        &self,
        id: &str,
        new: Document,
        selected: Document,
    ) -> BackendResult<Found> {
        let update = vec![doc! { "$replaceWith": new }];
        let made = insistently(|| {
            let filter = doc! { "_id": id };
            let update = self.documents.find_one_and_update(filter, update.clone());
            let update = update.upsert(true).return_document(ReturnDocument::After);
            update.projection(selected.clone()).into_future()
        });
        let made = made.await.map_err(failure)?;
        Ok(made.as_deref().map(Found::read).unwrap_or_default())
    }

    /// Writes a new token with the value, so that no load under way replaces it.
    pub(super) async fn set(
        self: Arc<Self>,
        id: String,
        key: Key,
        payload: Payload,
    ) -> BackendResult<()> {
        if let Err(refused) = fits(&id, &payload) {
            return self.refuse(&id, key, refused).await;
        }
        let update = self.value(&payload, doc! { "gen": ObjectId::new() });
        let done = insistently(|| {
            let update = self
                .documents
                .update_one(doc! { "_id": &id }, update.clone());
            update.upsert(true).into_future()
        });
        let done = done.await.map_err(failure)?;
        let change = Change::Key(key);
        if done.upserted_id.is_some() {
            self.notices.tell(&change).await
        } else {
            // the replaced value must not come back
            self.notices.tell_for_good(&change).await
        }
    }

    /// Removes the old value because the newer one was `refused`, and returns that error.
    pub(super) async fn refuse<T>(
        &self,
        id: &str,
        key: Key,
        refused: Box<dyn std::error::Error + Send + Sync>,
    ) -> BackendResult<T> {
        // nothing is stored under a name that is too long
        if is_named(id).is_ok() {
            let gone = self.documents.delete_one(doc! { "_id": id }).await;
            gone.map_err(failure)?;
            self.notices.tell_for_good(&Change::Key(key)).await?;
        }
        Err(refused)
    }

    pub(super) async fn fill(
        self: Arc<Self>,
        id: String,
        payload: Payload,
        mark: Mark,
    ) -> BackendResult<bool> {
        fits(&id, &payload)?;
        let Some((filter, update)) = self.filling(&id, &payload, &mark) else {
            return Ok(false);
        };
        let done = self.documents.update_one(filter, update).await;
        done.map(|done| done.matched_count > 0).map_err(failure)
    }

    /// The filter and update that store the value of a load; `None` if it is too late, or the mark has no content. The token stays,
    /// for other loads since the last invalidation. The load's own claim ends; another's stays.
    pub(super) fn filling(
        &self,
        id: &str,
        payload: &Payload,
        mark: &Mark,
    ) -> Option<(Document, Vec<Document>)> {
        if mark.age() > self.load_limit {
            return None;
        }
        let (token, owner) = mark::read(mark)?;
        let mut filter = doc! { "_id": id, "gen": token };
        let mut stay = doc! { "gen": "$gen" };
        if let Some(owner) = owner {
            filter.insert("owner", owner);
            filter.insert("$expr", document::is_claimed());
        } else {
            stay.insert("owner", "$owner");
            stay.insert("until", "$until");
        }
        Some((filter, self.value(payload, stay)))
    }

    /// The update that replaces the document by `payload` and the fields to `stay`.
    pub(super) fn value(&self, payload: &Payload, stay: Document) -> Vec<Document> {
        document::with(payload, self.load_limit, stay)
    }

    pub(super) async fn put(
        self: Arc<Self>,
        id: String,
        key: Key,
        payload: Payload,
        mark: Mark,
    ) -> BackendResult<bool> {
        if let Err(refused) = fits(&id, &payload) {
            return self.refuse(&id, key, refused).await;
        }
        let token = mark::read(&mark).map(|(token, _)| token);
        let stored = match token.filter(|_| mark.age() <= self.load_limit) {
            None => false,
            Some(token) => {
                let filter = doc! { "_id": &id, "gen": token };
                let update = self.value(&payload, doc! { "gen": ObjectId::new() });
                let done = self.documents.update_one(filter, update).await;
                done.map_err(failure)?.matched_count > 0
            }
        };
        if !stored {
            let gone = self.documents.delete_one(doc! { "_id": &id }).await;
            gone.map_err(failure)?;
        }
        self.notices.tell_for_good(&Change::Key(key)).await?;
        Ok(stored)
    }

    /// Evicts the entry. The deletion itself reports whether the value was live.
    pub(super) async fn evict(self: Arc<Self>, id: String, key: Key) -> BackendResult<bool> {
        is_named(&id)?;
        let filter = doc! { "_id": id };
        let delete = self.documents.find_one_and_delete(filter);
        let selected = doc! { "_id": 0, "live": document::is_live() };
        let gone = delete.projection(selected).await;
        let gone = gone.map_err(failure)?;
        self.notices.tell_for_good(&Change::Key(key)).await?;
        Ok(gone.is_some_and(|gone| gone.get_bool("live").unwrap_or(false)))
    }

    /// Evicts the scope. Tells others once all parts are deleted, so that they find it done.
    pub(super) async fn evict_by_scope(self: Arc<Self>, scope: Scope) -> BackendResult<u64> {
        let prefix = format!("{}{}", self.prefix, address::scope(&scope));
        is_named(&prefix)?;
        let count = self.delete_beginning_with(&prefix).await?;
        self.tell_in_time(Change::Scope(scope)).await?;
        Ok(count)
    }

    pub(super) async fn clear(self: Arc<Self>) -> BackendResult<()> {
        self.delete_beginning_with(&self.prefix).await?;
        self.tell_in_time(Change::All).await
    }

    async fn tell_in_time(&self, change: Change) -> BackendResult<()> {
        runtime::within(self.timeout, self.notices.tell_for_good(&change)).await
    }
}

/// Runs `operation`, and again if another operation made the document at the same moment.
async fn insistently<T, F: Future<Output = Result<T, Error>>>(
    operation: impl Fn() -> F,
) -> Result<T, Error> {
    for _ in 1..TRIES {
        match operation().await {
            Err(error) if code(&error) == Some(DUPLICATE) => {}
            done => return done,
        }
    }
    operation().await
}

/// Whether the name is short enough. The server hangs up on a command that is too long, which looks like an outage.
pub(super) fn is_named(id: &str) -> BackendResult<()> {
    if id.len() > LONGEST_NAME {
        let len = id.len();
        let message = format!("a name of {len} bytes: MongoDB is asked for no more than 4 MiB");
        return Err(Refused::new(message).into());
    }
    Ok(())
}

/// Whether the server takes a document of this size and name. It would hang up on one far beyond the limit as well.
pub(super) fn fits(id: &str, payload: &Payload) -> BackendResult<()> {
    is_named(id)?;
    // 1,024 bytes for the rest of the document and of the command
    let size = payload.bytes.len() + id.len() + 1024;
    if size > document::LARGEST {
        let len = payload.bytes.len();
        let message = format!("a value of {len} bytes: MongoDB takes 16 MiB, with its name");
        return Err(Refused::new(message).into());
    }
    Ok(())
}

pub(super) fn no_token() -> Box<dyn std::error::Error + Send + Sync> {
    Refused::new("another than this cache has written to its collection").into()
}

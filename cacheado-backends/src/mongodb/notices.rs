//! Tells other processes what was evicted and set, and hears what they tell: notices are documents in a small capped collection, whose
//! insertions every process follows by a change stream.
//!
//! A stream delivers only what a majority of the members has in its journal. The server writes the journal every 100 ms
//! (`storage.journal.commitIntervalMs`), or when a client waits for it. Operations that tell a change don't wait, so a background task
//! does, for all notices since it did so last.

use std::borrow::Cow;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use ::mongodb::bson::oid::ObjectId;
use ::mongodb::bson::{Document, RawDocument, RawDocumentBuf, doc};
use ::mongodb::change_stream::ChangeStream;
use ::mongodb::options::{Acknowledgment, ReadConcern, WriteConcern};
use ::mongodb::{Collection, Database};
use tokio::sync::{Notify, OnceCell};
use tokio::time::{sleep, timeout};

use super::document::binary;
use super::failure::{EXISTS, code, failure};
use super::progress::{Primary, Reached};
use super::store::Store;
use crate::backend::{BackendResult, Change, Changes, Refused};
use crate::io;
use crate::said::Said;

/// The size of the collection, in bytes. It is never read: the change stream is fed by the replica set's log.
const SIZE: u64 = 1 << 20;

/// The longest arguments in a notice, in bytes. Several notices go in one command, and a stream's event holds more than the notice;
/// the server takes 16 MiB of either.
const LONGEST_KEY: usize = 64 * 1024;

/// The longest time after which the server answers even if there is nothing new.
const WAIT: Duration = Duration::from_millis(300);

/// Longer silence counts as a failure.
pub(super) const SILENCE: Duration = Duration::from_secs(1);

/// The shortest and longest pause between attempts to open.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The pause where the server refuses such streams.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// The pause between two requests to write the journal, each of which costs the server a disk write.
const JOURNAL_PAUSE: Duration = Duration::from_millis(5);

/// The notices of one cache.
pub(super) struct Notices {
    database: Database,
    collection: Collection<Document>,
    /// Set once the collection exists, or can't be made.
    made: OnceCell<()>,
    cache: String,
    /// The write concern of a notice, and that of a notice of an invalidation.
    usual: WriteConcern,
    for_good: WriteConcern,
    /// Identifies this cache in this process, which ignores its own notices.
    me: ObjectId,
    /// Notified when either the stream or the store ends.
    ended: Arc<Notify>,
    /// Notified when a notice was written, or none ever will be again.
    told: Arc<Notify>,
}

impl Notices {
    pub(super) fn new(database: &Database, collection: &str, cache: &str) -> Self {
        let usual = database.write_concern().cloned().unwrap_or_default();
        Self {
            database: database.clone(),
            collection: database.collection(&self::collection(collection)),
            made: OnceCell::new(),
            cache: cache.to_owned(),
            for_good: journaled(usual.clone()),
            usual,
            me: ObjectId::new(),
            ended: Arc::default(),
            told: Arc::default(),
        }
    }

    /// Tells of `change`, after it was made: whoever hears of it must find it done.
    pub(super) async fn tell(&self, change: &Change) -> BackendResult<()> {
        self.tell_all([change], false).await
    }

    /// [`tell`](Self::tell) for an invalidation. When this returns, the notice survives a crash of the server: the journal is in
    /// order, so it also contains everything written before the notice.
    pub(super) async fn tell_for_good(&self, change: &Change) -> BackendResult<()> {
        self.tell_all([change], true).await
    }

    /// Tells of several changes, in one write.
    pub(super) async fn tell_all<'c>(
        &self,
        changes: impl IntoIterator<Item = &'c Change>,
        for_good: bool,
    ) -> BackendResult<()> {
        let notices: Vec<Document> = changes
            .into_iter()
            .filter_map(|change| shortened(change).to_bytes())
            .map(|bytes| doc! { "of": &self.cache, "by": self.me, "change": binary(&bytes) })
            .collect();
        if notices.is_empty() {
            return Ok(());
        }
        self.make().await?;
        let concern = if for_good {
            &self.for_good
        } else {
            &self.usual
        };
        let told = match &notices[..] {
            [notice] => {
                let insert = self.collection.insert_one(notice);
                insert.write_concern(concern.clone()).await.map(|_| ())
            }
            notices => {
                let insert = self.collection.insert_many(notices);
                insert.write_concern(concern.clone()).await.map(|_| ())
            }
        };
        told.map_err(failure)?;
        self.told.notify_one();
        Ok(())
    }

    /// Makes the server write its journal now.
    async fn journal(&self) -> BackendResult<()> {
        let majority = WriteConcern::builder().w(Acknowledgment::Majority);
        // no such document exists, but the server waits for all earlier writes
        let nothing = self.collection.delete_one(doc! { "_id": self.me });
        let done = nothing.write_concern(majority.build()).await;
        done.map(|_| ()).map_err(failure)
    }

    /// Makes the collection before this process first writes to it: capped, if this process makes it.
    async fn make(&self) -> BackendResult<()> {
        let make = async || self.create().await.map(|_| ());
        self.made.get_or_try_init(make).await?;
        Ok(())
    }

    /// Makes sure that the collection exists and is capped. It is not capped if it was dropped and then written to.
    pub(super) async fn make_sure(&self) -> BackendResult<()> {
        if self.create().await? || self.is_capped().await? {
            return Ok(());
        }
        let name = self.collection.name();
        let size = i64::try_from(SIZE).unwrap_or(i64::MAX);
        let convert = doc! { "convertToCapped": name, "size": size };
        let done = self.database.run_command(convert).await;
        unless_refused(done.map(|_| ()).map_err(failure))
    }

    /// Makes the collection. Returns false if it exists.
    async fn create(&self) -> BackendResult<bool> {
        let create = self.database.create_collection(self.collection.name());
        match create.capped(true).size(SIZE).await {
            Ok(()) => Ok(true),
            Err(error) if code(&error) == Some(EXISTS) => Ok(false),
            Err(error) => unless_refused(Err(failure(error))).map(|()| true),
        }
    }

    async fn is_capped(&self) -> BackendResult<bool> {
        let list = self.database.list_collections();
        let list = list.filter(doc! { "name": self.collection.name() }).await;
        let mut list = list.map_err(failure)?;
        if !list.advance().await.map_err(failure)? {
            // dropped since: left to the next check
            return Ok(true);
        }
        let found = list.deserialize_current();
        let found = found.map_err(failure)?;
        Ok(found.options.capped == Some(true))
    }

    /// Opens a stream, then writes a document that the stream must deliver, recognised by its id. That a stream answers does not show
    /// that it misses nothing.
    async fn open(&self) -> BackendResult<Stream> {
        self.make_sure().await?;
        // asked before anything is heard, so that a primary elected later is recognised as another
        let primary = Primary::ask(&self.database).await?;
        let first = ObjectId::new();
        let others = doc! { "$match": {
            "operationType": "insert",
            "$or": [
                { "fullDocument.of": &self.cache, "fullDocument.by": { "$ne": self.me } },
                { "documentKey._id": first },
            ],
        } };
        let stream = self
            .collection
            .watch()
            .pipeline([others])
            .max_await_time(WAIT)
            .read_concern(ReadConcern::majority());
        let stream = stream.await.map_err(failure)?;
        let written = self.collection.insert_one(doc! { "_id": first }).await;
        written.map_err(failure)?;
        self.told.notify_one();
        Ok(Stream {
            events: stream.with_type(),
            first,
            primary,
            database: self.database.clone(),
        })
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.told.notify_one();
        self.ended.notify_one();
    }
}

/// The name of the collection for notices of `collection`.
pub(super) fn collection(collection: &str) -> String {
    format!("{collection}.changes")
}

/// Ignores a refusal: the collection may exist, and this user may only be allowed to write to it.
fn unless_refused(made: BackendResult<()>) -> BackendResult<()> {
    match made {
        Err(error) if error.is::<Refused>() => {
            tracing::debug!(%error, "the collection of changes could not be made");
            Ok(())
        }
        made => made,
    }
}

/// `change`, or that of the whole scope if the key is too long for a notice.
fn shortened(change: &Change) -> Cow<'_, Change> {
    match change {
        Change::Key(key) if key.args().len() > LONGEST_KEY => {
            Cow::Owned(Change::Scope(key.scope()))
        }
        _ => Cow::Borrowed(change),
    }
}

/// `concern` with journaling, unless it says otherwise. A majority implies it.
fn journaled(mut concern: WriteConcern) -> WriteConcern {
    if concern.w != Some(Acknowledgment::Majority) {
        concern.journal.get_or_insert(true);
    }
    concern
}

/// Makes notices reach other processes soon, for as long as the store exists.
pub(super) async fn hurry(store: Weak<Store>) {
    let Some(told) = store.upgrade().map(|store| Arc::clone(&store.notices.told)) else {
        return;
    };
    loop {
        told.notified().await;
        let Some(store) = store.upgrade() else {
            return;
        };
        // without it, notices only take longer
        if let Ok(Err(error)) = timeout(SILENCE, store.notices.journal()).await {
            tracing::debug!(%error, "MongoDB was not made to hurry");
        }
        drop(store);
        sleep(JOURNAL_PAUSE).await;
    }
}

/// The notification that the stream of `store` or the store itself has ended; `None` if the store is gone already.
pub(super) fn ended(store: &Weak<Store>) -> Option<Arc<Notify>> {
    let store = store.upgrade()?;
    Some(Arc::clone(&store.notices.ended))
}

/// Reports to `changes` what other processes tell, for as long as the store exists.
pub(super) async fn listen(store: Weak<Store>, changes: Changes) {
    let Some(ended) = ended(&store) else {
        return;
    };
    let mut pause = SHORTEST_PAUSE;
    let mut said = Said::default();
    while let Some(store) = store.upgrade() {
        let opened = timeout(SILENCE, store.notices.open()).await;
        drop(store);
        let error = match opened {
            Ok(Ok(stream)) => {
                let covered = AtomicBool::new(false);
                let error = stream.follow(&changes, &covered).await;
                ended.notify_one();
                if covered.into_inner() {
                    pause = SHORTEST_PAUSE;
                    said.forget();
                    io::report(&changes, Change::Lost);
                    tracing::warn!(%error, "MongoDB no longer tells what other processes do");
                }
                error
            }
            Ok(Err(error)) => error,
            Err(_) => "no answer".into(),
        };
        if said.is_new(&error) {
            tracing::warn!(%error, "MongoDB does not tell what other processes do: copies are kept for a while only");
        } else {
            tracing::debug!(%error, "no change stream of MongoDB to rely on");
        }
        let refused = error.is::<Refused>();
        sleep(if refused { REFUSED_PAUSE } else { pause }).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A change stream that was just opened.
struct Stream {
    events: ChangeStream<RawDocumentBuf>,
    /// The id of the document written once it was open.
    first: ObjectId,
    /// The primary before that. `None`: there is none whose writes can be compared, so nothing is covered.
    primary: Option<Primary>,
    database: Database,
}

impl Stream {
    /// Reports the stream's notices until it ends or falls behind; returns why. Changes are covered from when the stream has delivered
    /// the document written for that purpose.
    async fn follow(
        self,
        changes: &Changes,
        covered: &AtomicBool,
    ) -> Box<dyn std::error::Error + Send + Sync> {
        let Self {
            mut events,
            first,
            primary,
            database,
        } = self;
        let reached = Reached::default();
        let hear = async {
            loop {
                match timeout(SILENCE, events.next_if_any()).await {
                    Ok(Ok(Some(event))) if is(&event, first) => {
                        if primary.is_some() {
                            io::report(changes, Change::Covered);
                            covered.store(true, Ordering::Relaxed);
                        }
                    }
                    Ok(Ok(Some(event))) => {
                        if let Some(change) = told(&event) {
                            io::report(changes, change);
                        }
                    }
                    Ok(Ok(None)) if events.is_alive() => {}
                    Ok(Ok(None)) => return "the stream has ended".into(),
                    Ok(Err(error)) => return failure(error),
                    Err(_) => return "it fell silent".into(),
                }
                reached.note(events.resume_token().as_ref());
            }
        };
        let outrun = async {
            match primary {
                Some(primary) => primary.outruns(&reached, &database).await,
                None => pending().await,
            }
        };
        either(hear, outrun).await
    }
}

/// The result of the first of the two to end.
async fn either<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Pending => other.as_mut().poll(cx),
        done @ Poll::Ready(_) => done,
    })
    .await
}

/// Whether the event concerns the document with that id.
fn is(event: &RawDocument, id: ObjectId) -> bool {
    let of = event.get_document("documentKey").ok();
    of.and_then(|of| of.get_object_id("_id").ok()) == Some(id)
}

/// The change in the event. A notice that can't be read may concern anything.
fn told(event: &RawDocument) -> Option<Change> {
    let notice = event.get_document("fullDocument").ok();
    let change = notice.and_then(|notice| notice.get_binary("change").ok());
    change.map_or(Some(Change::All), |change| Change::from_bytes(change.bytes))
}

//! Telling other processes what was evicted and set, and hearing them: documents in a small capped collection, whose insertions
//! every process follows by a change stream.
//!
//! A stream says only what a majority of the members has in its journal. The server writes that each 100 ms
//! (`storage.journal.commitIntervalMs`), or when somebody waits for it; nobody who tells does, so a task in the background does,
//! for all that was told since it did so last.

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

/// The size of the collection, in bytes. Nobody reads it: the change stream is fed by the log of the replica set.
const SIZE: u64 = 1 << 20;

/// The longest arguments that are told, in bytes. Several notices go in one command, and an event of a stream holds more than the notice;
/// the server takes 16 MiB of either.
const LONGEST_KEY: usize = 64 * 1024;

/// The server says that it has nothing to say at least this often.
const WAIT: Duration = Duration::from_millis(300);

/// What is silent for longer is dead.
pub(super) const SILENCE: Duration = Duration::from_secs(1);

/// Between two attempts to open a stream.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// And where the server has no such streams.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// Between two requests to write the journal, each of which costs the server a write to its disk.
const JOURNAL_PAUSE: Duration = Duration::from_millis(5);

/// What processes tell each other of one cache.
pub(super) struct Notices {
    database: Database,
    collection: Collection<Document>,
    /// Done once the collection is there, or can't be made.
    made: OnceCell<()>,
    cache: String,
    /// How what is told is acknowledged, and how if it made something invalid.
    usual: WriteConcern,
    for_good: WriteConcern,
    /// This process, or one of its caches: what it tells is nothing new to it.
    me: ObjectId,
    /// The stream has ended, or the store.
    ended: Arc<Notify>,
    /// Something was told, or nothing ever will be again.
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

    /// Tells of `change`, after it was made: whoever hears of it must find it made.
    pub(super) async fn tell(&self, change: &Change) -> BackendResult<()> {
        self.tell_all([change], false).await
    }

    /// As [`tell`](Self::tell), of what made something invalid. When this returns it outlives a crash of the server: the journal is in
    /// order, so what was written before the notice is in it, too.
    pub(super) async fn tell_for_good(&self, change: &Change) -> BackendResult<()> {
        self.tell_all([change], true).await
    }

    /// Tells of several, in one write.
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

    /// Has the server write its journal now.
    async fn journal(&self) -> BackendResult<()> {
        let majority = WriteConcern::builder().w(Acknowledgment::Majority);
        // there is no such document, and the server waits for all that was written before
        let nothing = self.collection.delete_one(doc! { "_id": self.me });
        let done = nothing.write_concern(majority.build()).await;
        done.map(|_| ()).map_err(failure)
    }

    /// Makes the collection before it is first written to, capped if this process is the one to make it.
    async fn make(&self) -> BackendResult<()> {
        let make = async || self.create().await.map(|_| ());
        self.made.get_or_try_init(make).await?;
        Ok(())
    }

    /// Makes sure that the collection is there, and capped. It is not if it was dropped and then written to.
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

    /// Makes the collection. False if it is there.
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
            // dropped since: the next time
            return Ok(true);
        }
        let found = list.deserialize_current();
        let found = found.map_err(failure)?;
        Ok(found.options.capped == Some(true))
    }

    /// Opens a stream, and then writes what it must bring, to be known by its id: that it answers says nothing of what it misses.
    async fn open(&self) -> BackendResult<Stream> {
        self.make_sure().await?;
        // before anything is heard, so that a primary elected later is known to be another
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

/// The name of the collection for what is told of `collection`.
pub(super) fn collection(collection: &str) -> String {
    format!("{collection}.changes")
}

/// The collection may be there and this user be allowed to write to it, and no more.
fn unless_refused(made: BackendResult<()>) -> BackendResult<()> {
    match made {
        Err(error) if error.is::<Refused>() => {
            tracing::debug!(%error, "the collection of changes could not be made");
            Ok(())
        }
        made => made,
    }
}

/// `change`, or that of the whole scope if the key is too long to tell.
fn shortened(change: &Change) -> Cow<'_, Change> {
    match change {
        Change::Key(key) if key.args().len() > LONGEST_KEY => {
            Cow::Owned(Change::Scope(key.scope()))
        }
        _ => Cow::Borrowed(change),
    }
}

/// `concern`, and that the journal is written, unless it says otherwise. A majority does that by itself.
fn journaled(mut concern: WriteConcern) -> WriteConcern {
    if concern.w != Some(Acknowledgment::Majority) {
        concern.journal.get_or_insert(true);
    }
    concern
}

/// Has what is told reach others soon, for as long as there is the store.
pub(super) async fn hurry(store: Weak<Store>) {
    let Some(told) = store.upgrade().map(|store| Arc::clone(&store.notices.told)) else {
        return;
    };
    loop {
        told.notified().await;
        let Some(store) = store.upgrade() else {
            return;
        };
        // without, it only takes longer
        if let Ok(Err(error)) = timeout(SILENCE, store.notices.journal()).await {
            tracing::debug!(%error, "MongoDB was not made to hurry");
        }
        drop(store);
        sleep(JOURNAL_PAUSE).await;
    }
}

/// What tells that the stream of `store` has ended, or the store; `None` if that is so already.
pub(super) fn ended(store: &Weak<Store>) -> Option<Arc<Notify>> {
    let store = store.upgrade()?;
    Some(Arc::clone(&store.notices.ended))
}

/// Reports to `changes` what others tell, for as long as there is the store.
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
    /// The id of what was written once it was open.
    first: ObjectId,
    /// As it was before. `None`: there is none whose writes could be compared, so nothing is covered.
    primary: Option<Primary>,
    database: Database,
}

impl Stream {
    /// Reports what the stream says until it says no more, or says it late; returns why. Covered is what happens from when it has
    /// brought what was written to see it.
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

/// What the first of the two to end says.
async fn either<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Pending => other.as_mut().poll(cx),
        done @ Poll::Ready(_) => done,
    })
    .await
}

/// Whether the event is about the document of that id.
fn is(event: &RawDocument, id: ObjectId) -> bool {
    let of = event.get_document("documentKey").ok();
    of.and_then(|of| of.get_object_id("_id").ok()) == Some(id)
}

/// What the event tells. What can't be read may concern anything.
fn told(event: &RawDocument) -> Option<Change> {
    let notice = event.get_document("fullDocument").ok();
    let change = notice.and_then(|notice| notice.get_binary("change").ok());
    change.map_or(Some(Change::All), |change| Change::from_bytes(change.bytes))
}

//! `mongodb`: one client for all threads and one for all tasks, each with the driver's own pool. Each entry is a document, with an
//! index by which the server deletes expired ones. Writes are acknowledged by the primary and not retried, as the cache's are.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, DateTime, Document, RawDocumentBuf, doc};
use mongodb::options::{Acknowledgment, ClientOptions, IndexOptions, WriteConcern};
use mongodb::{Client, Collection, IndexModel, sync};

use super::Driver;
use crate::shared::callers::Callers;
use crate::shared::contender::{LIFETIME, Waiting};

pub(super) struct MongoDb {
    blocking: sync::Collection<RawDocumentBuf>,
    waiting: Collection<RawDocumentBuf>,
}

impl MongoDb {
    pub(super) fn new(url: &str, callers: &Callers) -> Result<Self, String> {
        Self::connect(url, callers).map_err(|error| error.to_string())
    }

    fn connect(url: &str, callers: &Callers) -> mongodb::error::Result<Self> {
        let mut options = callers.wait(async { ClientOptions::parse(url).await })?;
        options.retry_writes = Some(false);
        options.retry_reads = Some(false);
        let one = WriteConcern::builder().w(Acknowledgment::Nodes(1));
        options.write_concern = Some(one.build());
        let blocking = sync::Client::with_options(options.clone())?;
        let blocking = blocking.database("bare").collection("items");
        let waiting = callers.wait(async {
            let client = Client::with_options(options)?;
            let waiting = client.database("bare").collection("items");
            let expiry = IndexOptions::builder().expire_after(Duration::ZERO);
            let expiry = IndexModel::builder()
                .keys(doc! { "exp": 1 })
                .options(expiry.build());
            waiting.create_index(expiry.build()).await?;
            mongodb::error::Result::Ok(waiting)
        })?;
        Ok(Self { blocking, waiting })
    }
}

impl Driver for MongoDb {
    fn get(&self, _: usize, key: &str) -> Option<Vec<u8>> {
        let found = self.blocking.find_one(doc! { "_id": key }).run();
        found.expect("the server answers").map(|it| value(&it))
    }

    fn set(&self, _: usize, key: &str, value: Vec<u8>) {
        let set = self
            .blocking
            .replace_one(doc! { "_id": key }, document(key, value));
        set.upsert(true).run().expect("the server answers");
    }

    fn get_many(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        let found = self.blocking.find(doc! { "_id": { "$in": keys } }).run();
        let found = found.expect("the server answers");
        in_order(keys, found.map(|it| it.expect("the server answers")))
    }

    fn get_async<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let found = self.waiting.find_one(doc! { "_id": key }).await;
            found.expect("the server answers").map(|it| value(&it))
        })
    }

    fn set_async<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Waiting<'a, ()> {
        Box::pin(async move {
            let set = self
                .waiting
                .replace_one(doc! { "_id": key }, document(key, value));
            set.upsert(true).await.expect("the server answers");
        })
    }

    fn get_many_async<'a>(&'a self, keys: &'a [String]) -> Waiting<'a, Vec<Option<Vec<u8>>>> {
        Box::pin(async move {
            let found = self.waiting.find(doc! { "_id": { "$in": keys } }).await;
            let mut cursor = found.expect("the server answers");
            let mut found = Vec::with_capacity(keys.len());
            while cursor.advance().await.expect("the server answers") {
                found.push(cursor.current().to_owned());
            }
            in_order(keys, found)
        })
    }
}

fn document(key: &str, value: Vec<u8>) -> RawDocumentBuf {
    let value = Binary {
        subtype: BinarySubtype::Generic,
        bytes: value,
    };
    let expires = DateTime::from_system_time(SystemTime::now() + LIFETIME);
    let document: Document = doc! { "_id": key, "value": value, "exp": expires };
    RawDocumentBuf::try_from(&document).expect("it holds no more than a document may")
}

fn value(document: &RawDocumentBuf) -> Vec<u8> {
    let value = document.get_binary("value").expect("it was stored so");
    value.bytes.to_vec()
}

fn in_order(
    keys: &[String],
    found: impl IntoIterator<Item = RawDocumentBuf>,
) -> Vec<Option<Vec<u8>>> {
    let id = |it: &RawDocumentBuf| it.get_str("_id").expect("it was stored so").to_owned();
    let found = found.into_iter().map(|it| (id(&it), value(&it)));
    let mut found: HashMap<String, Vec<u8>> = found.collect();
    keys.iter().map(|key| found.remove(key)).collect()
}

//! Documents changed by another client: no caller is served what it wrote, and the cache keeps working.

use std::time::Duration;

use cacheado::{Cache, cache};
use cacheado_backends::mongodb::MongoDb;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};
use tokio::runtime::Runtime;

use super::fresh;
use super::server::{RUNTIME, SHARED, documents};

cacheado::scopes! {
    mod tenancy;
    organization(org_id)
}

/// Returns a text that names its tenant.
#[cache(cache = cache, skip(cache), scope = "organization", scopes = tenancy, ttl = "1h", name = "note")]
fn note(cache: &Cache, org_id: &str) -> String {
    let _ = cache;
    format!("the note of {org_id}")
}

/// Shares the entries of `note`.
#[cache(cache = cache, skip(cache), scope = "organization", scopes = tenancy, ttl = "1h", name = "note")]
async fn note_async(cache: &Cache, org_id: &str) -> String {
    let _ = cache;
    format!("the note of {org_id}")
}

fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    })
}

/// Values that are not those of `acme`'s entry. `theirs` is another tenant's.
fn values(theirs: &Bson) -> [Bson; 9] {
    let Bson::Binary(whole) = theirs else {
        panic!("{theirs} is no value");
    };
    [
        theirs.clone(),
        binary(&whole.bytes[..whole.bytes.len() - 1]),
        binary(b""),
        binary(b"something else"),
        binary(&[255; 300]),
        "text".into(),
        7.into(),
        Bson::Null,
        vec!["a", "list"].into(),
    ]
}

/// Updates after which another field is missing or has another type.
fn others() -> [Document; 7] {
    [
        doc! { "$unset": { "value": 1 } },
        doc! { "$unset": { "value": 1, "gen": 1, "keep": 1, "exp": 1 } },
        doc! { "$set": { "value": "text", "gen": "text" } },
        doc! { "$set": { "exp": DateTime::from_millis(0) } },
        doc! { "$set": { "exp": "tomorrow" } },
        doc! { "$set": { "exp": 7 } },
        doc! { "$set": { "value": "text", "exp": "tomorrow", "keep": "tomorrow" } },
    ]
}

#[test]
fn what_another_client_writes_is_given_to_nobody() {
    let database = fresh();
    let runtime = Runtime::new().unwrap();
    let cache = || {
        let backend = MongoDb::new(&SHARED.url()).unwrap().database(&database);
        let backend = backend.timeout(Duration::from_secs(5));
        let builder = Cache::builder().name("shop").backend(backend);
        builder.in_process(false).build().unwrap()
    };
    let (writer, reader) = (cache(), cache());
    let ask = |cache: &Cache, org: &str, is_async: bool| {
        let loads = cache.stats().loads;
        let value = if is_async {
            runtime.block_on(note_async(cache, org))
        } else {
            note(cache, org)
        };
        assert_eq!(value, format!("the note of {org}"));
        cache.stats().loads - loads
    };
    let entries = documents(&database);
    let of = |org: &str| doc! { "_id": { "$regex": format!("organization={org}/") } };
    for is_async in [false, true] {
        ask(&writer, "globex", is_async);
        let theirs = RUNTIME.block_on(entries.find_one(of("globex")).into_future());
        let theirs = theirs.unwrap().unwrap();
        let values = values(theirs.get("value").unwrap());
        let values = values.map(|value| (doc! { "$set": { "value": value } }, true));
        let others = others().map(|update| (update, false));
        for (update, whole) in values.into_iter().chain(others) {
            // not by an eviction: its report might arrive while the caches load again, and then they would store nothing
            let gone = entries.delete_many(of("acme"));
            RUNTIME.block_on(gone.into_future()).unwrap();
            assert_eq!(ask(&writer, "acme", is_async), 1, "before {update}");
            assert_eq!(ask(&reader, "acme", is_async), 0, "before {update}");
            let done = entries.update_one(of("acme"), update.clone());
            let done = RUNTIME.block_on(done.into_future()).unwrap();
            assert_eq!(done.matched_count, 1);
            let before = reader.stats().backend_errors;
            assert_eq!(ask(&reader, "acme", is_async), 1, "{update}");
            if whole {
                let counted = reader.stats().backend_errors - before;
                assert_eq!(counted, 1, "{update}");
                let again = ask(&writer, "acme", is_async);
                assert_eq!(again, 0, "{update}: the new value is stored");
            }
            assert_eq!(ask(&reader, "globex", is_async), 0, "{update}");
        }
    }
    assert_eq!(reader.stats().backend_skips, 0, "it is no outage");
}

//! Each operation by itself.

use std::time::{Duration, Instant};

use cacheado_backends::backend::{Backend, Lease, Lookup, Refused};
use cacheado_backends::mongodb::MongoDb;
use cacheado_backends::{Key, Scope};
use mongodb::Collection;
use mongodb::bson::{Bson, Document, doc};
use tokio::runtime::Builder;

use super::server::{RUNTIME, SHARED, documents};
use super::{
    backend, backend_at, forever, fresh, key, key_in, missed, organization, payload, user, value,
};

const MINUTE: Duration = Duration::from_secs(60);

fn count(database: &str, filter: Document) -> u64 {
    count_of(&documents(database), filter)
}

fn count_of(documents: &Collection<Document>, filter: Document) -> u64 {
    RUNTIME
        .block_on(documents.count_documents(filter).into_future())
        .unwrap()
}

#[test]
fn what_is_set_is_found_until_it_is_evicted() {
    let backend = backend(&fresh());
    missed(&backend, &key("a"));
    backend.set(&key("a"), &forever("1")).unwrap();
    assert_eq!(value(&backend, &key("a")).unwrap(), "1");
    backend.set(&key("a"), &forever("2")).unwrap();
    assert_eq!(value(&backend, &key("a")).unwrap(), "2");
    assert!(backend.evict(&key("a")).unwrap());
    missed(&backend, &key("a"));
    // the stub that the miss left is no entry
    assert!(!backend.evict(&key("a")).unwrap());
    assert!(!backend.evict(&key("a")).unwrap());
}

#[test]
fn values_of_all_sizes_come_back() {
    let backend = backend(&fresh());
    for len in [0, 1, 1000, 500_000, 15 * 1024 * 1024] {
        let stored = forever(&"x".repeat(len));
        backend.set(&key("a"), &stored).unwrap();
        let found = backend.get(&key("a")).unwrap().hit().unwrap();
        assert!(found == stored, "{len}");
    }
    let error = backend.set(&key("a"), &forever(&"x".repeat(16 * 1024 * 1024)));
    assert!(error.unwrap_err().is::<Refused>());
    let mark = missed(&backend, &key("b"));
    let error = backend.fill(&key("b"), &forever(&"x".repeat(60 * 1024 * 1024)), &mark);
    assert!(error.unwrap_err().is::<Refused>());
    // and the connection still works
    assert!(backend.fill(&key("b"), &forever("x"), &mark).unwrap());
}

/// The old value is outdated, and other processes may ask for it at once.
#[test]
fn a_value_that_is_too_large_is_refused_and_takes_the_old_one_along() {
    let backend = backend(&fresh());
    let large = forever(&"x".repeat(16 * 1024 * 1024));
    backend.set(&key("a"), &forever("old")).unwrap();
    let before = backend.mark(&key("a")).unwrap();
    let error = backend.set(&key("a"), &large).unwrap_err();
    assert!(error.is::<Refused>(), "{error}");
    let mark = missed(&backend, &key("a"));
    let outdated = backend.fill(&key("a"), &forever("old"), &before);
    assert!(!outdated.unwrap(), "a load that began before");

    assert!(backend.fill(&key("a"), &forever("old"), &mark).unwrap());
    let error = backend.put(&key("a"), &large, &mark).unwrap_err();
    assert!(error.is::<Refused>(), "{error}");
    missed(&backend, &key("a"));
}

#[test]
fn one_that_is_too_large_keeps_none_of_many_from_being_stored() {
    let backend = backend(&fresh()).timeout(MINUTE);
    let keys = ["a", "b", "c"].map(key);
    let large = "x".repeat(16 * 1024 * 1024);
    let values = ["1", &large, "3"].map(forever);
    backend.set(&key("b"), &forever("old")).unwrap();
    let entries: Vec<_> = keys.iter().cloned().zip(values.clone()).collect();
    assert!(backend.set_many(&entries).unwrap_err().is::<Refused>());
    let found = || keys.each_ref().map(|key| value(&backend, key));
    let others = [Some("1"), None, Some("3")].map(|it| it.map(str::to_owned));
    assert_eq!(found(), others);

    backend.clear().unwrap();
    let marks = keys.each_ref().map(|key| missed(&backend, key));
    let fills = entries.into_iter().zip(marks);
    let fills: Vec<_> = fills.map(|((key, it), mark)| (key, it, mark)).collect();
    assert!(backend.fill_many(&fills).unwrap_err().is::<Refused>());
    assert_eq!(found(), others);
}

#[test]
fn what_is_left_shrinks_and_what_is_over_is_gone() {
    let backend = backend(&fresh());
    let lifetime = Duration::from_millis(300);
    let stored = Instant::now();
    backend
        .set(&key("a"), &payload("1", Some(lifetime)))
        .unwrap();
    let set = Instant::now();
    let mut asked = Instant::now();
    while let Lookup::Hit(found) = backend.get(&key("a")).unwrap() {
        let most = lifetime.saturating_sub(asked - set);
        let left = found.lifetime.unwrap();
        assert!(left <= most, "{left:?} of {most:?}");
        assert!(stored.elapsed() < MINUTE);
        asked = Instant::now();
    }
    assert!(stored.elapsed() + asked.elapsed() + Duration::from_millis(1) >= lifetime);
    backend
        .set(&key("b"), &payload("1", Some(Duration::MAX)))
        .unwrap();
    assert!(backend.get(&key("b")).unwrap().hit().unwrap().lifetime > Some(MINUTE));
    backend
        .set(&key("b"), &payload("1", Some(Duration::ZERO)))
        .unwrap();
    missed(&backend, &key("b"));
}

#[test]
fn the_server_deletes_what_has_expired() {
    let database = fresh();
    let backend = backend(&database).load_limit(Duration::from_millis(1));
    let mut left = payload("1", Some(Duration::from_millis(1)));
    backend.set(&key("a"), &left).unwrap();
    left.lifetime = None;
    backend.set(&key("b"), &left).unwrap();
    let deadline = Instant::now() + MINUTE;
    while count(&database, doc! {}) > 1 {
        assert!(Instant::now() < deadline, "it is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(value(&backend, &key("b")).unwrap(), "1");
}

const BRIEF: Duration = Duration::from_millis(500);

/// Waits until the server has swept an expired document stored now, and so everything that expired earlier.
fn wait_for_a_sweep(database: &str) {
    let over = payload("1", Some(BRIEF));
    let short = backend(database).load_limit(Duration::from_millis(1));
    short.set(&key("over"), &over).unwrap();
    let deadline = Instant::now() + MINUTE;
    let documents = documents(database);
    let over = doc! { "_id": { "$regex": "\"over\"" } };
    while count_of(&documents, over.clone()) > 0 {
        assert!(Instant::now() < deadline, "the server sweeps nothing");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_end_of_a_lifetime_ends_no_load_also_after_a_sweep() {
    let database = fresh();
    let backend = backend(&database);
    let old = payload("old", Some(BRIEF));
    for name in ["put", "fill"] {
        backend.set(&key(name), &old).unwrap();
    }
    let [put, fill] = ["put", "fill"].map(|name| backend.mark(&key(name)).unwrap());
    wait_for_a_sweep(&database);
    assert!(backend.put(&key("put"), &forever("new"), &put).unwrap());
    assert!(backend.fill(&key("fill"), &forever("new"), &fill).unwrap());
    for name in ["put", "fill"] {
        assert_eq!(value(&backend, &key(name)).unwrap(), "new");
    }
}

#[test]
fn a_value_is_kept_for_the_loads_that_begin_while_it_lives() {
    let database = fresh();
    let short = backend(&database).load_limit(Duration::from_millis(1));
    let brief = payload("1", Some(Duration::from_secs(20)));
    short.set(&key("a"), &brief).unwrap();
    // others may take a minute
    let kept = doc! { "$expr": { "$gte": [{ "$subtract": ["$keep", "$exp"] }, 40_000] } };
    assert_eq!(count(&database, kept.clone()), 0);
    let mark = backend(&database).mark(&key("a")).unwrap();
    assert_eq!(count(&database, kept.clone()), 1);
    assert_eq!(mark.bytes(), short.mark(&key("a")).unwrap().bytes());
    short.set(&key("a"), &brief).unwrap();
    backend(&database).lease(&key("a"), MINUTE).unwrap();
    assert_eq!(count(&database, kept), 1);
    // the value's own lifetime is unchanged
    let left = short.get(&key("a")).unwrap().hit().unwrap().lifetime;
    assert!(left <= brief.lifetime);
}

#[test]
fn a_scope_is_evicted_with_what_is_below_it_and_nothing_else() {
    let database = fresh();
    let backend = backend(&database);
    let scopes = [
        organization("1"),
        user("1", "1"),
        user("1", "10"),
        user("1", "1/user=10"),
        organization("10"),
        user("10", "1"),
        organization("1/"),
        organization("1\0"),
        organization(""),
        organization("1%2F"),
        organization(&"ü".repeat(5000)),
        Scope::global(),
    ];
    let store = || {
        for (nth, scope) in scopes.iter().enumerate() {
            backend
                .set(&key_in(scope, "x"), &forever(&nth.to_string()))
                .unwrap();
            // neither expired values nor stubs are counted
            let gone = payload("over", Some(Duration::ZERO));
            backend.set(&key_in(scope, "gone"), &gone).unwrap();
            missed(&backend, &key_in(scope, "missed"));
        }
    };
    for evicted in &scopes {
        store();
        let inside = scopes
            .iter()
            .filter(|scope| evicted.contains(scope))
            .count() as u64;
        assert_eq!(
            backend.evict_by_scope(evicted).unwrap(),
            inside,
            "{evicted}"
        );
        for (nth, scope) in scopes.iter().enumerate() {
            let found = value(&backend, &key_in(scope, "x"));
            let expected = (!evicted.contains(scope)).then(|| nth.to_string());
            assert_eq!(found, expected, "{scope} after {evicted}");
        }
        backend.clear().unwrap();
    }
    assert_eq!(count(&database, doc! {}), 0);
}

#[test]
fn caches_of_one_collection_leave_each_other_and_what_is_foreign_alone() {
    let database = fresh();
    let names = ["a", "a:", "a%3A", "b", "a:b", ""];
    let backends = names.map(|name| backend_at(&SHARED, &database, name));
    let global = key_in(&Scope::global(), "x");
    for (backend, name) in backends.iter().zip(names) {
        backend.set(&global, &forever(name)).unwrap();
        backend.set(&key("x"), &forever(name)).unwrap();
    }
    let foreign = documents(&database);
    let ids = [
        Bson::from("a"),
        Bson::from("b;"),
        Bson::from(7),
        Bson::from("organization=1/"),
    ];
    for id in &ids {
        RUNTIME
            .block_on(foreign.insert_one(doc! { "_id": id }).into_future())
            .unwrap();
    }
    for nth in 0..names.len() {
        if nth % 2 == 0 {
            backends[nth].clear().unwrap();
        } else {
            assert_eq!(backends[nth].evict_by_scope(&Scope::global()).unwrap(), 2);
        }
        for (other, (backend, name)) in backends.iter().zip(names).enumerate() {
            let expected = (other > nth).then(|| name.to_owned());
            assert_eq!(value(backend, &global), expected);
            assert_eq!(value(backend, &key("x")), expected);
        }
    }
    let ids = ids.to_vec();
    assert_eq!(count(&database, doc! { "_id": { "$in": ids } }), 4);
}

#[test]
fn names_can_be_read_in_the_shell() {
    let database = fresh();
    backend(&database)
        .set(&key("settings"), &forever("1"))
        .unwrap();
    let found = documents(&database);
    let found = RUNTIME
        .block_on(found.find_one(doc! {}).into_future())
        .unwrap();
    let id = found.unwrap().get_str("_id").unwrap().to_owned();
    let start = "storefront:organization=acme/user=7/\"settings\"~";
    assert!(id.starts_with(start), "{id}");
}

#[test]
fn a_claim_is_one_processs_until_it_is_given_back_or_over() {
    let database = fresh();
    let (one, other) = (backend(&database), backend(&database));
    let granted = |backend: &MongoDb, span| match backend.lease(&key("a"), span).unwrap() {
        Lease::Granted(mark) => Some(mark),
        Lease::Taken => None,
        Lease::Unsupported => panic!("it is supported"),
    };
    let mark = granted(&one, MINUTE).unwrap();
    assert!(granted(&other, MINUTE).is_none());
    assert!(granted(&one, MINUTE).is_none());
    // another claim's release changes nothing
    other
        .release(&key("a"), &missed(&other, &key("a")))
        .unwrap();
    assert!(granted(&other, MINUTE).is_none());
    one.release(&key("a"), &mark).unwrap();
    assert!(!one.fill(&key("a"), &forever("given back"), &mark).unwrap());

    let short = granted(&other, Duration::from_millis(50)).unwrap();
    let deadline = Instant::now() + MINUTE;
    let mark = loop {
        if let Some(mark) = granted(&one, MINUTE) {
            break mark;
        }
        assert!(Instant::now() < deadline);
    };
    assert!(!other.fill(&key("a"), &forever("slow"), &short).unwrap());
    other.release(&key("a"), &short).unwrap();
    assert!(granted(&other, MINUTE).is_none());
    assert!(one.fill(&key("a"), &forever("1"), &mark).unwrap());
    assert_eq!(value(&other, &key("a")).unwrap(), "1");
    // the fill ended the claim, and a live value may be claimed for a refresh
    let mark = granted(&other, MINUTE).unwrap();
    assert_eq!(value(&one, &key("a")).unwrap(), "1");
    assert!(one.evict(&key("a")).unwrap());
    assert!(!other.fill(&key("a"), &forever("old"), &mark).unwrap());
    assert!(granted(&one, MINUTE).is_some());
}

#[test]
fn many_keys_go_as_each_alone_would() {
    let backend = backend(&fresh());
    let keys: Vec<Key> = (0..120).map(|nth| key(&nth.to_string())).collect();
    let entries: Vec<_> = keys[..40]
        .iter()
        .map(|key| (key.clone(), forever("set")))
        .collect();
    backend.set_many(&entries).unwrap();
    let over = payload("over", Some(Duration::ZERO));
    backend.set(&keys[40], &over).unwrap();
    let known = missed(&backend, &keys[41]);
    let asked: Vec<Key> = keys.iter().chain([&keys[0], &keys[119]]).cloned().collect();
    let found = backend.get_many(&asked).unwrap();
    assert_eq!(found.len(), asked.len());
    assert!(
        found[..40]
            .iter()
            .all(|found| matches!(found, Lookup::Hit(it) if *it == forever("set")))
    );
    assert!(matches!(found[120], Lookup::Hit(_)));
    let fills: Vec<_> = keys[40..]
        .iter()
        .zip(&found[40..120])
        .map(|(key, found)| match found {
            Lookup::Miss(mark) => (key.clone(), forever("filled"), mark.clone()),
            Lookup::Hit(_) => panic!("{key} is there"),
        })
        .collect();
    assert_eq!(fills[1].2.bytes(), known.bytes());
    // one is evicted and one set meanwhile
    backend.evict(&keys[50]).unwrap();
    backend.set(&keys[51], &forever("newer")).unwrap();
    let filled = backend.fill_many(&fills).unwrap();
    for (nth, filled) in filled.iter().enumerate() {
        assert_eq!(*filled, ![10, 11].contains(&nth), "{nth}");
    }
    missed(&backend, &keys[50]);
    assert_eq!(value(&backend, &keys[51]).unwrap(), "newer");
    assert_eq!(value(&backend, &keys[119]).unwrap(), "filled");
    let again = backend.get_many(&keys).unwrap();
    assert_eq!(
        again
            .iter()
            .filter(|found| matches!(found, Lookup::Hit(_)))
            .count(),
        119
    );
    assert!(backend.get_many(&[]).unwrap().is_empty());
    assert_eq!(backend.fill_many(&[]).unwrap().len(), 0);
    backend.set_many(&[]).unwrap();
}

#[test]
fn every_operation_works_in_every_runtime_and_in_none() {
    async fn all(backend: &MongoDb) {
        let key = key("a");
        let found = backend.get_async(&key).await.unwrap();
        let Lookup::Miss(mark) = found else {
            panic!("{found:?}")
        };
        assert!(
            backend
                .fill_async(&key, &forever("1"), &mark)
                .await
                .unwrap()
        );
        let mark = backend.mark_async(&key).await.unwrap();
        assert!(backend.put_async(&key, &forever("2"), &mark).await.unwrap());
        backend.set_async(&key, &forever("3")).await.unwrap();
        let entries = [(key.clone(), forever("4"))];
        backend.set_many_async(&entries).await.unwrap();
        let keys = [key.clone()];
        let found = backend.get_many_async(&keys).await.unwrap();
        assert!(matches!(&found[..], [Lookup::Hit(it)] if *it == forever("4")));
        let lease = backend.lease_async(&key, MINUTE).await.unwrap();
        let Lease::Granted(mark) = lease else {
            panic!("{lease:?}")
        };
        let fill = [(key.clone(), forever("5"), mark.clone())];
        assert_eq!(backend.fill_many_async(&fill).await.unwrap(), [true]);
        backend.release_async(&key, &mark).await.unwrap();
        assert!(backend.evict_async(&key).await.unwrap());
        assert_eq!(
            backend
                .evict_by_scope_async(&organization("acme"))
                .await
                .unwrap(),
            0
        );
        backend.clear_async().await.unwrap();
        // the blocking operations as well, in whatever runtime this is
        missed(backend, &key);
        backend.set(&key, &forever("6")).unwrap();
        assert_eq!(value(backend, &key).unwrap(), "6");
        backend.clear().unwrap();
    }
    let backend = backend(&fresh());
    // the first runtime makes the client, which outlives it; it has no timers
    let first = Builder::new_current_thread().build().unwrap();
    first.block_on(all(&backend));
    drop(first);
    Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(all(&backend));
    let several = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let task = several.spawn(async move {
        all(&backend).await;
        backend
    });
    let backend = several.block_on(task).unwrap();
    drop(several);
    assert!(!backend.evict(&key("a")).unwrap());
}

#[test]
fn limits_of_any_length_are_kept() {
    for limit in [Duration::from_secs(1 << 40), Duration::MAX] {
        for endless in [
            backend(&fresh()).timeout(limit),
            backend(&fresh()).load_limit(limit),
        ] {
            let mark = missed(&endless, &key("a"));
            assert!(endless.fill(&key("a"), &forever("1"), &mark).unwrap());
            assert_eq!(value(&endless, &key("a")).unwrap(), "1");
            let found = futures::executor::block_on(endless.get_many_async(&[key("b")]));
            assert!(matches!(&found.unwrap()[..], [Lookup::Miss(_)]));
            assert!(matches!(
                endless.lease(&key("b"), limit).unwrap(),
                Lease::Granted(_)
            ));
        }
    }
}
